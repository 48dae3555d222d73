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
//! use mapper_framework::{Device, Driver, DriverError, Mapper, Property, Reading, Session};
//!
//! // Opens a session to each device.
//! struct Clocks;
//!
//! // A session to one device.
//! struct Clock;
//!
//! impl Driver for Clocks {
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
//!     async fn read(&mut self, _property: &Property<()>) -> Result<Reading, DriverError> {
//!         Ok(std::time::UNIX_EPOCH.elapsed()?.as_secs_f64().into())
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     Mapper::builder(Clocks).package(mapper_framework::package!()).protocol("clock").main()
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
//! | many reads in one request, subscriptions, method calls | [`Reads`], [`Subscriptions`] and [`Change`], [`Call`] |
//! | a search for devices | [`Driver::discover`], [`Discovery`], [`Found`] |
//! | the frames of a camera | [`Session::stream`], [`FrameSender`], [`Frame`], and the guide *Streams* |
//! | devices, properties and values | [`model`] |
//! | brokers and databases, what becomes of each record, and a sink of your own | [`sink`] |
//! | the keys of the config file, the environment and the flags | [`config`] |
//! | when and how often a device is written to | [`Session::write`], [`Order`], and the guide *Writing to machines* |
//! | a mapper as part of another program | [`Mapper::run_until`], [`Handle`] |
//! | a session with devices, kept and run again without them | [`Tap`], [`testing::TestBedBuilder::replay`], and the guide *Recording a session* |
//! | a suite for drivers, one for sinks, and a mapper with its edgecore within a test | [`testing`] |
//! | an edgecore for tests, and what a mapper does against it | [`local_edge`] |
//! | what a mapper counts | [`stats`] |
//! | the page, the API, metrics and probes of a running mapper | [`config::HttpConfig`], and the guide *Looking into a mapper* |
//! | what happens in a mapper, as a stream of events | [`watch`], [`Handle::watch`] |
//! | what stands between a driver and the consumers of its values | [`hook`], [`model::AnomalyRules`] |
//!
//! # Features
//!
//! | feature | on by default | what it brings |
//! | --- | --- | --- |
//! | `cli` | yes | the command line: `--help`, `--standalone`, `check`, `sample`, `scaffold`, `convert`, `discover`, `record`, `replay`, and with `http` what asks a mapper that runs: `status`, `get`, `top` …. Without it [`MapperBuilder::main`] takes `--config-file PATH`, and with `http` `health`, only |
//! | `standalone` | yes | `--standalone` and [`local_edge`], an edgecore within the process |
//! | `http` | yes | the HTTP server: the page, the API, metrics and probes, see [`config::HttpConfig`] |
//! | `http-tls` | no | TLS for it where no sink and not `eventbus` brings it |
//! | `eventbus` | yes | `report.via: eventbus` and `auto`: reports over edgecore's event bus, by the node's MQTT broker |
//! | `testing` | no | [`testing`], for the tests of a mapper. Name it under `[dev-dependencies]`, so that no mapper carries it |
//! | `sink-http` | yes | `pushMethod.http` |
//! | `sink-influxdb2` | yes | `pushMethod.dbMethod.influxdb2` |
//! | `sink-mqtt` | yes | `pushMethod.mqtt` |
//! | `sink-mysql` | yes | `pushMethod.dbMethod.mysql` |
//! | `sink-otel` | yes | `pushMethod.otel` |
//! | `sink-redis` | yes | `pushMethod.dbMethod.redis` |
//! | `sink-tdengine` | yes | `pushMethod.dbMethod.TDEngine`, over REST |
//! | `sink-tdengine-ws` | no | the same over a WebSocket, where an address begins with `ws://` |
//! | `sink-mqtt-ws` | no | brokers behind a WebSocket, where an address begins with `ws://` or `wss://` |
//!
//! An image for a node needs neither `cli` nor `standalone`.
//!
//! A device that asks for a sink which is not compiled says so in its state, with the feature's name. Without any sink and without `eventbus` no
//! native code is built, so that a cross build needs nothing but a linker.

#![warn(missing_debug_implementations)]
// What only the command line, the local edge or the tests call stands where it belongs. With all of them, nothing may be left over.
#![cfg_attr(
    not(all(feature = "cli", feature = "eventbus", feature = "standalone", feature = "testing")),
    allow(dead_code, unreachable_pub, unused_imports, reason = "its caller is part of a feature that is off")
)]

mod app;
mod backoff;
#[cfg(feature = "cli")]
mod check;
#[cfg(feature = "cli")]
mod cli;
pub mod config;
#[cfg(feature = "cli")]
mod convert;
mod credentials;
#[cfg(feature = "cli")]
mod discover;
mod dmi;
mod driver;
#[cfg(feature = "eventbus")]
mod eventbus;
pub mod hook;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "standalone")]
pub mod local_edge;
mod logging;
#[cfg(any(feature = "cli", feature = "standalone"))]
mod manifest;
mod mapper;
pub mod model;
#[cfg(feature = "_mqtt")]
mod mqtt;
#[cfg(not(feature = "cli"))]
mod plain_cli;
mod recording;
#[cfg(feature = "http")]
mod remote;
mod runtime;
#[cfg(feature = "cli")]
mod sample;
#[cfg(feature = "cli")]
mod scaffold;
pub mod sink;
mod spool;
mod stream;
#[cfg(any(feature = "cli", feature = "testing"))]
mod tape;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
#[allow(dead_code, unused_imports, reason = "which sinks are compiled decides")]
mod tls;
mod twin;
mod typed;
pub mod watch;
mod writes;

pub use config::Package;
pub use dmi::SocketError;
pub use driver::{
    Call, Change, Discovery, Driver, DriverError, Found, FrameSender, Reads, Review, Session, Subscriptions, Tap,
};
pub use mapper::{Mapper, MapperBuilder, MapperError};
pub use model::{AccessMode, DataType, Device, DeviceState, Method, Property, Reading, Value};
pub use runtime::{Answer, DeviceSnapshot, Handle, OperationError, Order, ReadFailure, Snapshot, Watch};
pub use stream::{ContentType, Format, Frame, jpeg_size};
pub use telemetry::stats;
