//! The servers that the sinks write to, each started on a free port with a data folder of its own, and stopped with its test.

mod certificate;
mod mosquitto;
mod subscriber;

pub use certificate::Certificate;
pub use mosquitto::{Mosquitto, MosquittoOptions};
pub use subscriber::{Published, Subscriber};
