//! The device runtime: one [`Manager`](manager) that owns the map of devices, and one task per device that owns its session.

mod bound;
mod call;
mod device_task;
mod dispatch;
mod handle;
pub(crate) mod link;
pub(crate) mod manager;
mod schedule;
mod session;
mod slot;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use call::panic_message;
pub(crate) use device_task::Settings;
pub(crate) use dispatch::Dispatch;
pub use handle::{DeviceSnapshot, Handle, OperationError};
