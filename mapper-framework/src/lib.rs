//! Write KubeEdge device mappers in Rust.

mod backoff;
mod cli;
pub mod config;
mod dmi;
mod driver;
mod logging;
pub mod model;
mod runtime;
mod telemetry;
mod twin;

pub use driver::{Driver, DriverError, Session};
pub use model::{AccessMode, DataType, Device, DeviceState, Method, Property, Reading, Value};
