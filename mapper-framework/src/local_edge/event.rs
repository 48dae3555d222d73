//! What happens at the edge, for tests to await and for people to read.

use std::path::PathBuf;

use tokio::sync::broadcast::{self, error::RecvError};

use super::{DropReason, SendFailure, StoredTwin};
use crate::model::{DeviceId, ModelId};

/// Events that a slow subscription may fall behind before it misses the oldest.
pub(super) const EVENT_CAPACITY: usize = 4096;

/// Something that happened at the edge.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EdgeEvent {
    /// The edge listens.
    #[non_exhaustive]
    Started {
        /// The socket that mappers connect to.
        socket: PathBuf,
    },
    /// The edge has been stopped: its connections have ended.
    Stopped,
    /// A call has crashed the edge, as it would crash edgecore. It no longer listens.
    #[non_exhaustive]
    Crashed {
        /// What crashed it.
        reason: String,
    },
    /// A mapper has registered.
    #[non_exhaustive]
    MapperRegistered {
        /// Its name.
        name: String,
        /// The protocol it serves.
        protocol: String,
        /// Where it listens.
        address: PathBuf,
        /// How many devices it has been given; `None` if it asked for no data, and then it is never called.
        devices: Option<usize>,
    },
    /// The mapper has been called about a device.
    #[non_exhaustive]
    DeviceSent {
        /// The device.
        device: DeviceId,
        /// What it was called with.
        operation: Operation,
        /// How it went. A call that failed is not repeated.
        result: Result<(), SendFailure>,
    },
    /// The mapper has been called about a device model.
    #[non_exhaustive]
    ModelSent {
        /// The device model.
        model: ModelId,
        /// What it was called with.
        operation: Operation,
        /// How it went. A call that failed is not repeated.
        result: Result<(), SendFailure>,
    },
    /// A reported twin has been stored.
    #[non_exhaustive]
    TwinStored {
        /// The device.
        device: DeviceId,
        /// The property.
        property: String,
        /// The twin as it now stands.
        twin: StoredTwin,
    },
    /// A reported twin has been dropped, while its call succeeded.
    #[non_exhaustive]
    TwinDropped {
        /// The device as the report names it.
        device: String,
        /// The property as the report names it.
        property: String,
        /// The reported value.
        value: String,
        /// Why.
        reason: DropReason,
    },
    /// A device's state has been stored.
    #[non_exhaustive]
    StateStored {
        /// The device.
        device: DeviceId,
        /// Its state.
        state: String,
    },
    /// A device's state has been dropped, while its call succeeded.
    #[non_exhaustive]
    StateDropped {
        /// The device as the report names it.
        device: String,
        /// The reported state.
        state: String,
        /// Why.
        reason: DropReason,
    },
    /// A mapper's call has failed.
    #[non_exhaustive]
    CallRefused {
        /// The RPC's name.
        call: &'static str,
        /// What the mapper was called with.
        reason: String,
    },
    /// Something in a manifest that is not wrong enough to refuse it.
    #[non_exhaustive]
    Warning {
        /// What, where, and the cure.
        message: String,
    },
    /// A manifest in a watched folder has been refused. What was applied of that file before still holds.
    #[non_exhaustive]
    ManifestRefused {
        /// What is wrong, where, and the cure.
        message: String,
    },
    /// This subscription was too slow, and has missed events.
    #[non_exhaustive]
    Missed {
        /// How many.
        events: u64,
    },
}

/// What a mapper is called with for a device or a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// It is new: `RegisterDevice` or `CreateDeviceModel`.
    Create,
    /// It has changed: `UpdateDevice` or `UpdateDeviceModel`.
    Update,
    /// It is gone: `RemoveDevice` or `RemoveDeviceModel`.
    Remove,
}

/// A subscription to the events of a [`LocalEdge`](super::LocalEdge), from the moment it is made.
#[derive(Debug)]
pub struct EdgeEvents {
    receiver: broadcast::Receiver<EdgeEvent>,
}

impl EdgeEvents {
    pub(super) fn new(receiver: broadcast::Receiver<EdgeEvent>) -> Self {
        Self { receiver }
    }

    /// Waits for the next event; `None` once the edge is gone. Cancelling loses nothing.
    ///
    /// A subscription may fall 4,096 events behind. Then it gets an [`EdgeEvent::Missed`] and goes on with the oldest kept.
    pub async fn next(&mut self) -> Option<EdgeEvent> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(events)) => Some(EdgeEvent::Missed { events }),
            Err(RecvError::Closed) => None,
        }
    }

    /// Waits for the first event that fits and skips the others; `None` once the edge is gone.
    pub async fn wait_for(&mut self, mut fits: impl FnMut(&EdgeEvent) -> bool) -> Option<EdgeEvent> {
        loop {
            let event = self.next().await?;
            if fits(&event) {
                return Some(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_subscription_learns_how_much_it_has_missed() {
        let (sender, receiver) = broadcast::channel(2);
        let mut events = EdgeEvents::new(receiver);
        for _ in 0..5 {
            sender.send(EdgeEvent::Stopped).unwrap();
        }
        assert!(matches!(events.next().await, Some(EdgeEvent::Missed { events: 3 })));
        assert!(matches!(events.next().await, Some(EdgeEvent::Stopped)));
    }

    #[tokio::test]
    async fn a_subscription_ends_with_its_edge() {
        let (sender, receiver) = broadcast::channel(2);
        drop(sender);
        assert!(EdgeEvents::new(receiver).wait_for(|_| true).await.is_none());
    }
}
