//! Updates change what has changed, and nothing else.

use tokio::time::sleep;

use super::{
    puppet::Does,
    rig::{Logged, Rig, SECOND, desired, device, model, property},
};
use crate::{
    DeviceState, Value,
    model::{InstanceProperty, StateReport},
};

#[tokio::test(start_paused = true)]
async fn an_unchanged_device_is_left_alone() {
    let rig = Rig::new().await;
    let same = || device("a", [property("x", 1000), desired("level", "5")]);
    rig.add(same()).await;
    rig.puppet.until("read a/x", 3).await;
    let before = rig.puppet.calls().len();
    for _ in 0..100 {
        rig.add(same()).await;
        rig.upsert_model(model()).await.expect("it is the same");
    }
    assert_eq!(rig.puppet.calls().len(), before);
    sleep(5 * SECOND).await;
    assert_eq!((rig.puppet.count("connect a"), rig.puppet.count("write a/level")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_changed_property_touches_that_property_only() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
    rig.puppet.until("read a/y", 3).await;
    let last = *rig.puppet.times("read a/x").last().expect("it was read");
    sleep(SECOND / 4).await;
    let moved = serde_json::json!({"register": 7}).as_object().expect("an object").clone();
    let y = InstanceProperty { visitor: moved.into(), ..property("y", 500) };
    rig.add(device("a", [property("x", 1000), y, property("level", 1000)])).await;
    rig.puppet.until("read a/level", 3).await;
    let times = rig.puppet.times("read a/x");
    assert!(times.iter().filter(|time| **time > last).all(|time| (*time - last).as_millis() % 1000 <= 2), "{times:?}");
    assert_eq!(rig.puppet.count("connect a"), 1);
    assert!(!rig.puppet.deeds().iter().any(|deed| deed.starts_with("write") || deed.starts_with("close")));
}

#[tokio::test(start_paused = true)]
async fn a_property_that_is_gone_is_no_longer_read_nor_known() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
    rig.puppet.until("read a/y", 2).await;
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.again("read a/x", 1).await;
    let reads = rig.puppet.count("read a/y");
    rig.puppet.again("read a/x", 3).await;
    assert_eq!(rig.puppet.count("read a/y"), reads);
    assert_eq!(rig.value("a", "y").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_changed_protocol_config_connects_anew_and_once() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("read a/x", 2).await;
    let mut changed = device("a", [property("x", 1000)]);
    changed.config.insert("port".into(), 502.into());
    rig.add(changed.clone()).await;
    rig.add(changed).await;
    rig.puppet.again("read a/x", 3).await;
    let deeds: Vec<_> = rig.puppet.deeds().into_iter().filter(|deed| !deed.starts_with("state")).collect();
    assert_eq!(deeds, ["connect a", "close a", "connect a"]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_config_ends_the_wait_for_a_device_that_is_away() {
    let rig = Rig::new().await;
    rig.puppet.on("connect a", Does::Fail);
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("connect a", 10).await;
    rig.puppet.mend("connect a");
    let mut changed = device("a", [property("x", 1000)]);
    changed.config.insert("port".into(), 502.into());
    rig.add(changed).await;
    let began = tokio::time::Instant::now();
    rig.puppet.until("read a/x", 1).await;
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_update_does_not_overrule_the_state_that_the_driver_sees() {
    let rig = Rig::new().await;
    let mut rarely = device("a", [property("x", 1000)]);
    rarely.state_report = Some(StateReport { cycle: 3600 * SECOND });
    rig.add(rarely.clone()).await;
    rig.puppet.until("read a/x", 2).await;
    assert_eq!(rig.state("a").await, DeviceState::Ok);
    rarely.properties.push(property("y", 1000));
    rig.add(rarely.clone()).await;
    rig.puppet.until("read a/y", 1).await;
    assert_eq!(rig.state("a").await, DeviceState::Ok);

    // A shorter cycle counts from now on, and not from the end of the longer one.
    rarely.state_report = Some(StateReport { cycle: SECOND });
    rig.add(rarely).await;
    sleep(10 * SECOND).await;
    assert!(rig.puppet.count("state a") >= 9);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_changes_reaches_its_devices() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("read a/x", 1).await;
    let mut text = model();
    text.properties[0].data_type = "STRING".into();
    rig.upsert_model(text).await.expect("nothing is wrong with it");
    rig.puppet.again("read a/x", 2).await;
    assert_eq!(rig.value("a", "x").await, Some(Value::from("0")));
    assert_eq!(rig.puppet.count("connect a"), 1);
}

#[tokio::test(start_paused = true)]
async fn cycles_that_need_more_than_the_budget_are_told_again_when_twins_are_twice_as_old_or_they_had_fitted() {
    let rig = Rig::new().await;
    let logged = Logged::warnings();
    let told = || logged.lines().iter().filter(|line| line.contains("more calls than edgecore accepts")).count();
    rig.add(device("a", [property("x", 100)])).await;
    assert_eq!(told(), 1);
    for name in ["b", "c"] {
        rig.add(device(name, [property("x", 100)])).await;
    }
    assert_eq!(told(), 2, "two are twice as much, and three are not twice two");
    for name in ["a", "b", "c"] {
        rig.remove(name).await.expect("it is there");
    }
    rig.add(device("a", [property("x", 100)])).await;
    assert_eq!(told(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_desired_value_that_changes_after_its_model_was_removed_is_written() {
    let rig = Rig::new().await;
    rig.add(device("a", [desired("level", "5")])).await;
    rig.puppet.until("write a/level", 1).await;
    rig.remove_model().await.expect("it is there");
    rig.add(device("a", [desired("level", "6")])).await;
    rig.puppet.until("write a/level", 2).await;
    sleep(SECOND).await;
    assert_eq!(rig.puppet.value("a/level"), Some(Value::Int(6)));
    assert_eq!(rig.puppet.count("connect a"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pending_twin_of_a_removed_property_is_not_reported() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000), property("y", 1000), property("level", 1000)])).await;
    rig.puppet.until("read a/level", 2).await;
    sleep(SECOND / 10).await;
    assert!(["x", "y", "level"].iter().all(|name| rig.reported("a", name).is_some()));
    let quiet = InstanceProperty { report_to_cloud: false, ..property("level", 1000) };
    rig.add(device("a", [property("x", 1000), quiet])).await;
    sleep(SECOND / 10).await;
    assert_eq!(["x", "y", "level"].map(|name| rig.reported("a", name).is_some()), [true, false, false]);
}
