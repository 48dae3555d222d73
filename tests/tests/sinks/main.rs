//! The sinks against real servers.

mod tdengine;
