//! A mapper for Modbus TCP devices, and for those behind a Modbus TCP gateway.
//!
//! - `driver`: what the framework calls, a [`Modbus`] that opens a [`Unit`] for each device
//! - `config`: what a user writes about a device, as [`Config`]
//! - `visitor`: what a user writes about a property, as [`Visitor`]
//! - `scalar`: numbers of a manifest, as such or as text
//! - `codec`: numbers, texts and times in registers
//! - `plan`: one request for neighbouring registers
//! - `forbidden`: addresses that are never read
//! - `gateway`: the connection that devices share
//! - `answers`: which answers of a connection are too late

mod answers;
mod codec;
mod config;
mod driver;
mod forbidden;
mod gateway;
mod plan;
mod scalar;
mod visitor;

pub use config::Config;
pub use driver::{Modbus, Unit};
pub use visitor::Visitor;
