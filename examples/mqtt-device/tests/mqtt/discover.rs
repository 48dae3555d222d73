//! The search for devices, by the program itself.

use std::{path::Path, process::Stdio, time::Duration};

use integration_tests::servers::Mosquitto;
use serde_json::json;
use tokio::{process::Command, time::timeout};

use crate::{
    bed::{Bed, url},
    peers::{Played, Publisher},
};

/// What a run of the program prints.
async fn run(arguments: &[&str], folder: Option<&Path>) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-device"));
    command.args(arguments).args(folder).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAPPER_")) {
        command.env_remove(name);
    }
    let output = timeout(Duration::from_secs(60), command.output()).await.expect("it ends").unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn devices_of_each_family_are_recognized_and_their_manifests_are_right() {
    let Some(broker) = Mosquitto::start().await else { return };
    let mut played = Vec::new();
    for (family, name) in
        [("tasmota", "socket"), ("zigbee2mqtt", "lamp"), ("shelly1", "old-plug"), ("shelly", "shellyplug-1")]
    {
        let Some(device) = Played::start(&broker, family, name).await else { return };
        played.push(device);
    }
    let Some(node) = Played::start_edge_node(&broker, "plant", "hall", "pump").await else { return };
    let mut publisher = Publisher::connect(&broker);
    publisher.retain("house/tank", r#"{"level":1.5,"pump":{"on":true},"list":[1]}"#).await;
    publisher.retain("house/weather/temperature", "21.5").await;
    publisher.retain("house/weather/rain", "off").await;
    let broker_argument = format!("broker={}", url(&broker));
    // The user has enough before it is over, which costs nothing that was found.
    let arguments = ["discover", &broker_argument, "seconds=600", "--run-for", "10s"];
    let live = async {
        // What is kept nowhere has to come while it listens: births, and what a Shelly says when it is switched.
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            publisher.play(&node, json!({"death": false})).await;
            let event = r#"{"src":"shellyplug-1","method":"NotifyStatus","params":{"ts":1.5,"switch:0":{"id":0,"output":true,"apower":8.9}}}"#;
            publisher.have_published(&played[3], "shellyplug-1/events/rpc", event).await;
        }
    };
    let (yaml, errors) = tokio::select! {
        printed = run(&arguments, None) => printed,
        () = live => unreachable!(),
    };
    // The seven, and the topic on which the edge node is told what happens to it.
    assert!(errors.contains("found: 8 devices"), "{errors}{yaml}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("found.yaml"), &yaml).unwrap();
    let (out, errors) = run(&["check", "--strict"], Some(folder.path())).await;
    assert!((out + errors.as_str()).contains("nothing to complain about"), "{errors}{yaml}");
    // They are served as they are.
    let bed = Bed::start().await;
    bed.apply(&yaml.replace("reportToCloud: false", "reportToCloud: true")).await;
    bed.holds("socket", "ENERGY.Power", "42").await;
    bed.holds("lamp", "color.x", "0.3").await;
    bed.holds("old-plug", "relay.0.power", "12.34").await;
    bed.holds("shellyplug-1", "switch0.apower", "8.9").await;
    bed.holds("pump", "level", "1.5").await;
    bed.holds("house-tank", "pump.on", "true").await;
    bed.holds("house-weather", "rain", "false").await;
    bed.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_search_is_named() {
    let Some(broker) = Mosquitto::start().await else { return };
    let broker = format!("broker={}", url(&broker));
    for (arguments, message) in [
        (vec!["discover"], "the key `broker` is missing"),
        (vec!["discover", &broker, "seconds=0"], "found 0, expected 0.1 to 86400"),
        (vec!["discover", "broker=mqtt://127.0.0.1:1"], "mqtt://127.0.0.1:1: "),
    ] {
        let (_, errors) = run(&arguments, None).await;
        assert!(errors.contains(message), "{errors}");
    }
}

#[tokio::test]
async fn a_search_where_more_is_published_than_it_keeps_says_so_and_has_what_was_found() {
    let Some(broker) = Mosquitto::start().await else { return };
    let mut publisher = Publisher::connect(&broker);
    publisher.retain("a-tank", r#"{"level":1.5}"#).await;
    // Too large to be looked at, which is no loss.
    publisher.retain("b-picture", &"x".repeat(1 << 20)).await;
    let text = "x".repeat(60 * 1024);
    for number in 0..1200 {
        publisher.retain(&format!("log/{number}"), &text).await;
    }
    let broker = format!("broker={}", url(&broker));
    let (yaml, errors) = run(&["discover", &broker, "seconds=5"], None).await;
    let told = "more is published than the search keeps, 20000 topics or 64 MiB, and the rest is passed over: search a part at a time by the argument `topics`";
    assert!(errors.contains(&format!("s left; {told}")), "{errors}");
    assert!(errors.lines().last().is_some_and(|line| line.contains(told) && line.contains("error")), "{errors}");
    assert!(yaml.contains("topic: a-tank"), "{errors}");
    let (yaml, errors) = run(&["discover", &broker, "seconds=1", "topics=a-tank"], None).await;
    assert!(errors.ends_with("found: 1 device, 1 model\n") && yaml.contains("topic: a-tank"), "{errors}");
}
