//! The search for devices, by the program itself.

use std::{path::Path, process::Stdio, time::Duration};

use integration_tests::{ChildGuard, servers::Mosquitto};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Outcome,
    bed::{Bed, Version, at_port, url},
    peers::{Played, Publisher, Witness},
};

/// The program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_mqtt-device");

/// The environment of the tests says nothing to it.
fn without_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAPPER_")) {
        command.env_remove(name);
    }
}

/// What a run of the program prints.
async fn run(arguments: &[&str], folder: Option<&Path>) -> (String, String) {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).args(folder).stdin(Stdio::null()).kill_on_drop(true);
    without_environment(&mut command);
    let output = timeout(Duration::from_secs(60), command.output()).await.expect("it ends").unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A search that goes on until the user has enough.
struct Search {
    process: ChildGuard,
    /// What it prints on standard output.
    yaml: NamedTempFile,
}

impl Search {
    fn start(broker: &Mosquitto, version: Version) -> Self {
        let yaml = NamedTempFile::new().unwrap();
        // The shell becomes the program.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" > \"$OUT\"", PROGRAM, "discover", "seconds=600"]);
        command.arg(format!("broker={}", url(broker))).arg(format!("version={}", version.number()));
        without_environment(&mut command);
        Self { process: ChildGuard::spawn(command.env("OUT", yaml.path())), yaml }
    }

    /// Waits until it has heard of this many topics.
    async fn has_heard(&mut self, count: usize) {
        let topics = |line: &str| line.split_once(" topics, ")?.0.parse::<usize>().ok();
        self.process.wait_for_line(|line| topics(line).is_some_and(|topics| topics >= count)).await;
    }

    /// Has it end by Ctrl-C, and returns what it has printed on standard output and standard error.
    async fn interrupt(mut self) -> (String, String) {
        self.process.signal("INT").await;
        self.process.exit().await;
        let yaml = std::fs::read_to_string(self.yaml.path()).unwrap();
        (yaml, self.process.lines().join("\n"))
    }
}

/// A double of a broker that lets everybody in and answers pings, and never a subscription.
async fn never_subscribes(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    // The client's packets are shorter than 128 bytes, so that their length is one.
    let mut head = [0; 2];
    while stream.read_exact(&mut head).await.is_ok() {
        stream.read_exact(&mut vec![0; head[1].into()]).await.unwrap();
        match head[0] >> 4 {
            1 => stream.write_all(&[0x20, 2, 0, 0]).await.unwrap(),
            12 => stream.write_all(&[0xd0, 0]).await.unwrap(),
            _ => {}
        }
    }
}

by_each_version! {
    devices_of_each_family_are_recognized_and_their_manifests_are_right,
}

async fn devices_of_each_family_are_recognized_and_their_manifests_are_right(version: Version) -> Outcome {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let mut played = Vec::new();
    for (family, name) in
        [("tasmota", "socket"), ("zigbee2mqtt", "lamp"), ("shelly1", "old-plug"), ("shelly", "shellyplug-1")]
    {
        let Some(device) = Played::start(&broker, family, name).await else { return Ok(()) };
        played.push(device);
    }
    let Some(node) = Played::start_edge_node(&broker, "plant", "hall", "pump").await else { return Ok(()) };
    let mut publisher = Publisher::connect(&broker);
    publisher.retain("house/tank", r#"{"level":1.5,"pump":{"on":true},"list":[1]}"#).await;
    publisher.retain("house/weather/temperature", "21.5").await;
    publisher.retain("house/weather/rain", "off").await;
    let mut search = Search::start(&broker, version);
    search.has_heard(1).await;
    // What is kept nowhere has to come while it listens: births, and what a Shelly says when it is switched.
    let mut witness = Witness::connect(&broker).await;
    publisher.play(&node, json!({"death": false})).await;
    witness.sees("spBv1.0/plant/DBIRTH/hall/pump").await;
    let event = r#"{"src":"shellyplug-1","method":"NotifyStatus","params":{"ts":1.5,"switch:0":{"id":0,"output":true,"apower":8.9}}}"#;
    publisher.have_published(&played[3], "shellyplug-1/events/rpc", event).await;
    // Each of them publishes in order, and so does the broker: behind these topics nothing is missing.
    for device in &played {
        let topic = format!("last/{}", device.name);
        publisher.have_published(device, &topic, "[]").await;
        witness.sees(&topic).await;
    }
    // There are fewer others.
    for number in 0..200 {
        publisher.publish(&format!("last/{number}"), "[]").await;
    }
    search.has_heard(200).await;
    // The user has enough before it is over, which costs nothing that was found.
    let (yaml, errors) = search.interrupt().await;
    // The seven, and the topic on which the edge node is told what happens to it.
    assert!(errors.contains("found: 8 devices"), "{errors}{yaml}");
    // They are found and served by the same version.
    assert_eq!(yaml.matches("version: \"5\"").count(), if version == Version::V5 { 8 } else { 0 }, "{yaml}");
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
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_search_is_named() {
    let Some(broker) = Mosquitto::start().await else { return };
    let broker = format!("broker={}", url(&broker));
    for (arguments, message) in [
        (vec!["discover"], "the key `broker` is missing"),
        (vec!["discover", &broker, "seconds=0"], "found 0, expected 0.1 to 86400"),
        (vec!["discover", &broker, "version=4"], "found \"4\", expected 3.1.1 or 5"),
        (vec!["discover", "broker=mqtt://127.0.0.1:1"], "mqtt://127.0.0.1:1: "),
    ] {
        let (_, errors) = run(&arguments, None).await;
        assert!(errors.contains(message), "{errors}");
    }
}

#[tokio::test]
async fn a_broker_that_answers_no_subscription_ends_the_search() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = at_port(listener.local_addr().unwrap().port());
    let _double = AbortOnDropHandle::new(tokio::spawn(never_subscribes(listener)));
    let (_, errors) = run(&["discover", &format!("broker={url}"), "seconds=600"], None).await;
    assert!(errors.contains(&format!("{url}: the subscription to # was not answered within 5s")), "{errors}");
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
    let mut search = Search::start(&broker, Version::V3);
    let reason = "more is published than the search keeps, 20000 topics or 64 MiB, and the rest is passed over: search a part at a time by the argument `topics`";
    search.process.wait_for_line(|line| line.ends_with(&format!("s left; {reason}"))).await;
    let (yaml, errors) = search.interrupt().await;
    assert!(yaml.contains("topic: a-tank"), "{errors}");
    let broker = format!("broker={}", url(&broker));
    let (yaml, errors) = run(&["discover", &broker, "seconds=1", "topics=a-tank"], None).await;
    assert!(errors.ends_with("found: 1 device, 1 model\n") && yaml.contains("topic: a-tank"), "{errors}");
}
