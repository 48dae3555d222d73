//! Write KubeEdge device mappers in Rust.

mod app;
mod backoff;
mod cli;
pub mod config;
mod dmi;
mod driver;
pub mod local_edge;
mod logging;
mod mapper;
pub mod model;
mod runtime;
mod telemetry;
pub mod testing;
mod twin;

pub use config::Package;
pub use dmi::SocketError;
pub use driver::{Driver, DriverError, Session};
pub use mapper::{Mapper, MapperBuilder, MapperError};
pub use model::{AccessMode, DataType, Device, DeviceState, Method, Property, Reading, Value};
pub use runtime::{DeviceSnapshot, Handle, OperationError};
pub use telemetry::Stats;
