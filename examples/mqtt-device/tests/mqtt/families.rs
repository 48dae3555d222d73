//! Devices behind `Zigbee2MQTT`, Shelly devices, and one of plain JSON that is written to.

use integration_tests::servers::Mosquitto;
use mapper_framework::{DataType, DriverError, Session, Value, testing::driver_contract};
use mqtt_device::MqttDevices;
use serde_json::json;

use crate::{
    Outcome,
    bed::{Bed, Version, connect, folder, id, manifests, next, property},
    peers::{Played, Publisher},
};

const ZIGBEE: (&str, &str, &str) = (include_str!("../../devices/zigbee2mqtt.yaml"), "zigbee2mqtt", "living-room-lamp");
const SHELLY: (&str, &str, &str) = (include_str!("../../devices/shelly.yaml"), "shelly", "shellyplusplugs-08b61f");
const FIRST: (&str, &str, &str) = (include_str!("../../devices/shelly-gen1.yaml"), "shelly1", "shellyplug-s-4A5B6C");
const JSON: (&str, &str, &str) = (include_str!("../../devices/json.yaml"), "tank", "tank");

#[tokio::test]
async fn the_driver_keeps_the_contract_with_each_family() {
    let Some(broker) = Mosquitto::start().await else { return };
    for (text, family, name) in [ZIGBEE, SHELLY, FIRST, JSON] {
        let Some(_device) = Played::start(&broker, family, name).await else { return };
        let (_folder, path) = folder(text, &broker);
        driver_contract::check(MqttDevices::default(), path).await;
    }
}

#[tokio::test]
async fn a_lamp_behind_zigbee2mqtt_goes_with_its_bridge_and_by_itself() {
    let (text, family, name) = ZIGBEE;
    let Some(broker) = Mosquitto::start().await else { return };
    let Some(mut lamp) = Played::start(&broker, family, name).await else { return };
    let mut publisher = Publisher::connect(&broker);
    let bed = Bed::start().await;
    bed.apply(&manifests(text, &broker)).await;
    bed.holds("lamp", "brightness", "100").await;
    bed.holds("lamp", "x", "0.3").await;
    bed.bed.edge().set_desired(&id("lamp"), "state", "true").await.unwrap();
    bed.bed.edge().set_desired(&id("lamp"), "x", "0.25").await.unwrap();
    lamp.gets(&format!(r#"zigbee2mqtt/{name}/set {{"state":"ON"}}"#)).await;
    lamp.gets(&format!(r#"zigbee2mqtt/{name}/set {{"color":{{"x":0.25}}}}"#)).await;
    bed.holds("lamp", "state", "true").await;
    bed.holds("lamp", "x", "0.25").await;
    publisher.retain(&format!("zigbee2mqtt/{name}/availability"), r#"{"state":"offline"}"#).await;
    bed.reason("lamp", &format!("the device is away: zigbee2mqtt/{name}/availability says so")).await;
    publisher.retain(&format!("zigbee2mqtt/{name}/availability"), r#"{"state":"online"}"#).await;
    bed.is("lamp", "online").await;
    lamp.process.kill().await;
    bed.reason("lamp", "the device is away: zigbee2mqtt/bridge/state says so").await;
    bed.stop().await;
}

#[tokio::test]
async fn plugs_of_shelly_are_switched_and_go_by_their_last_will() {
    let Some(broker) = Mosquitto::start().await else { return };
    let bed = Bed::start().await;
    for ((text, family, name), device, load, command) in [
        (FIRST, "old-plug", "12.34", "shellies/shellyplug-s-4A5B6C/relay/0/command on".to_owned()),
        (
            SHELLY,
            "plug",
            "8.9",
            r#"shellyplusplugs-08b61f/rpc {"id":2,"method":"Switch.Set","src":"mqtt-mapper/shellyplusplugs-08b61f","params":{"id":0,"on":true}}"#
                .to_owned(),
        ),
    ] {
        let Some(mut plug) = Played::start(&broker, family, name).await else { return };
        bed.apply(&manifests(text, &broker)).await;
        bed.holds(device, "output", "false").await;
        bed.holds(device, "load", load).await;
        bed.bed.edge().set_desired(&id(device), "output", "true").await.unwrap();
        plug.gets(&command).await;
        bed.holds(device, "output", "true").await;
        // It publishes nothing when it is switched on once more, and is asked.
        bed.bed.handle().write(&id(device), "output", "true").await.unwrap();
        bed.is(device, "online").await;
        plug.process.kill().await;
        bed.reason(device, "the device is away: ").await;
        bed.is(device, "offline").await;
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_command_that_a_device_does_not_take_fails_with_its_words() -> Result<(), DriverError> {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let driver = MqttDevices::default();
    for (family, config, visitor, words) in [
        ("shelly", json!({}), json!({"topic": "light:0", "pointer": "/brightness"}), "No handler for Light.Set"),
        ("tasmota", json!({}), json!({"pointer": "/Shutter"}), "\"Unknown\""),
    ] {
        let Some(_device) = Played::start(&broker, family, family).await else { return Ok(()) };
        let mut config = config;
        config["format"] = family.into();
        config["device"] = family.into();
        let mut session = connect(&driver, &broker, config).await?;
        let property = property("value", DataType::Int, visitor);
        let error = session.write(&property, &Value::Int(50)).await.unwrap_err().to_string();
        assert_eq!(error, format!("the device does not take the command: {words}"));
    }
    Ok(())
}

by_each_version! {
    what_is_written_is_confirmed_as_the_manifest_wants_it,
}

async fn what_is_written_is_confirmed_as_the_manifest_wants_it(version: Version) -> Outcome {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let (mut publisher, watcher) = (Publisher::connect(&broker), broker.subscribe(1).await);
    let config = json!({"version": version.number(), "timeout": 5000, "topic": "heater"});
    let mut session = connect(&MqttDevices::default(), &broker, config).await?;
    let setpoint = |confirm: &str| {
        let visitor = json!({"pointer": "/set", "command": "heater/set", "payload": "t={value}", "confirm": confirm});
        property(confirm, DataType::Double, visitor)
    };
    session.write(&setpoint("broker"), &Value::Double(21.3)).await?;
    watcher.wait_for(1, |message| message.topic == "heater/set" && message.payload == b"t=21.3").await;
    // It rounds, which is an answer, and not the value.
    let rounds = async {
        watcher.wait_for(2, |message| message.topic == "heater/set").await;
        publisher.publish("heater", r#"{"set":21.5}"#).await;
        Ok::<_, DriverError>(())
    };
    let answer = setpoint("answer");
    let (written, rounded) = tokio::join!(session.write(&answer, &Value::Double(21.3)), rounds);
    written.and(rounded)?;
    // The value from before the command shows nothing, unless `maxAge` says how long it holds.
    let error = session.write(&setpoint("value"), &Value::Double(21.5)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the device has not confirmed 21.5 on heater/set within 5s: nothing has come since, and the last value is 21.5 on heater"
    );
    assert!(error.is_retryable());
    let visitor = json!({"pointer": "/set", "command": "heater/set", "maxAge": 60_000});
    session.write(&property("limited", DataType::Double, visitor), &Value::Double(21.5)).await?;
    Ok(())
}

#[tokio::test]
async fn a_tank_of_plain_json_is_served_by_its_manifest() {
    let Some(broker) = Mosquitto::start().await else { return };
    let Some(device) = Played::start(&broker, "json", "tank").await else { return };
    let mut publisher = Publisher::connect(&broker);
    let bed = Bed::start().await;
    bed.apply(&manifests(JSON.0, &broker)).await;
    bed.reason("tank", "nothing has come on its availability topic plant/north/tank/status").await;
    publisher.retain("plant/north/tank/status", "online").await;
    bed.is("tank", "unknown").await;
    publisher.have_published(&device, "plant/north/tank", r#"{"level":1.25,"pump":"running"}"#).await;
    publisher.have_published(&device, "plant/north/tank/log", "12:00 ALARM HIGH").await;
    bed.holds("tank", "level", "1.25").await;
    bed.holds("tank", "pump", "true").await;
    bed.holds("tank", "alarm", "HIGH").await;
    bed.is("tank", "online").await;
    bed.stop().await;
}

#[tokio::test]
async fn a_property_that_comes_later_has_what_has_come_before() -> Result<(), DriverError> {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    let mut session = connect(&MqttDevices::default(), &broker, json!({"topic": "tank"})).await?;
    let of = |name: &str| property(name, DataType::Int, json!({"pointer": format!("/{name}")}));
    session.subscribe(&[of("a")]).await?;
    publisher.publish("tank", r#"{"a":1,"b":2}"#).await;
    assert_eq!(next(&mut session).await.property(), "a");
    session.subscribe(&[of("a"), of("b")]).await?;
    let change = next(&mut session).await;
    assert_eq!((change.property(), change.result().is_ok()), ("b", true));
    session.subscribe(&[]).await?;
    assert!(session.subscribe(&[of("a")]).await?.contains("a"));
    publisher.publish("tank", r#"{"a":3}"#).await;
    assert_eq!(session.read(&of("a")).await?.get_value(), &Value::Int(3));
    Ok(())
}
