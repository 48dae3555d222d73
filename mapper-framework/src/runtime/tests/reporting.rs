//! Which samples become reports.

use serde_json::json;
use tokio::time::sleep;

use super::{
    puppet::Does,
    rig::{Rig, SECOND, desired, device, id, keyed, property},
};
use crate::{
    Reading, Value,
    driver::Change,
    model::{InstanceProperty, Quality},
    twin::Phase,
};

/// A device whose first values have been reported.
async fn quiet<const N: usize>(properties: [InstanceProperty; N]) -> Rig {
    let rig = Rig::new().await;
    rig.puppet.set("a/x", 7);
    rig.add(device("a", properties)).await;
    rig.puppet.until("read a/x", 2).await;
    sleep(SECOND / 10).await;
    assert_eq!(reported(&rig, "x"), Some(Value::Int(7)));
    rig
}

/// What was posted to be reported of a property, taken out.
fn reported(rig: &Rig, property: &str) -> Option<Value> {
    let pending = rig.outbox.pending(&id("a"), property).map(|twin| twin.value);
    rig.outbox.retain(&id("a"), |other| other != property);
    pending
}

fn thinned(rig: &Rig, property: &str) -> u64 {
    let stats = rig.handle.device_stats(&id("a")).expect("the device is there");
    stats.property(property).expect("the property is there").thinned().twins()
}

#[tokio::test(start_paused = true)]
async fn what_does_not_change_is_reported_every_five_minutes_and_counted() {
    let rig = quiet([property("x", 1000)]).await;
    sleep(200 * SECOND).await;
    assert_eq!(reported(&rig, "x"), None);
    assert!((195..=202).contains(&thinned(&rig, "x")), "{}", thinned(&rig, "x"));
    assert_eq!(rig.stats().thinned().twins(), thinned(&rig, "x"));
    sleep(101 * SECOND).await;
    assert_eq!(reported(&rig, "x"), Some(Value::Int(7)));
    rig.puppet.set("a/x", 8);
    sleep(2 * SECOND).await;
    assert_eq!(reported(&rig, "x"), Some(Value::Int(8)));
}

#[tokio::test(start_paused = true)]
async fn a_key_brings_each_sample_to_the_twin() {
    let rig = quiet([keyed("x", &json!({"reportStrategy": "always"}))]).await;
    for _ in 0..10 {
        sleep(SECOND).await;
        assert_eq!(reported(&rig, "x"), Some(Value::Int(7)));
    }
    assert_eq!(thinned(&rig, "x"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_within_the_deadband_waits_and_another_quality_does_not() {
    let rig = quiet([keyed("x", &json!({"reportDeadband": 5}))]).await;
    rig.puppet.set("a/x", 12);
    sleep(10 * SECOND).await;
    assert_eq!(reported(&rig, "x"), None);
    rig.puppet.set("a/x", Reading::new(12).quality(Quality::Uncertain));
    sleep(2 * SECOND).await;
    assert_eq!(reported(&rig, "x"), Some(Value::Int(12)));
    rig.puppet.set("a/x", Reading::new(18).quality(Quality::Uncertain));
    sleep(2 * SECOND).await;
    assert_eq!(reported(&rig, "x"), Some(Value::Int(18)));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_came_too_soon_is_reported_when_the_interval_is_over() {
    let rig = Rig::new().await;
    rig.puppet.subscribe("a/x");
    rig.add(device("a", [keyed("x", &json!({"reportMinInterval": 10_000}))])).await;
    rig.puppet.deliver("a", vec![Change::new("x", 1)]);
    sleep(SECOND).await;
    assert_eq!(reported(&rig, "x"), Some(Value::Int(1)));
    rig.puppet.deliver("a", vec![Change::new("x", 2)]);
    rig.puppet.deliver("a", vec![Change::new("x", 3)]);
    sleep(8 * SECOND).await;
    assert_eq!(reported(&rig, "x"), None);
    sleep(2 * SECOND).await;
    assert_eq!(reported(&rig, "x"), Some(Value::Int(3)), "the last one, though nothing was delivered since");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_waits_is_reported_when_the_device_is_lost() {
    let rig = Rig::new().await;
    rig.puppet.subscribe("a/x");
    rig.add(device("a", [keyed("x", &json!({"reportMinInterval": 100_000}))])).await;
    rig.puppet.deliver("a", vec![Change::new("x", 1)]);
    sleep(SECOND).await;
    reported(&rig, "x");
    rig.puppet.deliver("a", vec![Change::new("x", 2)]);
    sleep(SECOND).await;
    let (_, outbox) = rig.stop().await;
    assert_eq!(outbox.pending(&id("a"), "x").map(|twin| twin.value), Some(Value::Int(2)));
}

#[tokio::test(start_paused = true)]
async fn the_first_value_after_a_lost_connection_is_reported_and_after_a_renewed_one_it_is_not() {
    let rig = quiet([property("x", 1000)]).await;
    rig.puppet.on("idle a", Does::Disconnect);
    rig.puppet.again("connect a", 5).await;
    sleep(SECOND / 2).await;
    assert_eq!(reported(&rig, "x"), None, "many a device closes each connection");
    rig.puppet.mend("idle a");
    for operation in ["read a/x", "connect a"] {
        rig.puppet.on(operation, Does::Disconnect);
    }
    rig.puppet.again("connect a", 3).await;
    for operation in ["read a/x", "connect a"] {
        rig.puppet.mend(operation);
    }
    rig.puppet.again("read a/x", 2).await;
    assert_eq!(reported(&rig, "x"), Some(Value::Int(7)));
}

#[tokio::test(start_paused = true)]
async fn where_a_desired_value_stands_is_reported_though_the_value_is_the_same() {
    let rig = quiet([keyed("x", &json!({}))]).await;
    rig.puppet.on("write a/x", Does::Refuse);
    rig.add(device("a", [desired("x", "9")])).await;
    rig.puppet.until("write a/x", 1).await;
    sleep(5 * SECOND).await;
    assert_eq!(rig.reported("a", "x"), Some((Value::Int(7), Some(Phase::Refused), String::new())));
    reported(&rig, "x");
    sleep(10 * SECOND).await;
    assert_eq!(reported(&rig, "x"), None, "and once only");
    rig.puppet.mend("write a/x");
    rig.add(device("a", [desired("x", "7")])).await;
    sleep(5 * SECOND).await;
    assert_eq!(rig.reported("a", "x"), Some((Value::Int(7), Some(Phase::Converged), "7".into())));
}

#[tokio::test(start_paused = true)]
async fn what_would_go_soon_goes_along_with_what_goes() {
    let rig = quiet([property("x", 1000), property("y", 1000)]).await;
    reported(&rig, "y");
    rig.puppet.set("a/x", 8);
    sleep(100 * SECOND).await;
    assert_eq!((reported(&rig, "x"), reported(&rig, "y")), (Some(Value::Int(8)), None));
    rig.puppet.set("a/x", 9);
    sleep(100 * SECOND).await;
    assert!(reported(&rig, "x").is_some() && reported(&rig, "y").is_none(), "x has changed at once");
    rig.puppet.set("a/x", 10);
    sleep(2 * SECOND).await;
    assert!(reported(&rig, "x").is_some() && reported(&rig, "y").is_some(), "one call has both");
}

#[tokio::test(start_paused = true)]
async fn a_property_that_is_not_polled_is_read_when_somebody_asks() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("y", 1000), keyed("x", &json!({"poll": false}))])).await;
    rig.puppet.until("read a/y", 10).await;
    assert_eq!(rig.puppet.count("read a/x"), 0);
    rig.write("a", "x", "5").await.expect("it can be written");
    assert_eq!((rig.puppet.count("read a/x"), rig.value("a", "x").await), (1, Some(Value::Int(5))));
    rig.puppet.set("a/x", 6);
    let read = rig.handle.read(&id("a"), "x").await.expect("it can be read");
    assert_eq!((read.value, rig.value("a", "x").await), (Value::Int(6), Some(Value::Int(6))));
    assert_eq!(reported(&rig, "x"), Some(Value::Int(6)));
    let missing = rig.handle.read(&id("a"), "z").await.unwrap_err().to_string();
    assert!(missing.contains("has no property \"z\""), "{missing}");
    rig.puppet.on("read a/x", Does::Fail);
    let failed = rig.handle.read(&id("a"), "x").await.unwrap_err();
    assert!(failed.is_retryable(), "{failed}");
    rig.puppet.mend("read a/x");
    rig.handle.read(&id("a"), "x").await.expect("it can be read again");
    // It does not speak for the device.
    rig.puppet.on("read a/y", Does::Fail);
    rig.puppet.again("read a/y", 2).await;
    sleep(SECOND / 10).await;
    assert_eq!(rig.state("a").await, crate::DeviceState::Unhealthy);
}
