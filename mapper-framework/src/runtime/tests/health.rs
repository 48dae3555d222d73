//! What a device's state says, and how often it is said.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    puppet::Does,
    rig::{Logged, Rig, SECOND, device, enforced, id, property},
};
use crate::{Change, DeviceState, model::DeviceInstance, twin::Phase};

#[tokio::test(start_paused = true)]
async fn the_state_of_a_device_that_cannot_be_reached_is_repeated() {
    let rig = Rig::new().await;
    rig.puppet.on("connect a", Does::Fail);
    rig.add(device("a", [property("x", 1000)])).await;
    sleep(600 * SECOND).await;
    rig.outbox.forget(&id("a"));
    sleep(2 * SECOND).await;
    assert_eq!(rig.outbox.pending_state(&id("a")), Some(DeviceState::Disconnected));
}

#[tokio::test(start_paused = true)]
async fn a_device_of_which_nothing_can_be_read_is_unhealthy_until_something_can() {
    let rig = Rig::new().await;
    rig.puppet.on("read a/x", Does::Refuse);
    rig.add(device("a", [property("x", 1000)])).await;
    sleep(SECOND / 2).await;
    let snapshot = rig.snapshot("a").await;
    assert_eq!(snapshot.state, DeviceState::Unhealthy);
    assert!(snapshot.reason.is_some_and(|reason| reason.starts_with("no property can be read: ")));
    rig.puppet.mend("read a/x");
    sleep(2 * SECOND).await;
    assert_eq!(rig.state("a").await, DeviceState::Ok, "the driver's own view");
    assert_eq!(rig.puppet.count("connect a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_cannot_be_understood_does_not_prove_a_desired_one() {
    let rig = Rig::new().await;
    rig.puppet.on("heed a/level", Does::Refuse);
    rig.puppet.set("a/level", "garbage");
    rig.add(device("a", [property("x", 1000), enforced("level", "5")])).await;
    rig.puppet.until("read a/level", 3).await;
    assert_ne!(rig.reported("a", "level").and_then(|(_, phase, _)| phase), Some(Phase::Converged));
    assert_eq!((rig.puppet.count("write a/level"), rig.stats().writes().desired_refused()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_in_a_read_back_is_opened_anew() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 3_600_000)])).await;
    sleep(SECOND).await;
    rig.puppet.on("read a/x", Does::Disconnect);
    assert_eq!(rig.write("a", "x", "5").await, Ok(()));
    rig.puppet.mend("read a/x");
    rig.puppet.until("connect a", 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_property_that_is_added_is_read_without_waiting_for_its_cycle() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 3_600_000)])).await;
    sleep(SECOND).await;
    rig.add(device("a", [property("x", 3_600_000), property("y", 3_600_000)])).await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!((rig.puppet.count("read a/x"), rig.puppet.count("read a/y")), (1, 1));
    assert!(rig.value("a", "y").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn online_needs_evidence() {
    for does in [Does::Disconnect, Does::Hang, Does::Panic] {
        let rig = Rig::new().await;
        rig.puppet.on("read a/x", does);
        rig.add(without_report("a")).await;
        rig.puppet.until("connect a", 2).await;
        assert_eq!(rig.states("a", 300 * SECOND).await, [DeviceState::Disconnected], "{does:?}");
    }
    for does in [Does::Fail, Does::Refuse] {
        let rig = Rig::new().await;
        rig.puppet.on("read a/x", does);
        rig.add(without_report("a")).await;
        rig.puppet.until("read a/x", 2).await;
        assert_eq!(rig.states("a", 300 * SECOND).await, [DeviceState::Unhealthy], "{does:?}");
    }
    let rig = Rig::new().await;
    rig.add(DeviceInstance { properties: Vec::new(), ..without_report("a") }).await;
    rig.puppet.until("connect a", 1).await;
    sleep(SECOND / 10).await;
    assert_eq!(rig.state("a").await, DeviceState::Online, "there is nothing to read");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_comes_back_does_not_flicker() {
    let rig = Rig::new().await;
    rig.add(without_report("a")).await;
    rig.puppet.until("read a/x", 2).await;
    rig.puppet.on("read a/x", Does::Fail);
    rig.puppet.until("connect a", 4).await;
    rig.puppet.mend("read a/x");
    let states = rig.states("a", 60 * SECOND).await;
    assert_eq!(states, [DeviceState::Unhealthy, DeviceState::Online]);
}

#[tokio::test(start_paused = true)]
async fn a_device_whose_only_property_is_delivered_is_online_while_it_delivers() {
    let rig = Rig::new().await;
    let logged = Logged::warnings();
    rig.puppet.on("read a/x", Does::Refuse);
    rig.add(without_report("a")).await;
    rig.puppet.deliver("a", vec![Change::new("x", 1)]);
    sleep(SECOND / 2).await;
    let watched = async {
        for value in 0..100 {
            rig.puppet.deliver("a", vec![Change::new("x", value)]);
            sleep(3 * SECOND).await;
        }
    };
    let (states, ()) = tokio::join!(rig.states("a", 300 * SECOND), watched);
    assert_eq!(states, [DeviceState::Online]);
    assert_eq!((rig.puppet.count("connect a"), logged.count("reads fail")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_dead_session_is_renewed_although_a_property_is_refused() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 100), property("y", 1000)])).await;
    rig.puppet.until("read a/y", 2).await;
    rig.puppet.on("read a/x", Does::Refuse);
    rig.puppet.on("read a/y", Does::Fail);
    sleep(600 * SECOND).await;
    let sessions = rig.puppet.count("connect a");
    assert!((30..120).contains(&sessions), "{sessions} sessions in ten minutes");
}

/// A device with the property `x` whose state is not reported.
fn without_report(name: &str) -> DeviceInstance {
    DeviceInstance { state_report: None, ..device(name, [property("x", 1000)]) }
}

#[tokio::test(start_paused = true)]
async fn properties_that_are_slow_together_cost_no_session_and_one_that_hangs_costs_no_other_its_values() {
    let names = ["x", "y", "level", "fixed"];
    let rig = Rig::new().await;
    for name in names {
        rig.puppet.on(&format!("read a/{name}"), Does::Take(4 * SECOND));
    }
    rig.add(DeviceInstance { state_report: None, ..device("a", names.map(|name| property(name, 1000))) }).await;
    rig.puppet.until("connect a", 1).await;
    sleep(20 * SECOND).await;
    assert_eq!(rig.states("a", 3600 * SECOND).await, [DeviceState::Online]);
    let stats = rig.stats();
    assert_eq!((stats.sessions().lost(), stats.sessions().deadlines_missed()), (0, 0));
    assert!(stats.reads().samples() >= 4 * 3600 / 17, "{} samples in an hour", stats.reads().samples());

    rig.puppet.on("read a/fixed", Does::Hang);
    rig.puppet.again("connect a", 1).await;
    let before = rig.puppet.count("read a/x");
    sleep(3600 * SECOND).await;
    let reads = rig.puppet.count("read a/x") - before;
    assert!(reads >= 100, "{reads} reads of the others in an hour");
    assert!(rig.value("a", "x").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_device_all_of_which_is_subscribed_is_online_from_then_on() {
    let rig = Rig::new().await;
    rig.puppet.subscribe("a/x");
    rig.add(without_report("a")).await;
    rig.puppet.until("subscribe a", 1).await;
    sleep(SECOND).await;
    assert_eq!((rig.state("a").await, rig.puppet.count("read a/x")), (DeviceState::Online, 0));
}
