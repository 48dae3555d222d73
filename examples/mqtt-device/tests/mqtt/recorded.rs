//! A session with the broker and a socket that was recorded, and the mapper on the recording, without either.
//!
//! `recorded/broker-killed.tape` is made anew by `MQTT_RECORD=1 cargo xtask test -- -p mqtt-device --test mqtt recorded`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use integration_tests::servers::Mosquitto;
use mapper_framework::{
    testing::DEADLINE,
    watch::{Filter, Kind, What},
};
use tokio::time::timeout;

use crate::{
    Outcome,
    bed::{Bed, Version, id, manifests},
    peers::Played,
};

const MANIFESTS: &str = include_str!("../../devices/tasmota.yaml");
const TOPIC: &str = "tasmota_5F3A21";

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/broker-killed.tape")
}

/// Records a mapper while a socket is switched, goes by its last will and comes back, and while the broker is killed and comes back.
/// Returns whether there was a socket.
async fn record(mut broker: Mosquitto, version: Version, path: &Path) -> bool {
    let Some(mut socket) = Played::start(&broker, "tasmota", TOPIC).await else { return false };
    let bed = Bed::start_with(|builder| builder.record(path)).await;
    bed.apply(&manifests(&version.in_manifests(MANIFESTS), &broker)).await;
    bed.holds("socket", "load", "42").await;
    bed.bed.edge().set_desired(&id("socket"), "power", "true").await.unwrap();
    bed.holds("socket", "power", "true").await;
    socket.process.kill().await;
    bed.reason("socket", "the device is away").await;
    bed.is("socket", "offline").await;
    let Some(_socket) = Played::start(&broker, "tasmota", TOPIC).await else { return false };
    bed.is("socket", "online").await;
    bed.holds("socket", "power", "false").await;
    broker.kill().await;
    bed.reason("socket", "Connection refused").await;
    bed.is("socket", "offline").await;
    let before = times_stored(&bed);
    broker.restart().await;
    bed.is("socket", "online").await;
    bed.bed
        .until("its load is stored again", |edge| {
            edge.twin(&id("socket"), "load").is_some_and(|twin| twin.times_stored() > before)
        })
        .await;
    bed.stop().await;
    true
}

/// How often the load was stored.
fn times_stored(bed: &Bed) -> u64 {
    bed.bed.edge().twin(&id("socket"), "load").map_or(0, |twin| twin.times_stored())
}

/// Runs the mapper on a recording: what comes from the device is the same, in the same order, and so is why it is away.
async fn replay(path: &Path) {
    let bed = Bed::start_with(|builder| builder.replay(path, 1.0)).await;
    let mut watch = bed.bed.handle().watch(Filter::all().kinds([Kind::State, Kind::Sample])).await.unwrap();
    let away = format!("the device is away: tele/{TOPIC}/LWT says so");
    let mut expected =
        ["load = 42", "power = true", &away, "power = false", "Connection refused", "load = 42"].into_iter();
    let mut next = expected.next();
    let mut seen = Vec::new();
    let wait = async {
        while let Some(part) = next {
            let what = match watch.next().await.unwrap().what() {
                What::Sample(sample) => format!("{} = {}", sample.property.name(), sample.value),
                What::State { reason, .. } => reason.clone().unwrap_or_default(),
                _ => continue,
            };
            if what.contains(part) {
                next = expected.next();
            }
            seen.push(what);
        }
    };
    let came = timeout(DEADLINE, wait).await.is_ok();
    assert!(came, "{next:?} has not come, but {seen:?}");
    bed.is("socket", "online").await;
    bed.holds("socket", "load", "42").await;
    bed.stop().await;
}

#[tokio::test]
async fn the_kept_recording_is_replayed_without_a_broker() {
    replay(&kept()).await;
}

by_each_version! {
    a_session_with_a_broker_is_recorded_and_replayed,
}

async fn a_session_with_a_broker_is_recorded_and_replayed(version: Version) -> Outcome {
    let Some(broker) = Mosquitto::start().await else { return Ok(()) };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.tape");
    if !record(broker, version, &path).await {
        return Ok(());
    }
    replay(&path).await;
    if version == Version::V3 && env::var_os("MQTT_RECORD").is_some() {
        fs::create_dir_all(kept().parent().unwrap()).unwrap();
        fs::copy(&path, kept()).unwrap();
    }
    Ok(())
}
