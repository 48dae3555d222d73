//! What all parts of the edge share.

use std::path::PathBuf;

use tokio::sync::{Mutex, broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    DropReason, EdgeEvents, StoredTwin, event::EVENT_CAPACITY, event::EdgeEvent, quirks::Quirks, state::EdgeState,
};
#[cfg(feature = "eventbus")]
use super::{LocalEdgeError, bus::Bus};
use crate::model::DeviceId;

/// Devices of which an update is still to be repeated after a report. Past it, repeats are left out.
pub(super) const REPEAT_CAPACITY: usize = 1024;

/// The shared part of a [`LocalEdge`](super::LocalEdge).
#[derive(Debug)]
pub(super) struct Core {
    pub(super) quirks: Quirks,
    pub(super) socket: PathBuf,
    /// The state, behind the lock of a `watch` channel, which wakes those who wait for a change. Nobody holds it across an
    /// await, and nobody works under it but on the state.
    state: watch::Sender<EdgeState>,
    events: broadcast::Sender<EdgeEvent>,
    /// Held during each call to a mapper: edgecore makes one at a time. Fair, so calls keep their order.
    pub(super) turn: Mutex<()>,
    /// To the task that repeats updates after reports; it ends with the [`LocalEdge`](super::LocalEdge).
    pub(super) repeats: mpsc::Sender<DeviceId>,
    #[cfg(feature = "eventbus")]
    bus: Option<Bus>,
}

impl Core {
    pub(super) fn new(quirks: Quirks, socket: PathBuf, repeats: mpsc::Sender<DeviceId>) -> Self {
        let (state, _) = watch::channel(EdgeState::default());
        let (events, _) = broadcast::channel(EVENT_CAPACITY);
        Self {
            quirks,
            socket,
            state,
            events,
            turn: Mutex::new(()),
            repeats,
            #[cfg(feature = "eventbus")]
            bus: None,
        }
    }

    /// Starts the event bus, if there is to be one.
    #[cfg(feature = "eventbus")]
    pub(super) async fn with_bus(self) -> Result<Self, LocalEdgeError> {
        let bus = if self.quirks.bus.exists { Some(Bus::start().await?) } else { None };
        Ok(Self { bus, ..self })
    }

    #[cfg(feature = "eventbus")]
    pub(super) fn bus(&self) -> Option<&Bus> {
        self.bus.as_ref()
    }

    /// Answers a twin that came by DMI on the event bus, if there is one.
    pub(super) fn answer_twin(&self, device: &str, property: &str, verdict: Result<&StoredTwin, &DropReason>) {
        #[cfg(feature = "eventbus")]
        if let Some(bus) = self.connected_bus() {
            bus.answer_reported(device, property, verdict);
        }
        #[cfg(not(feature = "eventbus"))]
        let (_, _, _) = (device, property, verdict);
    }

    /// Answers a state that has been stored on the event bus, if there is one.
    pub(super) fn answer_state(&self, device: &DeviceId, state: &str) {
        #[cfg(feature = "eventbus")]
        if let Some(bus) = self.connected_bus() {
            bus.answer_state(device, state);
        }
        #[cfg(not(feature = "eventbus"))]
        let (_, _) = (device, state);
    }

    /// The bus, if there is one at which edgecore knows namespaces.
    #[cfg(feature = "eventbus")]
    pub(super) fn connected_bus(&self) -> Option<&Bus> {
        self.bus().filter(|_| self.quirks.bus.namespaces)
    }

    /// Looks at the state.
    pub(super) fn read<R>(&self, look: impl FnOnce(&EdgeState) -> R) -> R {
        look(&self.state.borrow())
    }

    /// Changes the state and wakes those who wait for it.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut EdgeState) -> R) -> R {
        let mut result = None;
        self.state.send_modify(|state| result = Some(change(state)));
        result.expect("send_modify calls its closure once")
    }

    /// Waits until the state fits.
    pub(super) async fn wait_until(&self, fits: impl FnMut(&EdgeState) -> bool) {
        let mut receiver = self.state.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        drop(receiver.wait_for(fits).await);
    }

    /// Ends a run as the death of its process would: all connections break off, and the socket's file stays behind.
    pub(super) fn crash(&self, run: &CancellationToken, reason: &str) {
        let first = self.change(|state| {
            let first = state.run.take().is_some();
            if first {
                state.crashed = Some(reason.to_owned());
            }
            first
        });
        run.cancel();
        if first {
            self.emit(EdgeEvent::Crashed { reason: reason.to_owned() });
        }
    }

    /// Sends an event to the subscribers, if there are any.
    pub(super) fn emit(&self, event: EdgeEvent) {
        // An error means that nobody listens.
        drop(self.events.send(event));
    }

    pub(super) fn events(&self) -> EdgeEvents {
        EdgeEvents::new(self.events.subscribe())
    }
}
