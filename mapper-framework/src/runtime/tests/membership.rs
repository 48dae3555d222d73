//! Devices that come and go.

use tokio::time::{Instant, sleep};

use super::{
    puppet::Does,
    rig::{CLOSING, Logged, Rig, SECOND, desired, device, id, model, property, writes},
};
use crate::{DeviceState, Value};

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
        assert_eq!(rig.stats().sessions().deadlines_missed(), 0, "{operation}");
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
    assert!(rig.handle.device(&id("a")).await.is_none());
}

//= KubeEdge v1.15 to v1.23, devicetwin: a removal that fails leaves the device in the cache
#[tokio::test(start_paused = true)]
async fn what_is_removed_and_is_not_there_is_gone_as_it_should_be() {
    let rig = Rig::without_model();
    let logged = Logged::from(tracing::Level::DEBUG);
    assert_eq!(rig.remove("a").await, Ok(()));
    assert_eq!(rig.remove_model().await, Ok(()));
    assert_eq!(logged.count("device to be removed is not there device=default/a"), 1, "{:?}", logged.lines());
    assert_eq!(logged.count("device model to be removed is not there model=default/puppet"), 1, "{:?}", logged.lines());
    assert!(!logged.lines().iter().any(|line| line.contains("WARN") || line.contains("ERROR")), "{:?}", logged.lines());
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_removed_before_it_is_known_is_written_anew_when_it_comes() {
    let writes = writes();
    let rig = Rig::with_writes(writes.clone()).await;
    rig.add(device("a", [desired("x", "7")])).await;
    rig.puppet.until("write a/x", 1).await;
    rig.puppet.until("read a/x", 1).await;
    sleep(SECOND).await;
    let (puppet, _) = rig.stop().await;
    let rig = Rig::after(puppet, writes).await;
    rig.remove("a").await.expect("it is gone");
    rig.add(device("a", [desired("x", "7")])).await;
    rig.puppet.until("write a/x", 2).await;
}

#[tokio::test(start_paused = true)]
async fn readings_that_a_device_delivers_by_itself_are_taken() {
    use crate::Change;
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 3_600_000), property("y", 3_600_000)])).await;
    rig.puppet.until("read a/x", 1).await;
    let readings = vec![Change::new("x", 7), Change::new("nonsense", 1), Change::new("y", "text")];
    rig.puppet.deliver("a", readings);
    rig.puppet.deliver("a", vec![Change::new("y", 9)]);
    sleep(SECOND).await;
    assert_eq!(rig.value("a", "x").await, Some(Value::Int(7)));
    assert_eq!(rig.value("a", "y").await, Some(Value::Int(9)));
    assert_eq!(rig.stats().reads().failed(), 2, "one of no such property, and one of another type");
    assert_eq!(rig.reported("a", "x").map(|twin| twin.0), Some(Value::Int(7)));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_fails_costs_the_session() {
    let rig = Rig::new().await;
    rig.puppet.on("changed a", Does::Fail);
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("connect a", 2).await;
    assert!(rig.stats().sessions().lost() > 0);
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

//= KubeEdge v1.23, devicetwin: the list of a registration is complete
#[tokio::test(start_paused = true)]
async fn a_device_that_was_deleted_while_edgecore_was_apart_is_removed_with_its_wishes() {
    let writes = writes();
    let rig = Rig::with_writes(writes.clone()).await;
    let both = || vec![device("a", [property("x", 1000)]), device("b", [desired("x", "7")])];
    assert!(!rig.registers(both(), true).await);
    rig.puppet.until("write b/x", 1).await;
    let logged = Logged::warnings();
    let rest = || vec![device("a", [property("x", 1000)])];
    assert!(rig.registers(rest(), true).await, "it may not be read yet");
    assert_eq!(rig.handle.devices().await, [id("a"), id("b")]);
    assert!(!rig.registers(rest(), false).await);
    assert_eq!(rig.handle.devices().await, [id("a")]);
    assert_eq!(logged.count("edgecore no longer has this device"), 1, "{:?}", logged.lines());
    assert_eq!(rig.stats().devices().vanished(), 1);
    rig.puppet.until("close b", 1).await;
    sleep(SECOND).await;
    assert_eq!(rig.outbox.pending_state(&id("b")), None);
    rig.registers(both(), true).await;
    rig.puppet.until("write b/x", 2).await;
}

#[tokio::test(start_paused = true)]
async fn no_half_read_list_costs_a_device() {
    let rig = Rig::new().await;
    let named = |names: &[&str]| names.iter().map(|name| device(name, [property("x", 1000)])).collect::<Vec<_>>();
    rig.registers(named(&["a", "b", "c"]), true).await;
    let logged = Logged::warnings();
    assert!(!rig.registers(Vec::new(), true).await, "an empty list proves nothing");
    assert_eq!(logged.count("restart the mapper if they were deleted"), 1, "{:?}", logged.lines());
    // An edgecore that reads on, and one that forgets at each restart what it had begun to read.
    for (names, is_first) in [(&["a"][..], true), (&["a", "b"], false), (&["a"], true), (&["b"], true)] {
        assert!(rig.registers(named(names), is_first).await, "{names:?}");
    }
    assert!(!rig.registers(named(&["a", "b", "c"]), false).await);
    assert_eq!(rig.handle.devices().await, [id("a"), id("b"), id("c")]);
    assert_eq!((rig.stats().devices().vanished(), rig.puppet.count("close a")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_later_list_that_is_older_than_a_call_changes_nothing() {
    let rig = Rig::new().await;
    let wanting = |wish: &str| device("a", [desired("x", wish), property("y", 1000)]);
    rig.registers(vec![wanting("1"), device("b", [property("x", 1000)])], true).await;
    rig.puppet.until("write a/x", 1).await;
    rig.add(wanting("2")).await;
    rig.puppet.until("write a/x", 2).await;
    rig.remove("b").await.expect("it is there");
    rig.registers(vec![wanting("1"), device("b", [property("x", 1000)]), device("c", [property("x", 1000)])], false)
        .await;
    sleep(10 * SECOND).await;
    assert_eq!(rig.puppet.count("write a/x"), 2, "the old wish is not written again");
    assert_eq!(rig.handle.devices().await, [id("a"), id("c")], "what was removed stays so, and what is new is served");
}
