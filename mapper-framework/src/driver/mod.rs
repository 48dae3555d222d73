//! The driver's contract: what a user of the framework writes.
//!
//! A [`Driver`] is shared by all devices of a mapper and opens a [`Session`] for each of them. A session belongs to one task,
//! which calls it with `&mut self`: a driver's author writes no lock.

mod call;
mod change;
mod contract;
mod deadline;
mod discovery;
mod erased;
mod error;
mod frames;
mod reads;
mod review;
mod shared;
mod subscriptions;
mod tap;

pub use call::Call;
pub use change::Change;
pub use contract::{Driver, Session};
pub(crate) use deadline::Deadline;
pub use discovery::{Discovery, Found};
pub(crate) use erased::{ErasedDriver, ErasedProperty, ErasedSession, erase};
pub use error::DriverError;
pub use frames::FrameSender;
pub use reads::Reads;
pub(crate) use reads::{Results, forgotten};
pub use review::Review;
pub use subscriptions::Subscriptions;
pub use tap::Tap;
pub(crate) use tap::{WIRE, Wire};
