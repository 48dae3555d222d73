//! The responder itself: it answers what edgecore was seen to answer.

use integration_tests::{
    DEADLINE,
    servers::{EventBusOptions, Mosquitto, MosquittoOptions},
};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, SubscribeFilter};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use crate::rig;

/// A client of the broker that sees all answers.
struct Asking {
    client: AsyncClient,
    events: EventLoop,
}

impl Asking {
    async fn start(broker: &Mosquitto) -> Self {
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
    async fn value(&self, device: &str, event_id: &str, value: &str) {
        self.twin(device, event_id, json!({"x": {"actual": {"value": value}}})).await;
    }

    async fn twin(&self, device: &str, event_id: &str, twin: Json) {
        self.publish(device, "twin", &json!({"event_id": event_id, "timestamp": 5, "twin": twin})).await;
    }

    async fn state(&self, device: &str, state: &str) {
        self.publish(device, "state", &json!({"event_id": "s", "timestamp": 5, "state": state})).await;
    }

    /// The next answer: what is between the fixed parts of its topic, and its payload.
    async fn answer(&mut self) -> (String, Json) {
        loop {
            if let Packet::Publish(message) = self.next().await {
                let topic = message.topic.strip_prefix("$hw/events/device/").unwrap();
                let topic = topic.strip_suffix("/update/result").unwrap();
                return (topic.to_owned(), serde_json::from_slice(&message.payload).unwrap());
            }
        }
    }

    /// Waits for a refusal on this topic, and returns the event that it names.
    async fn refusal(&mut self, topic: &str, code: u16) -> String {
        let (on, answer) = self.answer().await;
        assert_eq!((&*on, &answer["code"]), (topic, &json!(code)), "{answer}");
        assert!(answer["reason"].is_string() && answer["timestamp"].is_u64(), "{answer}");
        answer["event_id"].as_str().unwrap().to_owned()
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

#[tokio::test]
async fn what_is_stored_is_answered_with_its_event_and_its_twins() {
    let Some((broker, mut bus)) = rig::node().await else { return };
    let mut asking = Asking::start(&broker).await;
    let twin = json!({"x": {"actual": {"value": "1.5"}}, "y": {"actual": {"value": ""}, "expected": {"value": "7"}}});
    asking.twin("default/d", "one", twin.clone()).await;
    let (topic, answer) = asking.answer().await;
    assert_eq!((&*topic, &answer["event_id"], &answer["twin"]), ("default/d/twin", &json!("one"), &twin));
    assert_eq!(answer.get("code"), None);

    bus.until("both are stored", |seen| seen.stored() == 2).await;
    let y = bus.seen().twin("default/d", "y").unwrap();
    let stored = (y.value.as_deref(), y.expected.as_deref(), y.timestamp);
    assert_eq!(stored, (Some(""), Some("7"), Some(5)));
    assert_eq!(bus.seen().twin("default/d", "x").unwrap().expected, None);
}

#[tokio::test]
async fn what_is_refused_is_answered_where_edgecore_answers() {
    let refused = EventBusOptions { refused: vec!["default/d/bad".to_owned()], ..EventBusOptions::default() };
    let Some((broker, mut bus)) = rig::node_with(MosquittoOptions::default(), refused).await else { return };
    let mut asking = Asking::start(&broker).await;

    asking.value("other/d", "unknown", "1").await;
    assert_eq!(asking.refusal("other/d/twin", 404).await, "unknown");
    asking.twin("default/d", "bad", json!({"x": {"actual": {"value": "1"}}, "bad": {"actual": {"value": "1"}}})).await;
    assert_eq!(asking.refusal("default/d/twin", 400).await, "bad");
    asking.twin("default/d", "type", json!({"x": {"actual": {"value": "1"}, "metadata": {"type": "deg"}}})).await;
    assert_eq!(asking.refusal("default/d/twin", 400).await, "type");

    // Neither the device nor the event is named, and the whole message is lost.
    for value in ["a b", "1+1", "1\n", "21°", &"x".repeat(513)] {
        asking.twin("default/d", "illegal", json!({"x": {"actual": {"value": value}}, "y": {}})).await;
        assert_eq!(asking.refusal("/twin", 400).await, "", "{value:?}");
    }
    asking.twin("default/d", "name", json!({"a b": {"actual": {"value": "1"}}})).await;
    assert_eq!(asking.refusal("/twin", 400).await, "");

    asking.value("default/d", "fine", &"x".repeat(512)).await;
    assert_eq!(asking.answer().await.1["event_id"], "fine");
    bus.until("one is stored", |seen| seen.stored() == 1).await;
    assert_eq!(bus.seen().refusals().len(), 3);
}

#[tokio::test]
async fn a_namespace_that_is_a_part_of_the_topic_is_not_answered() {
    let all = ["dev/*", "e/*", "devices/*"].map(str::to_owned).to_vec();
    let options = EventBusOptions { devices: all, ..EventBusOptions::default() };
    let Some((broker, mut bus)) = rig::node_with(MosquittoOptions::default(), options).await else { return };
    let mut asking = Asking::start(&broker).await;
    for namespace in ["dev", "e", "devices"] {
        asking.value(&format!("{namespace}/d"), namespace, "1").await;
    }
    // They are taken in order, so that the others were not answered.
    assert_eq!(asking.answer().await.1["event_id"], "devices");
    bus.until("two are dropped", |seen| seen.unanswered().len() == 2).await;
}

#[tokio::test]
async fn states_that_edgecore_knows_are_answered_with_another_event() {
    let Some((broker, mut bus)) = rig::node().await else { return };
    let mut asking = Asking::start(&broker).await;
    for state in ["disconnected", "ok", "online", "offline", "unhealthy", "unknown"] {
        asking.state("default/d", state).await;
    }
    for state in ["ok", "online", "offline", "unhealthy", "unknown"] {
        let (topic, answer) = asking.answer().await;
        assert_eq!((&*topic, &answer["device"]), ("default/d/state", &json!({"name": "d", "state": state})));
        assert_ne!(answer["event_id"], "s");
    }
    bus.until("the last one is stored", |seen| seen.state("default/d") == Some("unknown")).await;
    assert_eq!(bus.seen().unanswered().len(), 1);
}

#[tokio::test]
async fn a_responder_is_ready_again_after_it_or_its_broker_was_killed() {
    let Some((mut broker, mut bus)) = rig::node().await else { return };
    broker.kill().await;
    bus.until("it is away", |seen| seen.away() > 0).await;
    broker.restart().await;
    bus.until_ready().await;
    bus.kill().await;
    bus.restart().await;
    let mut asking = Asking::start(&broker).await;
    asking.value("default/d", "two", "2").await;
    assert_eq!(asking.answer().await.1["event_id"], "two");
    bus.until("it is stored", |seen| seen.value("default/d", "x") == Some("2")).await;
}
