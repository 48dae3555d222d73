//! Device twins: what is reported to edgecore, and what is desired of the devices.
//!
//! A device's task posts what it has read to [`Outbox`], which keeps the latest value of each twin. The [`Reporter`](reporter)
//! empties it at the pace that edgecore takes, all pending twins of one device in one call; the bus reporter does it over the event bus.
//! A [`Goal`] is the desired value of
//! one property.

#[cfg(feature = "eventbus")]
pub(crate) mod bus_reporter;
mod carried;
mod demand;
#[cfg(feature = "eventbus")]
mod flights;
mod goal;
pub(crate) mod illegal;
pub(crate) mod legality;
mod outbox;
mod pace;
mod phase;
mod receipts;
mod render;
pub(crate) mod reporter;
pub(crate) mod way;

pub(crate) use demand::{BudgetAlarm, Demand, rounded};
pub(crate) use goal::{Action, Goal, Observed, check, check_value};
pub(crate) use legality::check_name;
pub(crate) use outbox::{Outbox, TwinUpdate, Urgency};
pub(crate) use pace::Pacer;
pub(crate) use phase::{Echo, Phase};
pub(crate) use receipts::Receipts;
pub(crate) use way::Way;
