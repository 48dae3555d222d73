//! The event bus: a broker, and edgecore at it.

mod broker;
mod client;
mod edge;
mod message;
mod responder;
mod topic;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rumqttc::QoS;
use serde::Serialize;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use self::{
    broker::{Broker, Message},
    message::{Refused, Stored, StoredState},
    topic::Subject,
};
use super::{DropReason, LocalEdgeError, StoredTwin, core::Core};
use crate::model::{DeviceId, Doubt};

/// The code of an update that edgecore does not take.
const BAD_REQUEST: u16 = 400;

/// The code of an update of a device that edgecore does not know.
const NOT_FOUND: u16 = 404;

/// The broker of the node, and what edgecore publishes there. It outlives the runs of the edge, as a node's broker outlives
/// edgecore.
#[derive(Debug)]
pub(super) struct Bus {
    broker: Broker,
    /// `mqtt://127.0.0.1:<port>`
    address: String,
    /// How many ids edgecore has given to events of its own.
    event_ids: AtomicU64,
}

impl Bus {
    /// Starts the broker on a free port of the loopback device.
    pub(super) async fn start() -> Result<Self, LocalEdgeError> {
        let failed = |source| LocalEdgeError::EventBus { address: "mqtt://127.0.0.1".to_owned(), source };
        let broker = Broker::start().await.map_err(failed)?;
        let address = format!("mqtt://{}", broker.address());
        Ok(Self { broker, address, event_ids: AtomicU64::new(0) })
    }

    fn address(&self) -> &str {
        &self.address
    }

    /// Cuts all clients and frees the port.
    async fn stop_broker(&self) {
        self.broker.stop().await;
    }

    /// Listens again on the same port.
    async fn start_broker(&self) -> Result<(), LocalEdgeError> {
        let failed = |source| LocalEdgeError::EventBus { address: self.address.clone(), source };
        self.broker.listen_again().await.map_err(failed)
    }

    /// Answers a twin that came by DMI, by itself and under an id of edgecore's own.
    pub(super) fn answer_reported(&self, device: &str, property: &str, verdict: Result<&StoredTwin, &DropReason>) {
        let event_id = self.event_id();
        match verdict {
            Ok(twin) => self.stored(device, &event_id, &[(property.to_owned(), twin.clone())]),
            Err(reason) => self.refused(device, &event_id, reason),
        }
    }

    /// Answers a state that has been stored, under an id of edgecore's own.
    pub(super) fn answer_state(&self, device: &DeviceId, state: &str) {
        let event_id = self.event_id();
        let answer = StoredState::new(&event_id, device.name(), state);
        self.publish(topic::result(device.as_str(), Subject::State), &answer);
    }

    fn stored(&self, device: &str, event_id: &str, twins: &[(String, StoredTwin)]) {
        self.publish(topic::result(device, Subject::Twin), &Stored::new(event_id, twins));
    }

    /// Answers twins that have been dropped, if edgecore does.
    fn refused(&self, device: &str, event_id: &str, reason: &DropReason) {
        match reason {
            DropReason::UnknownDevice => self.refuse(device, event_id, NOT_FOUND, reason),
            DropReason::IllegalType | DropReason::NoValue => self.refuse(device, event_id, BAD_REQUEST, reason),
            DropReason::IllegalName | DropReason::IllegalValue | DropReason::IllegalDesired => self.unreadable(reason),
            DropReason::LostNamespace | DropReason::UnknownState => {}
        }
    }

    /// Answers a payload that edgecore gives up before it has its device and its id: nobody learns whose it was.
    fn unreadable(&self, reason: &impl ToString) {
        self.refuse("", "", BAD_REQUEST, reason);
    }

    fn refuse(&self, device: &str, event_id: &str, code: u16, reason: &impl ToString) {
        self.publish(topic::result(device, Subject::Twin), &Refused::new(event_id, code, &reason.to_string()));
    }

    fn publish(&self, topic: String, answer: &impl Serialize) {
        match serde_json::to_vec(answer) {
            Ok(payload) => self.broker.publish(&Message { topic, payload: payload.into(), qos: QoS::AtMostOnce }),
            Err(error) => tracing::error!(%error, topic, "an answer of the local edge cannot be written as JSON"),
        }
    }

    /// An id for an event of edgecore's own, in the form of a UUID.
    fn event_id(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.event_ids.fetch_add(1, Ordering::Relaxed))
    }
}

/// Whether edgecore does not find the namespace in a topic or in the id of a device.
fn loses(namespace: &str) -> bool {
    Doubt::of_namespace(namespace).is_some()
}

/// Connects edgecore to the bus for a run, if there is one and edgecore can address a device there.
pub(super) fn connect(core: &Arc<Core>, run: &CancellationToken) -> Option<AbortOnDropHandle<()>> {
    let bus = core.connected_bus()?;
    let inbox = bus.broker.subscribe_edge();
    Some(AbortOnDropHandle::new(tokio::spawn(responder::run(Arc::clone(core), inbox, run.clone()))))
}
