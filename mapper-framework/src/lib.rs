//! Write KubeEdge device mappers in Rust.
//!
//! KubeEdge takes Kubernetes to edge nodes, where a *mapper* per protocol reads and writes the devices and talks to `edgecore`
//! over the Device Management Interface (DMI). This crate is everything of a mapper but its driver: the DMI, a task per device
//! that reads on schedule and survives what drivers do, device twins in both directions within edgecore's limits, sinks that lose
//! nothing on the way to brokers and databases, the config, the command line, and an edgecore within the process to try it all
//! without a cluster.
//!
//! # A whole mapper
//!
//! ```no_run
//! use mapper_framework::{Device, Driver, DriverError, Mapper, Property, Session, Value};
//!
//! struct Clock;
//!
//! impl Driver for Clock {
//!     type Config = ();
//!     type Session = Clock;
//!
//!     async fn connect(&self, _device: &Device, (): ()) -> Result<Clock, DriverError> {
//!         Ok(Clock)
//!     }
//! }
//!
//! impl Session for Clock {
//!     type Visitor = ();
//!
//!     async fn read(&mut self, _property: &Property<()>) -> Result<Value, DriverError> {
//!         Ok(std::time::UNIX_EPOCH.elapsed()?.as_secs_f64().into())
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     Mapper::builder(Clock).package(mapper_framework::package!()).protocol("clock").main()
//! }
//! ```
//!
//! `clock --standalone devices` runs it on the manifests in the folder `devices`; without that flag it connects to the edgecore
//! of its node.
//!
//! # Where to look
//!
//! | for | see |
//! | --- | --- |
//! | what a driver has to do, and what the framework does for it | [`Driver`], [`Session`], [`DriverError`] |
//! | devices, properties and values | [`model`] |
//! | brokers and databases, what becomes of each record, and a sink of your own | [`sink`] |
//! | the keys of the config file, the environment and the flags | [`config`] |
//! | a mapper as part of another program | [`Mapper::run_until`], [`Handle`] |
//! | a suite for drivers, one for sinks, and a mapper with its edgecore within a test | [`testing`] |
//! | an edgecore for tests, and what a mapper does against it | [`local_edge`] |
//! | what a mapper counts | [`Stats`] |
//!
//! # Features
//!
//! | feature | on by default | what it brings |
//! | --- | --- | --- |
//! | `sink-http` | yes | `pushMethod.http` |
//! | `sink-influxdb2` | yes | `pushMethod.dbMethod.influxdb2` |
//! | `sink-mqtt` | yes | `pushMethod.mqtt` |
//! | `sink-mysql` | yes | `pushMethod.dbMethod.mysql` |
//! | `sink-otel` | yes | `pushMethod.otel` |
//! | `sink-redis` | yes | `pushMethod.dbMethod.redis` |
//! | `sink-tdengine` | yes | `pushMethod.dbMethod.TDEngine` |
//!
//! A device that asks for a sink which is not compiled says so in its state, with the feature's name. Without any sink no native
//! code is built, so that a cross build needs nothing but a linker.

mod app;
mod backoff;
mod check;
mod cli;
pub mod config;
mod dmi;
mod driver;
pub mod local_edge;
mod logging;
mod mapper;
pub mod model;
mod runtime;
mod sample;
mod scaffold;
pub mod sink;
mod spool;
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
