//! An edge node that speaks Sparkplug B, played by paho-mqtt and protobuf.

use integration_tests::servers::Mosquitto;
use mapper_framework::{Change, DataType, DriverError, Session, Value, model::Quality, testing::driver_contract};
use mqtt_device::MqttDevices;
use serde_json::json;

use crate::{
    Outcome,
    bed::{Bed, Version, connect, first, folder, id, manifests, property},
    peers::{Played, Publisher},
};

const MANIFESTS: &str = include_str!("../../devices/sparkplug.yaml");

async fn edge_node(broker: &Mosquitto) -> Option<Played> {
    Played::start_edge_node(broker, "plant", "hall-1", "pump-1").await
}

fn config() -> serde_json::Value {
    json!({"format": "sparkplug", "group": "plant", "node": "hall-1", "device": "pump-1", "timeout": 10_000})
}

#[tokio::test]
async fn the_driver_keeps_the_contract() {
    let Some(broker) = Mosquitto::start().await else { return };
    let Some(_node) = edge_node(&broker).await else { return };
    let (_folder, path) = folder(MANIFESTS, &broker);
    driver_contract::check(MqttDevices::default(), path).await;
}

#[tokio::test]
async fn metrics_of_each_type_come_by_birth_and_by_alias_and_are_written() -> Result<(), DriverError> {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let Some(mut node) = edge_node(&broker).await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    let mut pump = connect(&MqttDevices::default(), &broker, config()).await?;
    let of = |metric: &str, data_type| property(metric, data_type, json!({"metric": metric}));
    for (metric, data_type, value) in [
        ("level", DataType::Double, Value::Double(1.5)),
        ("Inputs/temperature", DataType::Int, Value::Int(-5)),
        ("count", DataType::Int, Value::Int(4_000_000_000)),
        ("ratio", DataType::Double, Value::Double(0.1)),
        ("running", DataType::Boolean, Value::Boolean(false)),
        ("name", DataType::String, Value::from("north")),
    ] {
        let reading = pump.read(&of(metric, data_type)).await?;
        assert_eq!((reading.get_value(), reading.get_quality()), (&value, Quality::Good), "{metric}");
    }
    let error = pump.read(&of("depth", DataType::Int)).await.unwrap_err().to_string();
    let known = "Inputs/temperature, count, level, name, ratio, running";
    assert_eq!(error, format!("the birth of plant/hall-1/pump-1 has no metric \"depth\", but {known}"));
    let level = of("level", DataType::Double);
    pump.subscribe(std::slice::from_ref(&level)).await?;
    publisher.play(&node, json!({"set": ["level", 2.5]})).await;
    let is_new = |change: &Change| change.result().is_ok_and(|reading| reading.get_value() == &Value::Double(2.5));
    first(&mut pump, is_new).await;
    pump.write(&of("Inputs/temperature", DataType::Int), &Value::Int(-7)).await?;
    node.gets("Inputs/temperature 4294967289").await;
    let mapped = property("mapped", DataType::String, json!({"metric": "count", "map": "1=heat, 2=cool"}));
    pump.write(&mapped, &Value::from("cool")).await?;
    node.gets("count 2").await;
    pump.write(&of("running", DataType::Boolean), &Value::Boolean(true)).await?;
    let error = pump.write(&of("Inputs/temperature", DataType::Int), &Value::Int(70_000)).await.unwrap_err();
    assert!(error.to_string().contains("does not take 70000") && !error.is_retryable(), "{error}");
    // Of a payload that is something else nothing is believed, and the births say what it has not.
    node.process.forget_lines();
    publisher.publish("spBv1.0/plant/DDATA/hall-1/pump-1", "garbage").await;
    let change = first(&mut pump, |change| change.result().is_err()).await;
    assert!(change.result().unwrap_err().to_string().contains("the payload is not Sparkplug's"));
    first(&mut pump, is_new).await;
    node.gets("Node Control/Rebirth True").await;
    Ok(())
}

#[tokio::test]
async fn a_gap_has_the_births_asked_for() {
    let Some(broker) = Mosquitto::start().await else { return };
    let Some(mut node) = edge_node(&broker).await else { return };
    let mut publisher = Publisher::connect(&broker);
    let bed = Bed::start().await;
    bed.apply(&manifests(MANIFESTS, &broker)).await;
    node.gets("Node Control/Rebirth True").await;
    bed.holds("pump", "level", "1.5").await;
    // One message is lost, and the next one shows it.
    publisher.play(&node, json!({"skip": 1, "set": ["level", 2.5]})).await;
    publisher.play(&node, json!({"set": ["running", true]})).await;
    node.gets("Node Control/Rebirth True").await;
    bed.holds("pump", "level", "2.5").await;
    bed.holds("pump", "running", "true").await;
    let stats = bed.bed.handle().device_stats(&id("pump")).unwrap();
    assert_eq!(stats.sessions().lost(), 0, "it is one session");
    bed.stop().await;
}

by_each_version! {
    devices_and_edge_nodes_die_and_are_born_again,
}

async fn devices_and_edge_nodes_die_and_are_born_again(version: Version) -> Outcome {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let Some(mut node) = edge_node(&broker).await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    let bed = Bed::start().await;
    bed.apply(&manifests(&version.in_manifests(MANIFESTS), &broker)).await;
    bed.holds("pump", "level", "1.5").await;
    bed.is("pump", "online").await;
    // The death of an earlier connection, which the broker publishes late.
    publisher.play(&node, json!({"stale": true})).await;
    publisher.play(&node, json!({"set": ["level", 2.5]})).await;
    bed.holds("pump", "level", "2.5").await;
    publisher.play(&node, json!({"death": true})).await;
    bed.reason("pump", "plant/hall-1/pump-1 is away: its edge node is there, and has no birth of it").await;
    bed.is("pump", "offline").await;
    publisher.play(&node, json!({"death": false})).await;
    bed.is("pump", "online").await;
    node.process.kill().await;
    bed.reason("pump", "plant/hall-1/pump-1 is away: its edge node has published no birth").await;
    bed.is("pump", "offline").await;
    let Some(_node) = edge_node(&broker).await else { return Ok(()) };
    bed.is("pump", "online").await;
    bed.holds("pump", "level", "1.5").await;
    bed.stop().await;
    Ok(())
}
