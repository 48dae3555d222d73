//! The driver's contract: what a user of the framework writes.
//!
//! A [`Driver`] is shared by all devices of a mapper and opens a [`Session`] for each of them. A session belongs to one task,
//! which calls it with `&mut self`: a driver's author writes no lock.

mod contract;
mod erased;
mod error;

pub use contract::{Driver, Session};
pub(crate) use erased::{ErasedDriver, ErasedProperty, ErasedSession, erase};
pub use error::DriverError;
