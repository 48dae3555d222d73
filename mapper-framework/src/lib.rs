//! Write KubeEdge device mappers in Rust.

mod backoff;
mod dmi;
mod driver;
pub mod model;
mod telemetry;
mod twin;

pub use driver::{Driver, DriverError, Session};
pub use model::{AccessMode, DataType, Device, DeviceState, Method, Property, Reading, Value};
