//! The sinks against real servers.

mod redis;
mod tdengine;
