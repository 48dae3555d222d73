//! A mapper for Modbus devices, over TCP, TLS and serial lines.
//!
//! - `driver`: what the framework calls, a [`Modbus`] that opens a [`Unit`] for each device
//! - `discover`: a search for units
//! - `config`: what a user writes about a device, as [`Config`]
//! - `visitor`: what a user writes about a property, as [`Visitor`]
//! - `scalar`: numbers of a manifest, as such or as text
//! - `codec`: numbers, texts and times in registers
//! - `review`: what is said of a property before it is read
//! - `plan`, with `plans`: one request for neighbouring registers
//! - `requests`: what is asked, and what the answers hold
//! - `forbidden`: addresses that are neither read nor written
//! - `gateway`, with `turns` and `fault`: the connection that devices share, whose request is next, and why one failed
//! - `link`, with `serial` and `tls`: how it is made
//! - `framing`: how requests and answers stand on it

mod codec;
mod config;
mod discover;
mod driver;
mod fault;
mod forbidden;
mod framing;
mod gateway;
mod link;
mod plan;
mod plans;
mod requests;
mod review;
mod scalar;
mod serial;
mod tls;
mod turns;
mod visitor;

pub use config::Config;
pub use driver::{Modbus, Unit};
pub use visitor::Visitor;
