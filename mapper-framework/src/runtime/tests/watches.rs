//! Watches of a running mapper.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use super::{
    puppet::Does,
    rig::{Rig, desired, device, id, property},
};
use crate::{
    Watch,
    model::DeviceId,
    telemetry::{
        edge::{EdgeConnectionLost, Registered},
        writes::DesiredPending,
    },
    watch::{DesiredPhase, EdgeLink, Filter, Kind, What},
};

/// The times of a device's samples among the next events, until there are so many events.
async fn samples(watch: &mut Watch, events: usize) -> Vec<(DeviceId, SystemTime)> {
    let mut samples = Vec::new();
    for _ in 0..events {
        match watch.next().await.expect("the mapper runs").what() {
            What::Sample(sample) => samples.push((sample.device.clone(), sample.timestamp)),
            What::Missed { .. } => panic!("it was read in time"),
            _ => {}
        }
    }
    samples
}

fn by_device(samples: Vec<(DeviceId, SystemTime)>) -> HashMap<DeviceId, Vec<SystemTime>> {
    let mut devices: HashMap<_, Vec<_>> = HashMap::new();
    samples.into_iter().for_each(|(device, time)| devices.entry(device).or_default().push(time));
    devices
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn between_a_snapshot_and_the_events_after_it_nothing_is_missing_and_nothing_is_there_twice() {
    let rig = Rig::new().await;
    let filter = || Filter::all().kinds([Kind::Sample]);
    let mut reference = rig.handle.watch(filter()).await.expect("the manager runs");
    for number in 0..8 {
        rig.add(device(&format!("d{number}"), [property("x", 20)])).await;
    }
    let (mut all, mut later) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let mut watch = rig.handle.watch(filter()).await.expect("the manager runs");
        let events = samples(&mut watch, 20).await;
        let shown = watch.snapshot().devices().iter();
        let shown: HashMap<_, _> = shown.map(|(id, device)| (id.clone(), device.samples.clone())).collect();
        later.push((shown, by_device(events)));
        all.extend(samples(&mut reference, 20).await);
    }
    all.extend(samples(&mut reference, 200).await);
    let all = by_device(all);
    for (shown, events) in later {
        for (device, times) in events {
            let known = &all[&device];
            let first = known.iter().position(|time| *time == times[0]).expect("the reference has it");
            assert_eq!(times[..], known[first..first + times.len()]);
            let last_shown = shown.get(&device).and_then(|samples| samples.first()).map(|sample| sample.timestamp);
            let before = first.checked_sub(1).map(|before| known[before]);
            assert_eq!(last_shown, before, "the snapshot ends where the events begin");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_follows_a_device_from_its_beginning_to_its_end() {
    let rig = Rig::new().await;
    let filter = Filter::all().kinds([Kind::Device, Kind::Sample]).device(id("a"));
    let mut watch = rig.handle.watch(filter).await.expect("the manager runs");
    assert!(watch.snapshot().devices().is_empty());
    rig.add(device("b", [property("x", 1000)])).await;
    rig.add(device("a", [property("x", 1000)])).await;
    assert!(matches!(watch.next().await.expect("an event").what(), What::DeviceAdded { device } if *device == id("a")));
    assert!(matches!(watch.next().await.expect("an event").what(), What::Sample(sample) if sample.device == id("a")));
    rig.remove("a").await.expect("it is there");
    loop {
        match watch.next().await.expect("an event").what() {
            What::Sample(_) => {}
            What::DeviceRemoved { device } => break assert_eq!(*device, id("a")),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_link_and_a_desired_value_go_on_from_the_snapshot_without_a_hole() {
    const EVENTS: u64 = 50_000;
    // The fewer it is ahead, the more snapshots fall between two events; a watch keeps 4,096, and there are two for each number.
    const AHEAD: u64 = 50;

    /// Lets the thread that emits go on to its end when the test fails.
    struct Release(Arc<AtomicU64>);

    impl Drop for Release {
        fn drop(&mut self) {
            self.0.store(EVENTS, Relaxed);
        }
    }

    let rig = Rig::new().await;
    rig.puppet.on("connect a", Does::Hang);
    rig.add(device("a", [desired("x", "0")])).await;
    rig.puppet.until("connect a", 1).await;
    let (telemetry, progress) = (rig.telemetry.clone(), Arc::<AtomicU64>::default());
    let (seen, _release) = (Arc::clone(&progress), Release(Arc::clone(&progress)));
    let emitting = tokio::task::spawn_blocking(move || {
        for number in 1..=EVENTS {
            while number > seen.load(Relaxed) + AHEAD {
                std::thread::yield_now();
            }
            telemetry.emit(DesiredPending {
                device: &id("a"),
                property: "x",
                desired: &number.to_string(),
                reason: None,
            });
            if number % 2 == 0 {
                telemetry.emit(EdgeConnectionLost {});
            } else {
                telemetry.emit(Registered { protocol: "puppet", devices: 1, models: 1 });
            }
        }
    });
    let mut shown = 0;
    while shown < EVENTS {
        let filter = Filter::all().kinds([Kind::Desired, Kind::Edge]);
        let mut watch = rig.handle.watch(filter).await.expect("the manager runs");
        let snapshot = watch.snapshot();
        let status = &snapshot.devices()[0].1.desired[0];
        assert_eq!((&*status.property, status.phase), ("x", DesiredPhase::Pending));
        shown = status.desired.parse().expect("a number");
        progress.store(shown, Relaxed);
        let mut connected = *snapshot.edge() == EdgeLink::Connected;
        for _ in 0..(EVENTS - shown).min(4) {
            match watch.next().await.expect("the mapper runs").what() {
                What::Desired { desired, .. } => {
                    shown += 1;
                    assert_eq!(*desired, shown.to_string());
                }
                What::EdgeConnected => assert!(!std::mem::replace(&mut connected, true)),
                What::EdgeDisconnected { .. } => assert!(std::mem::replace(&mut connected, false)),
                other => panic!("not asked for: {other:?}"),
            }
        }
    }
    emitting.await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_a_desired_value_for_as_long_as_the_manifest_has_it() {
    let rig = Rig::new().await;
    let shown = async || -> Vec<_> {
        let desired = rig.snapshot("a").await.desired.into_iter();
        desired.map(|it| (it.property.to_string(), it.desired, it.phase.as_str(), it.reason)).collect()
    };
    rig.puppet.on("write a/level", Does::Refuse);
    rig.add(device("a", [desired("x", "5"), desired("level", "7"), property("y", 1000)])).await;
    rig.puppet.until("write a/x", 1).await;
    rig.puppet.until("read a/y", 2).await;
    let found = shown().await;
    assert!(
        matches!(&found[..], [(level, seven, "refused", Some(_)), (x, five, "converged", None)]
        if level == "level" && seven == "7" && x == "x" && five == "5"),
        "{found:?}"
    );
    rig.add(device("a", [property("x", 1000), desired("level", "7")])).await;
    assert_eq!(shown().await.len(), 1, "x is not desired any more");
    rig.remove("a").await.expect("it is there");
    rig.add(device("a", [property("x", 1000)])).await;
    assert_eq!(shown().await, []);
}

#[tokio::test(start_paused = true)]
async fn the_link_is_shown_from_the_first_attempt_on() {
    let rig = Rig::new().await;
    let link = async || rig.handle.watch(Filter::all()).await.expect("the manager runs").snapshot().edge().clone();
    assert_eq!(link().await, EdgeLink::Connecting);
    rig.telemetry.emit(Registered { protocol: "puppet", devices: 0, models: 0 });
    assert_eq!(link().await, EdgeLink::Connected);
    rig.telemetry.emit(EdgeConnectionLost {});
    assert!(matches!(link().await, EdgeLink::Disconnected { reason } if reason == "the connection ended"));
}
