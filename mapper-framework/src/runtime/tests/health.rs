//! What a device's state says, and how often it is said.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    puppet::Does,
    rig::{Rig, SECOND, desired, device, id, property},
};
use crate::{DeviceState, twin::Phase};

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
    rig.add(device("a", [property("x", 1000), desired("level", "5")])).await;
    rig.puppet.until("write a/level", 3).await;
    assert_ne!(rig.reported("a", "level").and_then(|(_, phase, _)| phase), Some(Phase::Converged));
    assert_eq!(rig.stats().desired_refused, 0, "it is tried again");
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
async fn a_device_that_comes_and_goes_is_connected_to_ever_less_often() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000)])).await;
    for _ in 0..8 {
        rig.puppet.again("read a/x", 1).await;
        rig.puppet.on("read a/x", Does::Disconnect);
        rig.puppet.again("read a/x", 1).await;
        rig.puppet.mend("read a/x");
        rig.puppet.again("connect a", 1).await;
    }
    let times = rig.puppet.times("connect a");
    let pauses: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.last().is_some_and(|last| *last > 15 * SECOND), "{pauses:?}");
}
