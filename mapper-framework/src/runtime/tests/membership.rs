//! Devices that come and go.

use tokio::time::{Instant, sleep};

use super::{
    puppet::Does,
    rig::{CLOSING, Rig, SECOND, device, id, model, property},
};
use crate::{DeviceState, Value, dmi::command::Refusal};

#[tokio::test(start_paused = true)]
async fn a_device_waits_for_its_model() {
    let rig = Rig::without_model();
    rig.add(device("a", [property("x", 1000)])).await;
    let snapshot = rig.snapshot("a").await;
    assert!(snapshot.device.is_none());
    assert_eq!(snapshot.reason.as_deref(), Some("waits for the device model default/puppet"));
    let error = rig.write("a", "x", "1").await.expect_err("it does not run");
    assert!(error.contains("its device model is not known yet"), "{error}");
    rig.upsert_model(model()).await.expect("nothing is wrong with it");
    rig.puppet.until("read a/x", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_device_that_hangs_is_removed_at_once() {
    for operation in ["connect a", "read a/x"] {
        let rig = Rig::new().await;
        rig.puppet.on(operation, Does::Hang);
        rig.add(device("a", [property("x", 1000)])).await;
        rig.puppet.until(operation, 1).await;
        let began = Instant::now();
        rig.remove("a").await.expect("it is there");
        rig.puppet.mend(operation);
        rig.add(device("a", [property("x", 1000)])).await;
        rig.puppet.until("connect a", 2).await;
        assert!(began.elapsed() < SECOND, "{operation}: {:?}", began.elapsed());
        assert_eq!(rig.stats().deadlines_missed, 0, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_comes_back_is_connected_to_when_its_old_session_is_closed() {
    let rig = Rig::new().await;
    rig.puppet.on("close a", Does::Take(3 * SECOND));
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("read a/x", 1).await;
    for _ in 0..3 {
        rig.remove("a").await.expect("it is there");
        rig.add(device("a", [property("x", 1000)])).await;
    }
    let came_back = Instant::now();
    rig.puppet.until("connect a", 2).await;
    assert!(came_back.elapsed() >= 3 * SECOND, "{:?}", came_back.elapsed());
    let deeds: Vec<_> = rig.puppet.deeds().into_iter().filter(|deed| !deed.starts_with("state")).collect();
    assert_eq!(deeds, ["connect a", "close a", "connect a"], "those that came between were never connected to");
    assert_eq!(rig.handle.devices().await, [id("a")]);
    rig.puppet.again("read a/x", 1).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_reported_of_a_device_that_is_gone() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("read a/x", 2).await;
    assert!(rig.outbox.len() > 0);
    // It is in the middle of a read, which ends at the very moment at which it is removed.
    rig.puppet.on("read a/x", Does::Take(SECOND / 2));
    rig.puppet.again("read a/x", 1).await;
    sleep(SECOND / 2).await;
    rig.remove("a").await.expect("it is there");
    rig.puppet.until("close a", 1).await;
    tokio::task::yield_now().await;
    assert_eq!(rig.outbox.len(), 0);
    assert_eq!(rig.remove("a").await, Err(Refusal::NotFound("there is no device default/a".to_owned())));
    assert!(rig.handle.device(&id("a")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn readings_that_a_device_delivers_by_itself_are_taken() {
    use crate::Reading;
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 3_600_000), property("y", 3_600_000)])).await;
    rig.puppet.until("read a/x", 1).await;
    let readings = vec![Reading::new("x", 7), Reading::new("nonsense", 1), Reading::new("y", "text")];
    rig.puppet.deliver("a", readings);
    rig.puppet.deliver("a", vec![Reading::new("y", 9)]);
    sleep(SECOND).await;
    assert_eq!(rig.value("a", "x").await, Some(Value::Int(7)));
    assert_eq!(rig.value("a", "y").await, Some(Value::Int(9)));
    assert_eq!(rig.stats().read_failures, 2, "one of no such property, and one of another type");
    assert_eq!(rig.reported("a", "x").map(|twin| twin.0), Some(Value::Int(7)));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_fails_costs_the_session() {
    let rig = Rig::new().await;
    rig.puppet.on("changed a", Does::Fail);
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("connect a", 2).await;
    assert!(rig.stats().sessions_lost > 0);
}

#[tokio::test(start_paused = true)]
async fn a_stopping_manager_closes_the_sessions_and_tells_that_devices_are_offline() {
    let rig = Rig::new().await;
    for name in ["a", "b"] {
        rig.add(device(name, [property("x", 1000)])).await;
        rig.puppet.until(&format!("read {name}/x"), 1).await;
    }
    let (puppet, outbox) = rig.stop().await;
    assert_eq!((puppet.count("close a"), puppet.count("close b")), (1, 1));
    assert_eq!(outbox.pending_state(&id("a")), Some(DeviceState::Offline));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_close_does_not_cost_the_others_their_last_report() {
    let rig = Rig::new().await;
    rig.puppet.on("close a", Does::Hang);
    for name in ["a", "b"] {
        rig.add(device(name, [property("x", 1000)])).await;
        rig.puppet.until(&format!("read {name}/x"), 1).await;
    }
    let began = Instant::now();
    let (puppet, outbox) = rig.stop().await;
    assert!(began.elapsed() <= CLOSING + SECOND, "{:?}", began.elapsed());
    assert_eq!(puppet.count("close b"), 1);
    for name in ["a", "b"] {
        assert_eq!(outbox.pending_state(&id(name)), Some(DeviceState::Offline));
    }
}
