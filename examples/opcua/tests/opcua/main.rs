//! The mapper against a real OPC UA server, asyncua. `cargo xtask test -- -p opcua` installs it and runs this.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

mod check;
mod discover;
mod driver;
mod mapper;
mod security;
mod server;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
