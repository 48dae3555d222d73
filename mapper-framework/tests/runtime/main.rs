//! A mapper against an edgecore in this process, over real sockets, through what edge nodes do.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod bad_input;
mod credentials;
mod edge_faults;
#[cfg(feature = "eventbus")]
mod event_bus;
#[cfg(feature = "http")]
mod http;
mod lifecycle;
mod logged;
mod meter;
mod patience;
#[cfg(feature = "http")]
mod streams;
