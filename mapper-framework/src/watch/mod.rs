//! What happens in a mapper, as a stream of typed events: [`Handle::watch`](crate::Handle::watch).
//!
//! A watch has a [`Filter`]. It holds at most [`CAPACITY`] events that were not fetched yet; when there are more, the oldest go, and
//! [`What::Missed`] says how many. So a watch that is slow, or that nobody reads, costs a bounded amount of memory and slows nothing.

mod event;
mod filter;
mod history;
mod hub;
mod latest;
mod ring;
#[cfg(test)]
mod tests;
mod traces;

pub use self::{
    event::{DesiredPhase, Event, Occurrence, What},
    filter::{Filter, Kind},
    latest::{DesiredStatus, EdgeLink},
    ring::CAPACITY,
};
pub(crate) use self::{
    hub::Hub,
    latest::Latest,
    ring::Events,
    traces::{Trace, Traces, TwinTraces},
};
