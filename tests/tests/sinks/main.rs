//! The sinks against real servers.

mod mqtt;
