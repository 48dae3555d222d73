//! The sinks against real servers.
