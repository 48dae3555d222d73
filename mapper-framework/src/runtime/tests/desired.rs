//! Desired values.

use tokio::time::sleep;

use super::{
    puppet::Does,
    rig::{Rig, SECOND, desired, device, enforced, property},
};
use crate::{DeviceState, Value, twin::Phase};

#[tokio::test(start_paused = true)]
async fn a_desired_value_is_written_read_back_and_echoed_verbatim() {
    let rig = Rig::new().await;
    rig.add(device("a", [desired("level", "5.0")])).await;
    sleep(SECOND / 2).await;
    assert_eq!(rig.reported("a", "level"), Some((Value::Int(5), Some(Phase::Converged), "5.0".to_owned())));
    sleep(10 * SECOND).await;
    assert_eq!(rig.puppet.count("write a/level"), 1);

    rig.add(device("a", [desired("level", "6")])).await;
    sleep(SECOND / 4).await;
    assert_eq!(rig.reported("a", "level"), Some((Value::Int(6), Some(Phase::Converged), "6".to_owned())));
    assert_eq!(rig.puppet.count("write a/level"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_absent_desired_value_writes_nothing() {
    let rig = Rig::new().await;
    rig.add(device("a", [desired("level", "5")])).await;
    sleep(5 * SECOND).await;
    rig.add(device("a", [desired("level", "")])).await;
    sleep(5 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/level"), rig.value("a", "level").await), (1, Some(Value::Int(5))));
    assert_eq!(rig.reported("a", "level"), Some((Value::Int(5), None, String::new())));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_is_repeated_with_backoff_and_reported_pending() {
    let rig = Rig::new().await;
    rig.puppet.on("write a/level", Does::Fail);
    rig.add(device("a", [desired("level", "5")])).await;
    rig.puppet.until("write a/level", 9).await;
    assert_eq!(rig.reported("a", "level"), Some((Value::Int(0), Some(Phase::Pending), String::new())));
    rig.puppet.mend("write a/level");
    sleep(301 * SECOND).await;
    assert_eq!(rig.reported("a", "level"), Some((Value::Int(5), Some(Phase::Converged), "5".to_owned())));
    let times = rig.puppet.times("write a/level");
    assert!(times.windows(2).map(|pair| pair[1] - pair[0]).all(|pause| pause >= SECOND / 2), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_takes_an_enforced_value_and_does_not_heed_it_is_written_again() {
    let rig = Rig::new().await;
    rig.puppet.on("heed a/level", Does::Refuse);
    rig.add(device("a", [enforced("level", "5")])).await;
    rig.puppet.until("write a/level", 3).await;
    assert_eq!(rig.reported("a", "level"), Some((Value::Int(0), Some(Phase::Pending), String::new())));
    rig.puppet.mend("heed a/level");
    rig.puppet.again("write a/level", 1).await;
    sleep(2 * SECOND).await;
    assert_eq!(rig.reported("a", "level"), Some((Value::Int(5), Some(Phase::Converged), "5".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn what_the_model_or_the_device_forbids_is_refused_and_not_written_again() {
    let rig = Rig::new().await;
    rig.puppet.on("write a/y", Does::Refuse);
    let properties = [desired("fixed", "5"), desired("x", "warm"), desired("level", "101"), desired("y", "5")];
    rig.add(device("a", properties)).await;
    sleep(600 * SECOND).await;
    for property in ["fixed", "x", "level", "y"] {
        let (_, phase, _) = rig.reported("a", property).expect("its value is reported all the same");
        assert_eq!(phase, Some(Phase::Refused), "{property}");
    }
    let writes: Vec<_> = rig.puppet.deeds().into_iter().filter(|deed| deed.starts_with("write")).collect();
    assert_eq!(writes, ["write a/y"]);
    assert_eq!(rig.stats().writes().desired_refused(), 4);
    assert_eq!(rig.state("a").await, DeviceState::Ok, "the rest of the device is sound");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_kept_the_value_is_not_written_after_a_reconnect() {
    let rig = Rig::new().await;
    rig.add(device("a", [desired("level", "5"), property("x", 1000)])).await;
    sleep(2 * SECOND).await;
    rig.puppet.on("read a/x", Does::Disconnect);
    rig.puppet.until("connect a", 2).await;
    rig.puppet.mend("read a/x");
    rig.puppet.again("read a/x", 3).await;
    assert_eq!(rig.puppet.count("write a/level"), 1);
    assert_eq!(rig.reported("a", "level").and_then(|twin| twin.1), Some(Phase::Converged));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_lost_an_enforced_value_is_written_after_a_reconnect() {
    let rig = Rig::new().await;
    rig.add(device("a", [enforced("level", "5"), property("x", 1000)])).await;
    sleep(2 * SECOND).await;
    rig.puppet.on("read a/x", Does::Disconnect);
    rig.puppet.until("connect a", 2).await;
    rig.puppet.set("a/level", 0);
    rig.puppet.mend("read a/x");
    rig.puppet.until("write a/level", 2).await;
    sleep(SECOND).await;
    assert_eq!(rig.value("a", "level").await, Some(Value::Int(5)));
}

#[tokio::test(start_paused = true)]
async fn a_property_that_can_only_be_written_converges_when_it_is_written() {
    let rig = Rig::new().await;
    rig.puppet.on("read a/level", Does::Refuse);
    rig.add(device("a", [desired("level", "5"), property("x", 1000)])).await;
    sleep(60 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/level"), rig.puppet.count("connect a")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_desired_value_that_changes_while_the_device_is_away_is_written_when_it_is_back() {
    let rig = Rig::new().await;
    rig.puppet.on("connect a", Does::Fail);
    for value in ["1", "2", "3"] {
        rig.add(device("a", [desired("level", value)])).await;
        sleep(5 * SECOND).await;
    }
    rig.puppet.mend("connect a");
    rig.puppet.until("write a/level", 1).await;
    sleep(5 * SECOND).await;
    assert_eq!((rig.value("a", "level").await, rig.puppet.count("write a/level")), (Some(Value::Int(3)), 1));
}
