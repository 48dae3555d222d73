//! The event bus as a mapper meets it: with a client of rumqttc, over a real socket.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use super::super::{
    DropReason, EdgeEvent, LocalEdge, LocalEdgeBuilder,
    end_to_end::mapper::{connect, report},
};
use crate::{dmi::generated::ReportDeviceStatesRequest, model::DeviceId};

const MODEL: &str = include_str!("../../../../examples/virtual-thermometer/devices/model.yaml");
const INSTANCE: &str = include_str!("../../../../examples/virtual-thermometer/devices/instance.yaml");
const DEVICE: &str = "default/thermometer-1";
const NOBODY: &str = "$hw/events/device//twin/update/result";

/// An edge with a bus, and a client that has subscribed to all results.
struct Scene {
    edge: LocalEdge,
    client: AsyncClient,
    events: EventLoop,
    _folder: TempDir,
}

fn thermometer() -> DeviceId {
    DeviceId::new("default", "thermometer-1")
}

fn result_of(device: &str, subject: &str) -> String {
    format!("$hw/events/device/{device}/{subject}/update/result")
}

impl Scene {
    async fn new() -> Self {
        Self::of(LocalEdge::builder()).await
    }

    async fn of(builder: LocalEdgeBuilder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let edge = builder.event_bus().start(folder.path()).await.unwrap();
        let in_dev = INSTANCE.replace("namespace: default", "namespace: dev");
        edge.apply(&[MODEL, INSTANCE, &in_dev].join("---\n")).await.unwrap();
        let (client, events) = Self::client(&edge).await;
        Self { edge, client, events, _folder: folder }
    }

    async fn client(edge: &LocalEdge) -> (AsyncClient, EventLoop) {
        let port = edge.event_bus().unwrap().strip_prefix("mqtt://127.0.0.1:").unwrap();
        let (client, mut events) = AsyncClient::new(MqttOptions::new("mapper", "127.0.0.1", port.parse().unwrap()), 64);
        client.subscribe("$hw/events/device/#", QoS::AtLeastOnce).await.unwrap();
        while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {}
        (client, events)
    }

    async fn publish(&self, device: &str, subject: &str, payload: impl ToString) {
        let topic = format!("$hw/events/device/{device}/{subject}/update");
        self.client.publish(topic, QoS::AtLeastOnce, false, payload.to_string()).await.unwrap();
    }

    async fn update(&self, device: &str, event_id: &str, twin: Value) {
        self.publish(device, "twin", json!({ "event_id": event_id, "timestamp": 1, "twin": twin })).await;
    }

    /// The next answer: its topic and its payload.
    async fn answer(&mut self) -> (String, Value) {
        loop {
            let event = tokio::time::timeout(Duration::from_secs(30), self.events.poll()).await.expect("an answer");
            if let Event::Incoming(Packet::Publish(publish)) = event.unwrap()
                && publish.topic.ends_with("/result")
            {
                return (publish.topic, serde_json::from_slice(&publish.payload).unwrap());
            }
        }
    }

    /// Asserts that there is no answer to what was published so far: the next one is that to an update of now.
    async fn no_answer(&mut self) {
        self.update(DEVICE, "probe", json!({ "probe": { "actual": { "value": "1" } } })).await;
        assert_eq!(self.answer().await.1["event_id"], "probe");
    }

    fn value(&self, property: &str) -> Option<String> {
        self.edge.twin(&thermometer(), property).map(|twin| twin.value().to_owned())
    }
}

#[tokio::test]
async fn twins_are_stored_in_one_message_and_answered_with_its_id() {
    let mut scene = Scene::new().await;
    let twins = json!({ "a": { "actual": { "value": "1" } }, "b": { "actual": { "value": "2" }, "expected": { "value": "3" } } });
    scene.update(DEVICE, "id-1", twins).await;
    let (topic, answer) = scene.answer().await;
    assert_eq!((topic, &answer["event_id"]), (result_of(DEVICE, "twin"), &json!("id-1")));
    assert!(answer["timestamp"].as_i64().unwrap() > 1 && answer["code"].is_null());
    assert_eq!(answer["twin"].as_object().unwrap().len(), 2);
    assert_eq!(answer["twin"]["b"]["actual"]["value"], "2");
    assert_eq!(answer["twin"]["b"]["expected"]["value"], "3");
    assert_eq!((scene.value("a").as_deref(), scene.value("b").as_deref()), (Some("1"), Some("2")));
    let counts = scene.edge.counts();
    assert_eq!((counts.bus_messages(), counts.stored_twins(), counts.accepted()), (1, 2, 0));
}

#[tokio::test]
async fn what_is_left_out_stays_and_what_is_empty_is_stored() {
    let mut scene = Scene::new().await;
    let desired = |scene: &Scene| scene.edge.twin(&thermometer(), "t").unwrap().observed_desired().to_owned();
    for (twin, value, expected) in [
        (json!({ "actual": { "value": "1", "metadata": { "timestamp": 7 } }, "expected": { "value": "5" } }), "1", "5"),
        (json!({ "actual": { "value": "2" } }), "2", "5"),
        (json!({ "expected": { "value": "6" }, "metadata": { "type": "float" } }), "2", "6"),
        (json!({ "actual": { "value": "" }, "expected": { "value": "" } }), "", ""),
    ] {
        scene.update(DEVICE, "id", json!({ "t": twin })).await;
        assert!(scene.answer().await.1["code"].is_null());
        assert_eq!((scene.value("t").unwrap().as_str(), desired(&scene).as_str()), (value, expected));
    }
}

#[tokio::test]
async fn there_is_no_budget_on_the_bus() {
    let mut scene = Scene::of(LocalEdge::builder().limiter(1, 0.001)).await;
    for n in 0..150 {
        scene.update(DEVICE, &n.to_string(), json!({ "t": { "actual": { "value": n.to_string() } } })).await;
        assert_eq!(scene.answer().await.1["event_id"], n.to_string());
    }
    assert_eq!(scene.value("t").as_deref(), Some("149"));
}

//= KubeEdge v1.23, devicetwin: a payload is checked before its id and its device are known
#[tokio::test]
async fn an_illegal_value_loses_its_whole_message_and_is_answered_to_nobody() {
    let mut scene = Scene::new().await;
    let mut events = scene.edge.events();
    for (property, twin) in [
        ("t", json!({ "actual": { "value": "21 °C" } })),
        ("t", json!({ "actual": { "value": "1" }, "expected": { "value": "a b" } })),
        ("t t", json!({ "actual": { "value": "1" } })),
    ] {
        scene.update(DEVICE, "id", json!({ property: twin, "good": { "actual": { "value": "1" } } })).await;
        let (topic, answer) = scene.answer().await;
        assert_eq!((topic.as_str(), &answer["event_id"], &answer["code"]), (NOBODY, &json!(""), &json!(400)));
        assert!(answer["twin"].is_null());
    }
    assert_eq!((scene.value("good"), scene.edge.counts().dropped_twins()), (None, 6));
    let dropped = events.next().await.unwrap();
    assert!(matches!(dropped, EdgeEvent::TwinDropped { reason: DropReason::IllegalValue, .. }), "{dropped:?}");
}

#[tokio::test]
async fn what_is_no_update_is_answered_to_nobody() {
    let mut scene = Scene::new().await;
    let mut events = scene.edge.events();
    for payload in ["no json", "{}", r#"{"event_id":"id","twin":null}"#, r#"{"twin":[]}"#] {
        scene.publish(DEVICE, "twin", payload).await;
        let (topic, answer) = scene.answer().await;
        assert_eq!((topic.as_str(), &answer["event_id"], &answer["code"]), (NOBODY, &json!(""), &json!(400)));
        let warning = events.next().await.unwrap();
        assert!(matches!(warning, EdgeEvent::Warning { message } if message.contains(DEVICE)));
    }
    scene.publish(DEVICE, "state", "no json").await;
    scene.no_answer().await;
}

#[tokio::test]
async fn an_unknown_device_is_answered_with_404_and_its_state_not_at_all() {
    let mut scene = Scene::new().await;
    scene.publish("default/other", "state", json!({ "state": "ok" })).await;
    scene.update("default/other", "id", json!({ "t": { "actual": { "value": "1" } } })).await;
    let (topic, answer) = scene.answer().await;
    assert_eq!((topic, &answer["event_id"]), (result_of("default/other", "twin"), &json!("id")));
    assert_eq!(answer["code"], 404);
    assert!(!answer["reason"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_type_and_a_twin_without_values_are_refused_on_their_own_topic() {
    let mut scene = Scene::new().await;
    for (twin, reason) in [
        (json!({ "actual": { "value": "1" }, "metadata": { "type": "double" } }), "the value type is not allowed"),
        (json!({}), "neither `actual` nor `expected`"),
        (json!({ "actual": {} }), "neither `actual` nor `expected`"),
    ] {
        scene.update(DEVICE, "id", json!({ "t": twin, "good": { "actual": { "value": "1" } } })).await;
        let (topic, answer) = scene.answer().await;
        assert_eq!((topic, &answer["event_id"]), (result_of(DEVICE, "twin"), &json!("id")));
        assert_eq!(answer["code"], 400);
        assert!(answer["reason"].as_str().unwrap().contains(reason), "{answer}");
    }
    assert_eq!(scene.value("good"), None);
}

//= KubeEdge v1.16.2 to v1.23: the namespace is looked for in the whole topic
#[tokio::test]
async fn a_namespace_that_edgecore_loses_is_never_answered() {
    let mut scene = Scene::new().await;
    let mut events = scene.edge.events();
    scene.update("dev/thermometer-1", "id", json!({ "t": { "actual": { "value": "a b" } } })).await;
    scene.publish("dev/thermometer-1", "twin", "no json").await;
    scene.publish("dev/thermometer-1", "state", json!({ "state": "ok" })).await;
    scene.no_answer().await;
    let dropped = events.next().await.unwrap();
    assert!(matches!(dropped, EdgeEvent::TwinDropped { reason: DropReason::LostNamespace, .. }), "{dropped:?}");
    assert_eq!(scene.edge.state(&DeviceId::new("dev", "thermometer-1")), None);
}

#[tokio::test]
async fn five_states_are_stored_and_answered_under_another_id() {
    let mut scene = Scene::new().await;
    for state in ["ok", "online", "offline", "unhealthy", "unknown"] {
        scene.publish(DEVICE, "state", json!({ "event_id": "id", "timestamp": 1, "state": state })).await;
        let (topic, answer) = scene.answer().await;
        assert_eq!(topic, result_of(DEVICE, "state"));
        assert_eq!(answer["device"], json!({ "name": "thermometer-1", "state": state }));
        assert!(answer["event_id"] != "id" && answer["event_id"] != "");
        assert_eq!(scene.edge.state(&thermometer()).as_deref(), Some(state));
    }
    scene.publish(DEVICE, "state", json!({ "event_id": "id", "timestamp": 1, "state": "disconnected" })).await;
    scene.no_answer().await;
    assert_eq!(scene.edge.state(&thermometer()).as_deref(), Some("unknown"));
}

#[tokio::test]
async fn what_is_published_while_the_edge_is_away_is_lost_without_an_answer() {
    let mut scene = Scene::new().await;
    scene.edge.stop().await;
    scene.update(DEVICE, "lost", json!({ "t": { "actual": { "value": "1" } } })).await;
    while !matches!(scene.events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {}
    scene.edge.restart().await.unwrap();
    scene.no_answer().await;
    assert_eq!(scene.value("t"), None);
}

#[tokio::test]
async fn what_waits_when_the_edge_goes_is_lost() {
    let mut scene = Scene::of(LocalEdge::builder().event_bus_takes(Duration::from_secs(3600))).await;
    scene.update(DEVICE, "lost", json!({ "t": { "actual": { "value": "1" } } })).await;
    while !matches!(scene.events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {}
    scene.edge.stop().await;
    assert_eq!((scene.value("t"), scene.edge.counts().bus_messages()), (None, 0));
}

#[tokio::test]
async fn messages_are_worked_through_one_by_one_and_a_refused_one_holds_them_up() {
    let each = Duration::from_millis(20);
    let mut scene = Scene::of(LocalEdge::builder().event_bus_takes(each)).await;
    let start = Instant::now();
    for n in 0..5 {
        scene.update(DEVICE, &n.to_string(), json!({ "t": { "actual": { "value": "1" } } })).await;
    }
    for n in 0..5 {
        assert_eq!(scene.answer().await.1["event_id"], n.to_string());
    }
    assert!(start.elapsed() >= 5 * each);
    let begun = Instant::now();
    scene.update("default/other", "refused", json!({ "t": { "actual": { "value": "1" } } })).await;
    scene.update(DEVICE, "behind", json!({ "t": { "actual": { "value": "1" } } })).await;
    assert_eq!(scene.answer().await.1["event_id"], "refused");
    assert_eq!(scene.answer().await.1["event_id"], "behind");
    assert!(begun.elapsed() >= 2 * each + Duration::from_millis(200), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn reports_by_dmi_are_answered_twin_by_twin() {
    let mut scene = Scene::new().await;
    let mut dmi = connect(scene.edge.socket()).await;
    let mut two = report("thermometer-1", "a", "1");
    let second = report("thermometer-1", "b", "21 °C").reported_device.unwrap().twins;
    let third = report("thermometer-1", "c", "3").reported_device.unwrap().twins;
    two.reported_device.as_mut().unwrap().twins.extend(second.into_iter().chain(third));
    dmi.report_device_status(two).await.unwrap();
    let mut ids = Vec::new();
    for (wanted, property) in
        [(result_of(DEVICE, "twin"), "a"), (NOBODY.to_owned(), ""), (result_of(DEVICE, "twin"), "c")]
    {
        let (topic, answer) = scene.answer().await;
        assert_eq!(topic, wanted);
        if property.is_empty() {
            assert_eq!((&answer["event_id"], &answer["code"]), (&json!(""), &json!(400)));
        } else {
            assert_eq!(answer["twin"].as_object().unwrap().keys().collect::<Vec<_>>(), [property]);
            ids.push(answer["event_id"].clone());
        }
    }
    assert_ne!(ids[0], ids[1]);

    dmi.report_device_status(report("other", "a", "1")).await.unwrap();
    assert_eq!(scene.answer().await.1["code"], 404);
    let state = ReportDeviceStatesRequest {
        device_name: "thermometer-1".to_owned(),
        device_namespace: "default".to_owned(),
        state: "online".to_owned(),
    };
    dmi.report_device_states(state).await.unwrap();
    assert_eq!(scene.answer().await.1["device"]["state"], "online");
    assert_eq!(scene.edge.counts().bus_messages(), 0);
}

#[tokio::test]
async fn the_broker_outlives_runs_and_starts_again_at_the_same_address() {
    let mut scene = Scene::new().await;
    let address = scene.edge.event_bus().unwrap().to_owned();
    scene.edge.stop_broker().await;
    while scene.events.poll().await.is_ok() {}
    scene.edge.start_broker().await.unwrap();
    assert_eq!(scene.edge.event_bus(), Some(address.as_str()));
    (scene.client, scene.events) = Scene::client(&scene.edge).await;
    scene.no_answer().await;
    scene.edge.restart().await.unwrap();
    scene.no_answer().await;
}

#[tokio::test]
async fn an_edgecore_without_namespaces_on_the_bus_answers_nothing() {
    let scene = Scene::of(LocalEdge::builder().without_namespaces_on_the_event_bus()).await;
    let mut scene = scene;
    scene.update(DEVICE, "id", json!({ "t": { "actual": { "value": "1" } } })).await;
    let mut dmi = connect(scene.edge.socket()).await;
    dmi.report_device_status(report("thermometer-1", "t", "2")).await.unwrap();
    let marker = result_of("marker", "twin");
    scene.client.publish(&marker, QoS::AtLeastOnce, false, "{}").await.unwrap();
    assert_eq!(scene.answer().await.0, marker);
    assert_eq!((scene.value("t").as_deref(), scene.edge.counts().bus_messages()), (Some("2"), 0));
}

#[tokio::test]
async fn by_default_there_is_no_bus() {
    let folder = tempfile::tempdir().unwrap();
    let edge = LocalEdge::builder().start(folder.path()).await.unwrap();
    assert_eq!(edge.event_bus(), None);
    edge.stop_broker().await;
    edge.start_broker().await.unwrap();
}
