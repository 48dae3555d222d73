//! What arrives, and how, when nothing is broken.

use mapper_framework::config::ReportVia;

use crate::{
    counters::{self, COUNTERS, DESIRED, SETPOINT},
    rig::{self, NAMESPACE, Rig},
};

const DEVICES: usize = 20;

#[tokio::test]
async fn twins_and_states_go_over_the_bus_and_none_over_dmi() {
    let Some((broker, mut bus)) = rig::node().await else { return };
    let rig = Rig::start(&broker, ReportVia::Eventbus, DEVICES).await;
    let devices: Vec<_> = counters::names(DEVICES).iter().map(|name| format!("{NAMESPACE}/{name}")).collect();
    let desired = &devices[..DEVICES / 2];

    // Several times each, so that they have changed.
    bus.until("every counter is stored three times", |seen| {
        let stored = |device, property| seen.twin(device, property).is_some_and(|twin| twin.times >= 3);
        devices.iter().all(|device| COUNTERS.iter().all(|property| stored(device, property)))
    })
    .await;
    rig.counters.stop();
    bus.until("all last values are stored", |seen| rig.missing(seen) == 0).await;
    bus.until("all devices are online", |seen| devices.iter().all(|device| seen.state(device) == Some("online"))).await;
    bus.until("desired values are acknowledged", |seen| {
        let expected = |device: &String| seen.twin(device, SETPOINT)?.expected.as_deref();
        desired.iter().all(|device| expected(device) == Some(DESIRED))
    })
    .await;

    let seen = bus.seen();
    let expected = |device, property| seen.twin(device, property).unwrap().expected.as_deref();
    for device in &devices {
        let set = if desired.contains(device) { DESIRED } else { "" };
        assert_eq!(expected(device, SETPOINT), Some(set), "{device}");
        COUNTERS.iter().for_each(|counter| assert_eq!(expected(device, counter), None, "{device} {counter}"));
    }
    assert!(seen.refusals().is_empty() && seen.unanswered().is_empty(), "{seen:#?}");
    let counts = rig.bed.edge().counts();
    assert_eq!((counts.stored_twins(), counts.dropped_twins()), (0, 0), "{counts:?}");
    assert_eq!((counts.stored_states(), counts.dropped_states()), (0, 0), "{counts:?}");
    rig.stop().await;
}

#[tokio::test]
async fn dmi_alone_leaves_the_bus_alone() {
    let Some((broker, mut bus)) = rig::node().await else { return };
    let rig = Rig::start(&broker, ReportVia::Dmi, 2).await;
    rig.bed.until("twins are stored", |edge| edge.counts().stored_twins() >= 20).await;
    bus.kill().await;
    assert_eq!(bus.seen().stored(), 0);
    rig.stop().await;
}
