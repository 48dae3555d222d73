//! The servers that the sinks write to, each started on a free port with a data folder of its own, and stopped with its test.

mod certificate;
mod mariadb;
mod redis;
mod tdengine_double;

pub use certificate::Certificate;
pub use mariadb::{MariaDbOptions, MariaDbServer};
pub use redis::{RedisOptions, RedisServer, Reply};
pub use tdengine_double::{SqlError, TdengineDouble, TdengineRow};
mod mosquitto;
mod subscriber;
pub use mosquitto::{Mosquitto, MosquittoOptions};
pub use subscriber::{Published, Subscriber};
mod influxdb_double;
mod receiver;
mod victoria_metrics;
pub use influxdb_double::InfluxdbDouble;
pub use receiver::{Answer, Received, Receiver, ReceiverTls};
pub use victoria_metrics::{StoredSeries, VictoriaMetrics};
