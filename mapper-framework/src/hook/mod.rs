//! Hooks on samples: what stands between a driver and the consumers of its values.
//!
//! A [`SampleHook`] is registered by [`MapperBuilder::hook`](crate::MapperBuilder::hook), and makes a [`DeviceHook`] for each device, which
//! has a state of its own and sees every sample of that device before the twin, the sinks and the watches do.
//!
//! ```
//! use mapper_framework::hook::{self, Flow};
//!
//! // A filter without a state: nothing below zero leaves the mapper.
//! let no_negatives = hook::from_fn("no-negatives", |passing| match passing.sample().value.as_f64() {
//!     Some(number) if number < 0.0 => Flow::Drop,
//!     _ => Flow::Pass,
//! });
//! ```

mod anomaly;
mod chain;
mod contract;
mod detector;
#[cfg(test)]
mod tests;

pub use self::contract::{AddError, DeviceHook, Flow, Passing, SampleHook, from_fn};
pub(crate) use self::{
    anomaly::{AnomalyDetection, Finding},
    chain::{Chain, Hooks},
};
