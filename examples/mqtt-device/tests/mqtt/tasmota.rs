//! Devices with the firmware Tasmota, played by paho-mqtt.

use integration_tests::servers::Mosquitto;
use mapper_framework::testing::driver_contract;
use mqtt_device::MqttDevices;
use serde_json::json;

use crate::{
    Outcome,
    bed::{Bed, Version, folder, id, manifests},
    peers::{Played, Publisher},
};

const MANIFESTS: &str = include_str!("../../devices/tasmota.yaml");
const TOPIC: &str = "tasmota_5F3A21";

by_each_version! {
    the_driver_keeps_the_contract,
    a_socket_shows_its_values_is_switched_and_goes_and_comes_by_its_last_will,
}

async fn the_driver_keeps_the_contract(version: Version) -> Outcome {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let Some(_socket) = Played::start(&broker, "tasmota", TOPIC).await else { return Ok(()) };
    let (_folder, path) = folder(&version.in_manifests(MANIFESTS), &broker);
    driver_contract::check(MqttDevices::default(), path).await;
    Ok(())
}

async fn a_socket_shows_its_values_is_switched_and_goes_and_comes_by_its_last_will(version: Version) -> Outcome {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let Some(mut socket) = Played::start(&broker, "tasmota", TOPIC).await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    let bed = Bed::start().await;
    bed.apply(&manifests(&version.in_manifests(MANIFESTS), &broker)).await;
    bed.holds("socket", "power", "false").await;
    bed.holds("socket", "load", "42").await;
    bed.holds("socket", "energy", "12.345").await;
    bed.holds("socket", "signal", "-61").await;
    bed.is("socket", "online").await;
    bed.bed.edge().set_desired(&id("socket"), "power", "true").await.unwrap();
    socket.gets(&format!("cmnd/{TOPIC}/POWER ON")).await;
    bed.holds("socket", "power", "true").await;
    // Somebody presses the button, and it publishes what it does then.
    publisher.have_published(&socket, &format!("stat/{TOPIC}/RESULT"), r#"{"POWER":"OFF"}"#).await;
    bed.holds("socket", "power", "false").await;
    socket.process.kill().await;
    bed.reason("socket", &format!("the device is away: tele/{TOPIC}/LWT says so")).await;
    bed.is("socket", "offline").await;
    let error = bed.bed.handle().write(&id("socket"), "power", "true").await.unwrap_err().to_string();
    assert!(error.contains("the device is away"), "{error}");
    let Some(_socket) = Played::start(&broker, "tasmota", TOPIC).await else { return Ok(()) };
    bed.is("socket", "online").await;
    bed.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_command_that_is_not_confirmed_is_no_success() {
    let Some(broker) = Mosquitto::start().await else { return };
    let Some(mut socket) = Played::start(&broker, "tasmota", TOPIC).await else { return };
    let mut publisher = Publisher::connect(&broker);
    let bed = Bed::start().await;
    bed.apply(&manifests(MANIFESTS, &broker).replace("format: tasmota", "format: tasmota\n      timeout: 4000")).await;
    bed.holds("socket", "power", "false").await;
    publisher.play(&socket, json!({"deaf": true})).await;
    let error = bed.bed.handle().write(&id("socket"), "power", "true").await.unwrap_err().to_string();
    let expected = format!(
        "the device has not confirmed \"ON\" on cmnd/{TOPIC}/POWER within 4s: nothing has come since, and the last value is false on tele/{TOPIC}/SENSOR"
    );
    assert!(error.contains(&expected), "{error}");
    socket.gets(&format!("cmnd/{TOPIC}/POWER ON")).await;
    // A slow one is confirmed when it answers.
    publisher.play(&socket, json!({"deaf": false, "slow": 0.2})).await;
    bed.bed.handle().write(&id("socket"), "power", "true").await.unwrap();
    bed.holds("socket", "power", "true").await;
    bed.stop().await;
}
