//! The servers that the sinks and the reporter write to, each started on a free port with a data folder of its own, and stopped with its test.

mod certificate;
mod event_bus;
mod influxdb_double;
mod mariadb;
mod mochi;
mod mosquitto;
mod nginx;
mod receiver;
mod redis;
mod rtsp;
mod subscriber;
mod tdengine_double;
mod tinyproxy;
mod victoria_metrics;

pub use certificate::Certificate;
pub use event_bus::{BusTwin, EventBus, EventBusOptions, Refusal, Seen, Unanswered};
pub use influxdb_double::InfluxdbDouble;
pub use mariadb::{MariaDbOptions, MariaDbServer};
pub use mochi::{Mochi, MochiOptions};
pub use mosquitto::{Mosquitto, MosquittoOptions};
pub use nginx::{Nginx, NginxDoor, NginxOptions};
pub use receiver::{Answer, Received, Receiver, ReceiverTls};
pub use redis::{RedisOptions, RedisRole, RedisServer, Reply};
pub use rtsp::{Login, Publisher, RtspOptions, RtspServer, Video, two_sizes};
pub use subscriber::{Published, Subscriber};
pub use tdengine_double::{SqlError, TdengineDouble, TdengineRow};
pub use tinyproxy::Tinyproxy;
pub use victoria_metrics::{StoredSeries, VictoriaMetrics};
