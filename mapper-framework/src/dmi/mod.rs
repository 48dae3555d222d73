//! The Device Management Interface: the only place that knows protobuf and gRPC.

pub(crate) mod authority;
mod channel;
pub(crate) mod client;
pub(crate) mod command;
pub(crate) mod convert;
pub(crate) mod server;
pub(crate) mod severable;
pub(crate) mod socket;

pub use socket::SocketError;

/// What `cargo xtask codegen` makes of `proto/dmi/v1beta1/api.proto`.
#[rustfmt::skip]
#[allow(clippy::all, clippy::pedantic, missing_docs, unreachable_pub, rust_2018_idioms)]
#[path = "generated/v1beta1.rs"]
pub(crate) mod generated;
