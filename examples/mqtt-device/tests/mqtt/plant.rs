//! What a plant does to a broker and to those who listen there.

use std::fmt::Write;

use integration_tests::servers::{Mosquitto, MosquittoOptions};
use mapper_framework::{DataType, DriverError, Session, Value, testing::DEADLINE};
use mqtt_device::MqttDevices;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    Outcome,
    bed::{Bed, Version, connect, first, id, manifests, next, plain, property, url},
    peers::{Played, Publisher},
};

const TASMOTA: &str = include_str!("../../devices/tasmota.yaml");

/// How many devices there are in a hall.
const CROWD: usize = 500;

/// What is reported of a message of 17 MiB.
const TOO_LARGE: &str = "a message of 17825792 bytes has come, and 16777216 are the most: let its sender publish less, or use another topic";

/// The manifests of the devices that `crowd.py` plays.
fn crowd(broker: &Mosquitto) -> String {
    let broker = json!(url(broker));
    let mut yaml = "
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: crowd, namespace: default}
spec:
  protocol: mqtt
  properties: [{name: number, type: INT, accessMode: ReadOnly}]
"
    .to_owned();
    for number in 0..CROWD {
        write!(
            yaml,
            "---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {{name: dev-{number}, namespace: default}}
spec:
  deviceModelRef: {{name: crowd}}
  protocol:
    protocolName: mqtt
    configData: {{broker: {broker}, topic: 'crowd/{{device}}', availability: 'crowd/{{device}}/status', timeout: 8000}}
  properties: [{{name: number, reportToCloud: true, visitors: {{protocolName: mqtt, configData: {{}}}}}}]
  stateReport: {{reportToCloud: true, reportCycle: 1000}}
"
        )
        .unwrap();
    }
    yaml
}

/// Waits until all of them are in this state.
async fn all_are(bed: &Bed, state: &str) {
    let devices: Vec<_> = (0..CROWD).map(|number| id(&format!("dev-{number}"))).collect();
    let all = |edge: &mapper_framework::local_edge::EdgeState| devices.iter().all(|it| edge.state(it) == Some(state));
    bed.bed.until(&format!("all are {state}"), all).await;
}

by_each_version! {
    a_megabyte_of_json_is_read_and_what_is_too_large_is_passed_over,
    a_kept_message_that_is_too_large_costs_its_property_only,
    a_broker_that_has_forgotten_what_it_kept_has_its_devices_again_when_they_are_back,
}

#[tokio::test]
async fn five_hundred_devices_go_at_once_by_their_last_wills_and_come_back() {
    let Some(broker) = Mosquitto::start().await else { return };
    let Some(mut devices) = Played::start_crowd(&broker, CROWD).await else { return };
    let bed = Bed::start().await;
    bed.apply(&crowd(&broker)).await;
    all_are(&bed, "online").await;
    bed.holds("dev-7", "number", "7").await;
    bed.apply(&plain("tank", &broker, "")).await;
    bed.is("tank", "unknown").await;
    let mut publisher = Publisher::connect(&broker);
    devices.process.kill().await;
    // The one that is not among them goes on.
    publisher.publish("plant/tank", r#"{"level":1.5}"#).await;
    bed.holds("tank", "level", "1.5").await;
    all_are(&bed, "offline").await;
    bed.reason("dev-499", "the device is away: crowd/dev-499/status says so").await;
    let Some(_devices) = Played::start_crowd(&broker, CROWD).await else { return };
    all_are(&bed, "online").await;
    publisher.publish("plant/tank", r#"{"level":2.5}"#).await;
    bed.holds("tank", "level", "2.5").await;
    let stats = bed.bed.handle().device_stats(&id("tank")).unwrap();
    assert_eq!(stats.sessions().lost(), 0, "it is one session");
    bed.stop().await;
}

async fn a_megabyte_of_json_is_read_and_what_is_too_large_is_passed_over(version: Version) -> Outcome {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    let config = json!({"topic": "press", "version": version.number()});
    let mut session = connect(&MqttDevices::default(), &broker, config).await?;
    let properties: Vec<_> = (0..100)
        .map(|number| property(&format!("p{number}"), DataType::Int, json!({"pointer": format!("/values/{number}")})))
        .collect();
    session.subscribe(&properties).await?;
    let filler = "x".repeat(1 << 20);
    for round in 0..20 {
        let payload = json!({"curve": filler, "values": (round..round + 100).collect::<Vec<_>>()}).to_string();
        publisher.publish("press", &payload).await;
    }
    first(&mut session, |change| {
        change.property() == "p99" && change.result().is_ok_and(|it| it.get_value() == &Value::Int(118))
    })
    .await;
    // What is wrong with it is said in a line.
    publisher.publish("press", &format!("{filler}{{")).await;
    let error = first(&mut session, |change| change.result().is_err()).await.result().unwrap_err().to_string();
    assert!(error.starts_with("press: the payload is no JSON: \"xxx") && error.len() < 200, "{error}");
    // By MQTT 5 the broker keeps it to itself. The session goes on in any case.
    publisher.publish("press", &"x".repeat(17 << 20)).await;
    publisher.publish("press", &json!({"values": (500..600).collect::<Vec<_>>()}).to_string()).await;
    let (mut failures, mut is_over) = (Vec::new(), false);
    while !is_over {
        for change in timeout(DEADLINE, session.changed()).await.expect("a change comes")? {
            match change.result() {
                Ok(reading) => is_over |= reading.get_value() == &Value::Int(599),
                Err(error) => failures.push(error.to_string()),
            }
        }
    }
    let reason = format!("press: {TOO_LARGE}");
    assert!(failures.iter().all(|it| *it == reason), "{failures:?}");
    assert_eq!(failures.len(), if version == Version::V3 { 100 } else { 0 });
    Ok(())
}

async fn a_kept_message_that_is_too_large_costs_its_property_only(version: Version) -> Outcome {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    publisher.retain("plant/tank", &"x".repeat(17 << 20)).await;
    let bed = Bed::start().await;
    bed.apply(&plain("tank", &broker, version.key())).await;
    bed.apply(&plain("well", &broker, version.key())).await;
    bed.is("well", "unknown").await;
    publisher.publish("plant/well", r#"{"level":1.5}"#).await;
    bed.holds("well", "level", "1.5").await;
    if version == Version::V3 {
        bed.fails("tank", "level", &format!("plant/tank: {TOO_LARGE}")).await;
        bed.is("tank", "unhealthy").await;
    } else {
        bed.is("tank", "unknown").await;
        let error = bed.bed.handle().read(&id("tank"), "level").await.unwrap_err().to_string();
        assert!(error.ends_with("read it? A message of more than 16 MiB does not come"), "{error}");
    }
    publisher.retain("plant/tank", r#"{"level":2.5}"#).await;
    bed.holds("tank", "level", "2.5").await;
    bed.is("tank", "online").await;
    for device in ["tank", "well"] {
        let stats = bed.bed.handle().device_stats(&id(device)).unwrap();
        assert_eq!(stats.sessions().lost(), 0, "{device} has one session");
    }
    bed.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_payload_that_is_no_text_fails_the_properties_that_need_text_only() -> Result<(), DriverError> {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    let driver = MqttDevices::default();
    let mut session = connect(&driver, &broker, json!({"topic": "press", "availability": "press/status"})).await;
    assert!(session.is_err());
    publisher.retain("press/status", "online").await;
    session = connect(&driver, &broker, json!({"topic": "press", "availability": "press/status"})).await;
    let mut session = session?;
    let bytes = property("bytes", DataType::Bytes, json!({}));
    let text = property("text", DataType::String, json!({}));
    let number = property("number", DataType::Double, json!({"pointer": "/level"}));
    session.subscribe(&[bytes.clone(), text.clone(), number.clone()]).await?;
    publisher.publish_bytes("press", b"\xff\xfe{\"level\":1}").await;
    assert_eq!(session.read(&bytes).await?.get_value(), &Value::from(b"\xff\xfe{\"level\":1}".to_vec()));
    let error = session.read(&text).await.unwrap_err().to_string();
    assert_eq!(error, "press: the payload is no text");
    let error = session.read(&number).await.unwrap_err().to_string();
    assert!(error.starts_with("press: the payload is no JSON: \"\u{fffd}\u{fffd}{"), "{error}");
    publisher.publish("press", r#"{"level":2}"#).await;
    first(&mut session, |change| change.property() == "number" && change.result().is_ok()).await;
    assert_eq!(session.read(&text).await?.get_value(), &Value::from(r#"{"level":2}"#));
    // Neither is it a word for being there.
    publisher.publish_bytes("press/status", b"\xff").await;
    let error = timeout(DEADLINE, session.changed()).await.expect("the session ends").unwrap_err().to_string();
    assert!(error.contains("press/status says \"\u{fffd}\", which is neither online nor offline"), "{error}");
    Ok(())
}

#[tokio::test]
async fn two_devices_with_the_same_topic_each_have_its_values() -> Result<(), DriverError> {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    let driver = MqttDevices::default();
    let mut one = connect(&driver, &broker, json!({"topic": "scale"})).await?;
    let mut other = connect(&driver, &broker, json!({"topic": "scale"})).await?;
    let weight = property("weight", DataType::Int, json!({"command": "scale/set", "confirm": "answer"}));
    one.subscribe(std::slice::from_ref(&weight)).await?;
    publisher.retain("scale", "7").await;
    assert_eq!(next(&mut one).await.result().map_err(Clone::clone)?.get_value(), &Value::Int(7));
    // What the broker has kept comes for the second one, and the first one does not take it for news.
    other.subscribe(std::slice::from_ref(&weight)).await?;
    assert_eq!(next(&mut other).await.result().map_err(Clone::clone)?.get_value(), &Value::Int(7));
    publisher.publish("scale", "8").await;
    for session in [&mut one, &mut other] {
        assert_eq!(next(session).await.result().map_err(Clone::clone)?.get_value(), &Value::Int(8));
    }
    // Neither is confirmed by what came before its command.
    let watcher = broker.subscribe(1).await;
    let answers = async {
        watcher.wait_for(2, |message| message.topic == "scale/set").await;
        publisher.publish("scale", "9").await;
        Ok::<_, DriverError>(())
    };
    let (nine, ten) = (Value::Int(9), Value::Int(10));
    let (first, second, answered) = tokio::join!(one.write(&weight, &nine), other.write(&weight, &ten), answers);
    first.and(second).and(answered)?;
    // One of them goes, and the topic stays the other one's.
    drop(one);
    publisher.publish("scale", "11").await;
    first_of(&mut other, 11).await;
    Ok(())
}

#[tokio::test]
async fn a_kept_message_that_ends_connections_costs_its_device_only() {
    let Some(broker) = Mosquitto::start().await else { return };
    let mut publisher = Publisher::connect(&broker);
    publisher.retain("plant/tank", &"x".repeat(70 << 20)).await;
    let bed = Bed::start().await;
    bed.apply(&plain("tank", &broker, "")).await;
    bed.apply(&plain("well", &broker, "")).await;
    let reason = "bytes has come on plant/tank, and 67108864 are the most: let its sender publish less";
    bed.reason("tank", reason).await;
    bed.is("well", "unknown").await;
    let lost = || bed.bed.handle().device_stats(&id("well")).unwrap().sessions().lost();
    let before = lost();
    assert!(before <= 1, "it has been alone since the first time");
    for level in ["1.5", "2.5"] {
        publisher.publish("plant/well", &format!(r#"{{"level":{level}}}"#)).await;
        bed.holds("well", "level", level).await;
    }
    // The tank tries again, and has a value as soon as there is another one.
    publisher.retain("plant/tank", r#"{"level":3.5}"#).await;
    bed.holds("tank", "level", "3.5").await;
    bed.is("tank", "online").await;
    assert_eq!(lost(), before);
    bed.stop().await;
}

/// Waits until the weight is this one.
async fn first_of(session: &mut mqtt_device::MqttDevice, weight: i64) {
    first(session, |change| change.result().is_ok_and(|it| it.get_value() == &Value::Int(weight))).await;
}

async fn a_broker_that_has_forgotten_what_it_kept_has_its_devices_again_when_they_are_back(
    version: Version,
) -> Outcome {
    let options = MosquittoOptions { settings: "persistence false", ..MosquittoOptions::default() };
    let Some(mut broker) = Mosquitto::start_with(options).await else { return Ok(()) };
    let Some(socket) = Played::start(&broker, "tasmota", "tasmota_5F3A21").await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    publisher.retain("plant/tank", r#"{"level":1.5}"#).await;
    publisher.retain("plant/tank/status", "online").await;
    let bed = Bed::start().await;
    bed.apply(&version.in_manifests(&manifests(TASMOTA, &broker))).await;
    let config = format!("{}availability: plant/tank/status, timeout: 3000", version.key());
    bed.apply(&plain("tank", &broker, &config)).await;
    bed.holds("socket", "load", "42").await;
    bed.holds("tank", "level", "1.5").await;
    socket.process.freeze().await;
    broker.stop().await;
    bed.is("socket", "offline").await;
    bed.is("tank", "offline").await;
    broker.restart().await;
    // Nobody has said anything yet, and what was kept is gone.
    bed.reason("socket", "nothing has come on its availability topic tele/tasmota_5F3A21/LWT").await;
    bed.reason("tank", "nothing has come on its availability topic plant/tank/status").await;
    // The socket connects again by itself, as devices do, and what it says is all that is needed.
    socket.process.thaw().await;
    bed.is("socket", "online").await;
    bed.holds("socket", "load", "42").await;
    let mut publisher = Publisher::connect(&broker);
    publisher.retain("plant/tank", r#"{"level":2.5}"#).await;
    publisher.retain("plant/tank/status", "online").await;
    bed.holds("tank", "level", "2.5").await;
    bed.is("tank", "online").await;
    bed.stop().await;
    Ok(())
}
