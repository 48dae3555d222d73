//! The responder itself: it answers what edgecore was seen to answer.

use integration_tests::servers::{EventBusOptions, MosquittoOptions};
use serde_json::json;

use crate::{asking::Asking, rig};

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
