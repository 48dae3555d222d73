//! The sinks against real servers.

mod mysql;
mod redis;
mod tdengine;
mod mqtt;
