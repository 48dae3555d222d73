//! The device runtime: one [`Manager`](manager) that owns the map of devices, and one task per device that owns its session.

mod absence;
mod bound;
mod call;
mod consumers;
mod credentials;
mod device_task;
mod dispatch;
mod end;
mod handle;
mod inspection;
pub(crate) mod link;
pub(crate) mod manager;
mod news;
mod order;
mod outlets;
mod reconnect;
mod schedule;
mod served;
mod session;
mod slot;
mod status;
mod tasks;
#[cfg(test)]
mod tests;
mod thinning;
mod watch;
mod watchdog;

pub(crate) use call::panic_message;

pub(crate) use credentials::CredentialsFolder;
pub(crate) use dispatch::Dispatch;
pub(crate) use handle::NoFrames;
pub use handle::{DeviceSnapshot, Handle, OperationError, ReadFailure};
pub(crate) use inspection::{DeviceSummary, InspectedModel, InspectedProperty, Inspection};
pub use order::{Answer, Order};
pub(crate) use served::Settings;
pub use watch::{Snapshot, Watch};
