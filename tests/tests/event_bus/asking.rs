//! A client of the broker that asks the responder.

use integration_tests::{DEADLINE, servers::Mosquitto};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, SubscribeFilter};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

/// A client of the broker that sees all answers.
pub(crate) struct Asking {
    client: AsyncClient,
    events: EventLoop,
}

impl Asking {
    pub(crate) async fn start(broker: &Mosquitto) -> Self {
        let options = MqttOptions::new("asking", "127.0.0.1", broker.port());
        let (client, events) = AsyncClient::new(options, 100);
        // A refusal that names no device has one level less.
        let filters = ["+/+/twin", "+/twin", "+/+/state"]
            .map(|what| SubscribeFilter::new(format!("$hw/events/device/{what}/update/result"), QoS::AtLeastOnce));
        client.subscribe_many(filters).await.unwrap();
        let mut asking = Self { client, events };
        while !matches!(asking.next().await, Packet::SubAck(_)) {}
        asking
    }

    async fn publish(&self, device: &str, what: &str, message: &Json) {
        let topic = format!("$hw/events/device/{device}/{what}/update");
        self.client.publish(topic, QoS::AtLeastOnce, false, message.to_string()).await.unwrap();
    }

    /// Publishes one property's value.
    pub(crate) async fn value(&self, device: &str, event_id: &str, value: &str) {
        self.twin(device, event_id, json!({"x": {"actual": {"value": value}}})).await;
    }

    pub(crate) async fn twin(&self, device: &str, event_id: &str, twin: Json) {
        self.publish(device, "twin", &json!({"event_id": event_id, "timestamp": 5, "twin": twin})).await;
    }

    pub(crate) async fn state(&self, device: &str, state: &str) {
        self.publish(device, "state", &json!({"event_id": "s", "timestamp": 5, "state": state})).await;
    }

    /// The next answer: what is between the fixed parts of its topic, and its payload.
    pub(crate) async fn answer(&mut self) -> (String, Json) {
        loop {
            if let Packet::Publish(message) = self.next().await {
                let topic = message.topic.strip_prefix("$hw/events/device/").unwrap();
                let topic = topic.strip_suffix("/update/result").unwrap();
                return (topic.to_owned(), serde_json::from_slice(&message.payload).unwrap());
            }
        }
    }

    /// Waits for a refusal on this topic, and returns the event that it names.
    pub(crate) async fn refusal(&mut self, topic: &str, code: u16) -> String {
        let (on, answer) = self.answer().await;
        assert_eq!((&*on, &answer["code"]), (topic, &json!(code)), "{answer}");
        assert!(answer["reason"].is_string() && answer["timestamp"].is_u64(), "{answer}");
        answer["event_id"].as_str().unwrap().to_owned()
    }

    /// Publishes for a device that the responder does not know, and waits for the refusal.
    pub(crate) async fn refused(&mut self, device: &str) {
        self.value(device, "unknown", "1").await;
        while self.answer().await.0 != format!("{device}/twin") {}
    }

    async fn next(&mut self) -> Packet {
        loop {
            let event = timeout(DEADLINE, self.events.poll()).await.expect("something happens");
            if let Event::Incoming(packet) = event.expect("the broker is there") {
                return packet;
            }
        }
    }
}
