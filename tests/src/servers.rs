//! The servers that the sinks write to, each started on a free port with a data folder of its own, and stopped with its test.

mod certificate;
mod influxdb_double;
mod receiver;
mod victoria_metrics;

pub use certificate::Certificate;
pub use influxdb_double::InfluxdbDouble;
pub use receiver::{Answer, Received, Receiver, ReceiverTls};
pub use victoria_metrics::{StoredSeries, VictoriaMetrics};
