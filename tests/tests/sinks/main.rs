//! The sinks against real servers.

mod redis;
