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
