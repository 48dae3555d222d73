//! Connections that end, and those that cannot be opened again.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::Level;

use super::{
    puppet::Does,
    rig::{Logged, Rig, SECOND, device, property},
};
use crate::DeviceState;

#[tokio::test(start_paused = true)]
async fn a_device_that_closes_idle_connections_is_read_every_cycle_and_stays_online() {
    let rig = Rig::new().await;
    let logged = Logged::from(Level::INFO);
    rig.puppet.on("idle a", Does::Disconnect);
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("read a/x", 1).await;
    sleep(SECOND / 2).await;
    let states = rig.states("a", 100 * SECOND).await;
    let (reads, sessions) = (rig.puppet.count("read a/x"), rig.puppet.count("connect a"));
    assert!((98..=102).contains(&reads) && sessions <= reads, "{reads} reads on {sessions} sessions");
    assert_eq!(states, [DeviceState::Ok]);
    let stats = rig.stats();
    assert!(stats.sessions().renewed() >= 98 && stats.sessions().lost() == 0, "{stats}");
    let lines = logged.lines();
    assert!(lines.len() <= 4, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_closes_as_soon_as_it_has_answered_is_not_asked_more_often_than_by_its_cycle() {
    for (cycle, range) in [(1000, 98..=102), (5000, 19..=22), (3_600_000, 10..=12)] {
        let rig = Rig::new().await;
        rig.puppet.on("notice a", Does::Disconnect);
        rig.add(device("a", [property("x", cycle)])).await;
        sleep(100 * SECOND).await;
        let sessions = rig.puppet.count("connect a");
        assert!(range.contains(&sessions), "{sessions} sessions in 100 s at a cycle of {cycle} ms");
        assert_eq!(rig.stats().sessions().lost(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_flaps_is_read_whenever_it_is_there() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000)])).await;
    let mut reads = Vec::new();
    for _ in 0..60 {
        let before = rig.puppet.count("read a/x");
        sleep(10 * SECOND).await;
        reads.push(rig.puppet.count("read a/x") - before);
        for operation in ["connect a", "read a/x"] {
            rig.puppet.on(operation, Does::Disconnect);
        }
        sleep(10 * SECOND).await;
        for operation in ["connect a", "read a/x"] {
            rig.puppet.mend(operation);
        }
    }
    let missed = reads.iter().filter(|reads| **reads == 0).count();
    assert_eq!(missed, 0, "up phases of sixty without a read: {reads:?}");
    let mean = reads.iter().sum::<usize>() / reads.len();
    assert!(mean >= 5, "reads in up phases: {reads:?}");
}

#[tokio::test(start_paused = true)]
async fn reconnects_that_fail_are_logged_when_they_begin_and_when_the_reason_changes() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("read a/x", 3).await;
    let logged = Logged::from(Level::INFO);
    rig.puppet.on("read a/x", Does::Hang);
    rig.puppet.on("connect a", Does::Fail);
    rig.puppet.because("connect a", "attempt {n}: connection refused");
    rig.puppet.again("connect a", 10).await;
    assert_eq!(logged.count("session lost"), 1, "{:?}", logged.lines());
    assert_eq!(logged.count("cannot connect"), 1, "{:?}", logged.lines());
    assert_eq!(logged.count("device state"), 2, "lost, and then refused: {:?}", logged.lines());

    rig.puppet.because("connect a", "attempt {n}: no route to host");
    rig.puppet.again("connect a", 10).await;
    assert_eq!(logged.count("cannot connect"), 2, "{:?}", logged.lines());
    assert_eq!(logged.count("device state"), 3, "{:?}", logged.lines());
    let reason = rig.snapshot("a").await.reason.expect("it says why");
    assert!(reason.ends_with("no route to host"), "{reason}");

    rig.puppet.mend("connect a");
    rig.puppet.mend("read a/x");
    rig.puppet.again("read a/x", 2).await;
    assert_eq!((logged.count(" connected"), rig.state("a").await), (1, DeviceState::Ok));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_works_and_then_hangs_is_opened_anew_soon() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000)])).await;
    for _ in 0..20 {
        rig.puppet.again("read a/x", 1).await;
        rig.puppet.on("read a/x", Does::Hang);
        rig.puppet.again("read a/x", 1).await;
        let hangs = Instant::now();
        rig.puppet.mend("read a/x");
        rig.puppet.again("connect a", 1).await;
        assert!(hangs.elapsed() <= Duration::from_millis(10_600), "{:?}", hangs.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_property_that_breaks_each_session_does_not_pass_for_an_idle_connection() {
    let rig = Rig::new().await;
    rig.puppet.on("read a/y", Does::Disconnect);
    rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
    sleep(SECOND).await;
    let states = rig.states("a", 600 * SECOND).await;
    assert_eq!(states, [DeviceState::Disconnected]);
    assert_eq!(rig.stats().sessions().renewed(), 0);
    let sessions = rig.puppet.count("connect a");
    assert!((60..130).contains(&sessions), "{sessions} sessions in ten minutes");
}
