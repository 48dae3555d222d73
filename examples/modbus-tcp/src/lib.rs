//! A mapper for Modbus TCP devices, and for those behind a Modbus TCP gateway.
//!
//! - `driver`: what the framework calls, a [`ModbusTcp`] that opens a [`Unit`] for each device
//! - `config`: what a user writes in a manifest, as [`Config`] and [`Visitor`]
//! - `codec`: numbers in registers
//! - `plan`: one request for neighbouring registers
//! - `gateway`: the connection that devices share
//! - `answers`: which answers of a connection are too late

mod answers;
mod codec;
mod config;
mod driver;
mod gateway;
mod plan;

pub use config::{Config, Visitor};
pub use driver::{ModbusTcp, Unit};
