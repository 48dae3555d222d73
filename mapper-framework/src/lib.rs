//! Write KubeEdge device mappers in Rust.

mod dmi;
mod driver;
pub mod local_edge;
pub mod model;

pub use driver::{Driver, DriverError, Session};
pub use model::{AccessMode, DataType, Device, DeviceState, Method, Property, Reading, Value};
