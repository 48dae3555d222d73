//! A watch of the running mapper: a snapshot, and everything after it.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::Stream;

use crate::{
    model::DeviceId,
    sink::SinkStatus,
    watch::{EdgeLink, Event, Events, Latest},
};

use super::DeviceSnapshot;

/// What a mapper is like, and what happens in it from then on. From [`Handle::watch`](super::Handle::watch).
///
/// It is a stream that ends with the mapper, once the last events were fetched. Dropping it ends the watch.
#[derive(Debug)]
#[must_use]
pub struct Watch {
    snapshot: Snapshot,
    /// Up to which number the snapshot of a device has its events, besides those of desired values.
    shown: HashMap<DeviceId, u64>,
    events: Events,
}

/// A mapper as it was when a watch began, as far as the watch's filter takes devices.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    pub(super) sequence: u64,
    pub(super) devices: Vec<(DeviceId, DeviceSnapshot)>,
    pub(super) sinks: Vec<SinkStatus>,
    pub(super) edge: EdgeLink,
}

impl Snapshot {
    /// The number of the last event before it.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The devices, in the order of their names.
    pub fn devices(&self) -> &[(DeviceId, DeviceSnapshot)] {
        &self.devices
    }

    /// The targets of samples.
    pub fn sinks(&self) -> &[SinkStatus] {
        &self.sinks
    }

    /// The link to edgecore.
    pub fn edge(&self) -> &EdgeLink {
        &self.edge
    }
}

impl Watch {
    pub(super) fn new(snapshot: Snapshot, events: Events) -> Self {
        let shown = snapshot.devices.iter().map(|(id, device)| (id.clone(), device.as_of)).collect();
        Self { snapshot, shown, events }
    }

    /// The mapper as it was when the watch began.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The next event; `None` once the mapper has ended. May be dropped at any time, and then loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Whether the snapshot shows already what the event says.
    fn is_shown(&self, event: &Event) -> bool {
        let what = event.what();
        let shown = match what.device() {
            _ if what.kind().is_some_and(Latest::holds) => self.snapshot.sequence,
            Some(device) => self.shown.get(device).copied().unwrap_or(self.snapshot.sequence),
            None => return false,
        };
        event.sequence() <= shown
    }
}

impl Stream for Watch {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            match ready!(Pin::new(&mut self.events).poll_next(context)) {
                Some(event) if self.is_shown(&event) => {}
                event => return Poll::Ready(event),
            }
        }
    }
}
