//! A mapper as a user of 0.1.0 has written it: a driver that implements every method, and a sink.

pub mod csv;
pub mod driver;
