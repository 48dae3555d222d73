//! A node's broker and its responder.

use integration_tests::servers::{EventBus, EventBusOptions, Mosquitto, MosquittoOptions};

/// The namespace of the devices that the responder knows.
const NAMESPACE: &str = "default";

/// A broker that lets everybody in, and a responder that knows the devices of [`NAMESPACE`]; none if one of them is left out.
pub(crate) async fn node() -> Option<(Mosquitto, EventBus)> {
    node_with(MosquittoOptions::default(), EventBusOptions::default()).await
}

/// Those of other kinds.
pub(crate) async fn node_with(broker: MosquittoOptions, bus: EventBusOptions) -> Option<(Mosquitto, EventBus)> {
    let broker = Mosquitto::start_with(broker).await?;
    let mut bus = bus;
    bus.devices.push(format!("{NAMESPACE}/*"));
    let bus = EventBus::start(&broker, &bus).await?;
    Some((broker, bus))
}
