//! Writing to machines: what may never come late, twice, unasked or unnoticed.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{
    puppet::Does,
    rig::{Logged, Rig, SECOND, desired, device, enforced, id, property, ruled, writes},
};
use crate::{
    OperationError, Order, Value,
    config::{AuditConfig, FirstStart, WritesMode},
    telemetry::Telemetry,
    twin::Phase,
    writes::{AuditFile, WriteMemory, Writes},
};

fn phase(rig: &Rig, property: &str) -> Option<Phase> {
    rig.reported("a", property).and_then(|twin| twin.1)
}

/// Ends the session, and waits until the next one reads.
async fn reconnect(rig: &Rig) {
    let connects = rig.puppet.count("connect a");
    rig.puppet.on("read a/fixed", Does::Disconnect);
    rig.puppet.until("connect a", connects + 1).await;
    rig.puppet.mend("read a/fixed");
    rig.puppet.again("read a/fixed", 2).await;
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_caller_has_given_up_is_not_carried_out() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 3_600_000), property("fixed", 1000)])).await;
    rig.puppet.until("read a/fixed", 1).await;
    rig.puppet.on("read a/fixed", Does::Take(5 * SECOND));
    rig.puppet.again("read a/fixed", 1).await;
    let a = id("a");
    assert!(timeout(SECOND, rig.handle.write(&a, "x", "99")).await.is_err(), "the device is busy for five seconds");
    let stubborn = rig.handle.carry_out(Order::write(&a, "x", "7").outlives_caller());
    assert!(timeout(SECOND, stubborn).await.is_err());
    sleep(20 * SECOND).await;
    let written: Vec<_> = rig.puppet.written("a/x").into_iter().map(|(_, value)| value).collect();
    assert_eq!(written, [Value::Int(7)]);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_has_expired_is_not_carried_out_and_says_so() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 3_600_000), property("fixed", 1000)])).await;
    rig.puppet.until("read a/fixed", 1).await;
    rig.puppet.on("read a/fixed", Does::Take(5 * SECOND));
    rig.puppet.again("read a/fixed", 1).await;
    let order = Order::write(&id("a"), "x", "9").expires_after(2 * SECOND);
    let error = rig.handle.carry_out(order).await.expect_err("it is too late");
    assert!(matches!(error, OperationError::Expired { .. }), "{error}");
    assert!(error.to_string().contains("default/a was not written: the order has expired"), "{error}");
    assert_eq!(rig.puppet.count("write a/x"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_order_is_answered_with_what_was_read_back() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 3_600_000)])).await;
    let x = |text| Order::write(&id("a"), "x", text);
    rig.puppet.until("read a/x", 1).await;
    let answer = rig.handle.carry_out(x("7")).await.expect("all is well");
    assert_eq!(answer.read_back().iter().map(|sample| &sample.value).collect::<Vec<_>>(), [&Value::Int(7)]);
    rig.puppet.on("heed a/x", Does::Refuse);
    let answer = rig.handle.carry_out(x("8")).await.expect("the device takes it");
    assert_eq!(answer.read_back()[0].value, Value::Int(7), "and does not heed it");
    rig.puppet.on("read a/x", Does::Fail);
    let answer = rig.handle.carry_out(x("9")).await.expect("the device takes it");
    assert!(answer.read_back().is_empty(), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_not_written_again_after_a_reconnect_whatever_the_device_has() {
    let rig = Rig::new().await;
    rig.add(device("a", [desired("x", "5"), desired("y", "5"), property("fixed", 1000)])).await;
    sleep(2 * SECOND).await;
    rig.puppet.set("a/x", 0);
    rig.puppet.on("read a/y", Does::Fail);
    for _ in 0..5 {
        reconnect(&rig).await;
    }
    sleep(600 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), rig.puppet.count("write a/y")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_enforced_value_is_not_written_again_before_it_was_read() {
    let rig = Rig::new().await;
    rig.add(device("a", [enforced("x", "5"), property("fixed", 1000)])).await;
    sleep(2 * SECOND).await;
    rig.puppet.on("read a/x", Does::Fail);
    rig.puppet.set("a/x", 0);
    reconnect(&rig).await;
    sleep(600 * SECOND).await;
    assert_eq!(rig.puppet.count("write a/x"), 1);
    rig.puppet.mend("read a/x");
    rig.puppet.again("write a/x", 1).await;
    sleep(SECOND).await;
    assert_eq!((rig.puppet.value("a/x"), phase(&rig, "x")), (Some(Value::Int(5)), Some(Phase::Converged)));
}

#[tokio::test(start_paused = true)]
async fn a_property_that_can_only_be_written_converges_or_is_refused_and_is_written_once() {
    let rig = Rig::new().await;
    for property in ["x", "y"] {
        rig.puppet.on(&format!("read a/{property}"), Does::Refuse);
    }
    rig.puppet.on("write a/y", Does::Refuse);
    let logged = Logged::from(tracing::Level::INFO);
    rig.add(device("a", [enforced("x", "5"), desired("y", "5"), property("fixed", 1000)])).await;
    sleep(2 * SECOND).await;
    reconnect(&rig).await;
    reconnect(&rig).await;
    assert_eq!((rig.puppet.count("write a/x"), rig.puppet.count("write a/y")), (1, 1));
    assert_eq!(logged.count("the device has the desired value"), 1);
    assert_eq!(logged.count("the desired value is refused"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_is_withdrawn_while_another_is_written_is_not_written() {
    let rig = Rig::new().await;
    rig.puppet.on("write a/x", Does::Take(2 * SECOND));
    rig.add(device("a", [desired("x", "1"), desired("y", "1")])).await;
    rig.puppet.until("write a/x", 1).await;
    rig.add(device("a", [desired("x", "1"), desired("y", "")])).await;
    sleep(60 * SECOND).await;
    assert_eq!(rig.puppet.written("a/y"), []);

    // And so is one of a device that is removed.
    rig.add(device("a", [desired("x", "2"), desired("y", "2")])).await;
    rig.puppet.until("write a/x", 2).await;
    rig.remove("a").await.expect("it is there");
    sleep(60 * SECOND).await;
    assert_eq!(rig.puppet.written("a/y"), []);
}

#[tokio::test(start_paused = true)]
async fn a_push_button_is_pressed_once() {
    let rig = Rig::new().await;
    // It falls back at once.
    rig.puppet.on("heed a/x", Does::Refuse);
    rig.puppet.on("heed a/y", Does::Refuse);
    let once = ruled("y", "1", &json!({"writePolicy": "once"}));
    rig.add(device("a", [desired("x", "1"), once, property("fixed", 1000)])).await;
    sleep(3600 * SECOND).await;
    reconnect(&rig).await;
    sleep(86_400 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), rig.puppet.count("write a/y")), (1, 1));
    assert_eq!((phase(&rig, "x"), phase(&rig, "y")), (Some(Phase::Written), Some(Phase::Converged)));
}

#[tokio::test(start_paused = true)]
async fn an_enforced_value_that_a_device_never_keeps_is_given_up() {
    let rig = Rig::new().await;
    rig.puppet.on("heed a/x", Does::Refuse);
    let three = ruled("x", "5", &json!({"writePolicy": "enforce", "writeMaxAttempts": 3}));
    rig.add(device("a", [three])).await;
    sleep(3600 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), phase(&rig, "x")), (3, Some(Phase::Refused)));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_rounds_has_what_is_within_the_tolerance() {
    let rig = Rig::new().await;
    rig.puppet.on("heed a/x", Does::Refuse);
    rig.puppet.set("a/x", 48);
    let about = ruled("x", "50", &json!({"writePolicy": "enforce", "writeTolerance": 2}));
    rig.add(device("a", [about])).await;
    sleep(600 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), phase(&rig, "x")), (1, Some(Phase::Converged)));
    rig.puppet.set("a/x", 47);
    rig.puppet.again("write a/x", 1).await;
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_has_set_stays_over_reconnects_restarts_and_upgrades() {
    let kept = writes();
    let mut rig = Rig::with_writes(kept.clone()).await;
    let wanted = || device("a", [desired("x", "5"), property("fixed", 1000)]);
    rig.add(wanted()).await;
    sleep(2 * SECOND).await;
    rig.write("a", "x", "7").await.expect("all is well");
    reconnect(&rig).await;
    for _ in 0..3 {
        let (puppet, _) = rig.stop().await;
        rig = Rig::after(puppet, kept.clone()).await;
        rig.add(wanted()).await;
        sleep(60 * SECOND).await;
    }
    assert_eq!((rig.puppet.count("write a/x"), rig.puppet.value("a/x")), (2, Some(Value::Int(7))));
    assert_eq!(rig.reported("a", "x"), Some((Value::Int(7), Some(Phase::Converged), "5".to_owned())));
    // A wish that has changed meanwhile is new.
    let (puppet, _) = rig.stop().await;
    let rig = Rig::after(puppet, kept).await;
    rig.add(device("a", [desired("x", "6"), property("fixed", 1000)])).await;
    sleep(SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), rig.puppet.value("a/x")), (3, Some(Value::Int(6))));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_was_cut_off_is_not_given_again_by_the_next_mapper() {
    let kept = writes();
    let rig = Rig::with_writes(kept.clone()).await;
    let wanted = || device("a", [ruled("x", "1", &json!({"writePolicy": "once"})), property("fixed", 1000)]);
    rig.puppet.on("write a/x", Does::Hang);
    rig.add(wanted()).await;
    rig.puppet.until("write a/x", 1).await;
    let (puppet, _) = rig.stop().await;
    puppet.mend("write a/x");
    let rig = Rig::after(puppet, kept).await;
    rig.add(wanted()).await;
    sleep(3600 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), phase(&rig, "x")), (1, Some(Phase::Refused)));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_removed_and_added_again_is_written_anew() {
    let rig = Rig::new().await;
    for count in 1..=3 {
        rig.add(device("a", [desired("x", "5")])).await;
        sleep(2 * SECOND).await;
        assert_eq!(rig.puppet.count("write a/x"), count);
        rig.remove("a").await.expect("it is there");
        sleep(2 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_is_withdrawn_and_set_again_is_new() {
    let rig = Rig::new().await;
    for count in 1..=3 {
        rig.add(device("a", [desired("x", "5")])).await;
        sleep(2 * SECOND).await;
        assert_eq!(rig.puppet.count("write a/x"), count);
        rig.add(device("a", [desired("x", "")])).await;
        sleep(2 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_closes_after_each_answer_is_written() {
    let rig = Rig::new().await;
    rig.puppet.on("idle a", Does::Disconnect);
    rig.add(device("a", [desired("x", "5"), property("y", 1000)])).await;
    sleep(60 * SECOND).await;
    assert_eq!((rig.puppet.value("a/x"), phase(&rig, "x")), (Some(Value::Int(5)), Some(Phase::Converged)));
    rig.add(device("a", [desired("x", "6"), property("y", 1000)])).await;
    sleep(60 * SECOND).await;
    assert_eq!((rig.puppet.value("a/x"), phase(&rig, "x")), (Some(Value::Int(6)), Some(Phase::Converged)));
    assert_eq!(rig.puppet.count("write a/x"), 2, "one that is closed has done nothing");
}

#[tokio::test(start_paused = true)]
async fn only_a_wish_that_has_converged_is_echoed() {
    let rig = Rig::new().await;
    let echo = |rig: &Rig| rig.reported("a", "x").map(|twin| twin.2);
    rig.add(device("a", [desired("x", "5")])).await;
    sleep(2 * SECOND).await;
    assert_eq!(echo(&rig).as_deref(), Some("5"));
    rig.puppet.on("heed a/x", Does::Refuse);
    rig.add(device("a", [desired("x", "6")])).await;
    sleep(2 * SECOND).await;
    assert_eq!((echo(&rig).as_deref(), phase(&rig, "x")), (Some("5"), Some(Phase::Written)));
    rig.puppet.on("write a/x", Does::Refuse);
    rig.add(device("a", [desired("x", "7")])).await;
    sleep(2 * SECOND).await;
    assert_eq!((echo(&rig).as_deref(), phase(&rig, "x")), (Some("5"), Some(Phase::Refused)));
    rig.add(device("a", [desired("x", "")])).await;
    sleep(2 * SECOND).await;
    assert_eq!((echo(&rig).as_deref(), phase(&rig, "x")), (Some(""), None));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_while_the_interlock_does_not_hold() {
    let rig = Rig::new().await;
    let logged = Logged::warnings();
    rig.puppet.set("a/y", 1);
    let locked = || ruled("x", "5", &json!({"writeInterlock": "y == 0"}));
    rig.add(device("a", [locked(), property("y", 3_600_000)])).await;
    sleep(60 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), logged.count("a write waits")), (0, 1));
    assert_eq!(logged.count("writeInterlock y == 0: it is 1"), 1, "{:?}", logged.lines());
    let error = rig.write("a", "x", "9").await.expect_err("it holds for orders, too");
    assert!(error.contains("writeInterlock y == 0: it is 1"), "{error}");
    // It is read fresh: the mapper would read y in an hour.
    rig.puppet.set("a/y", 0);
    rig.puppet.until("write a/x", 1).await;
    rig.puppet.on("read a/y", Does::Fail);
    let error = rig.write("a", "x", "9").await.expect_err("what cannot be read does not hold");
    assert!(error.contains("cannot be read"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_ramp_goes_from_where_the_device_stands() {
    let rig = Rig::new().await;
    rig.puppet.set("a/x", 10);
    rig.add(device("a", [ruled("x", "20", &json!({"writeRampPerSecond": 3})), property("y", 1000)])).await;
    sleep(10 * SECOND).await;
    let written = rig.puppet.written("a/x");
    let values: Vec<_> = written.iter().map(|(_, value)| value.clone()).collect();
    assert_eq!(values, [13, 16, 19, 20].map(Value::Int));
    assert!(written.windows(2).all(|pair| pair[1].0 - pair[0].0 >= SECOND), "{written:?}");
    assert_eq!(phase(&rig, "x"), Some(Phase::Converged));
    let error = rig.write("a", "x", "90").await.expect_err("an order would jump");
    assert!(error.contains("writeRampPerSecond"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_least_interval_holds_for_wishes_and_orders() {
    let rig = Rig::new().await;
    let paced = |value: &str| device("a", [ruled("x", value, &json!({"writeMinInterval": 10_000}))]);
    for value in ["1", "2", "3"] {
        rig.add(paced(value)).await;
        sleep(SECOND).await;
    }
    let error = rig.write("a", "x", "9").await.expect_err("it is too early");
    assert!(error.contains("writeMinInterval allows the next write in 7s"), "{error}");
    sleep(20 * SECOND).await;
    let written = rig.puppet.written("a/x");
    let values: Vec<_> = written.iter().map(|(_, value)| value.clone()).collect();
    assert_eq!(values, [1, 3].map(Value::Int));
    assert!(written[1].0 - written[0].0 >= 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_wish_expires() {
    let rig = Rig::new().await;
    rig.puppet.on("connect a", Does::Fail);
    rig.add(device("a", [ruled("x", "5", &json!({"writeExpiresAfter": 60_000})), property("y", 1000)])).await;
    sleep(90 * SECOND).await;
    rig.puppet.mend("connect a");
    rig.puppet.until("read a/x", 3).await;
    assert_eq!((rig.puppet.count("write a/x"), phase(&rig, "x")), (0, Some(Phase::Expired)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_device_is_given_its_time() {
    let rig = Rig::new().await;
    rig.puppet.on("heed a/x", Does::Refuse);
    let slow = json!({"writePolicy": "enforce", "writeReadBackDelay": 5000});
    rig.add(device("a", [ruled("x", "5", &slow)])).await;
    rig.puppet.until("write a/x", 1).await;
    sleep(4 * SECOND).await;
    rig.puppet.set("a/x", 5);
    sleep(60 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), phase(&rig, "x")), (1, Some(Phase::Converged)));
}

#[tokio::test(start_paused = true)]
async fn never_read_only_and_a_dry_run_write_nothing() {
    let read_only = Writes { mode: WritesMode::ReadOnly, ..writes() };
    let dry = Writes { dry_run: true, ..writes() };
    let cases = [
        (writes(), json!({"writePolicy": "never"}), "its writePolicy is never", Phase::Refused),
        (writes(), json!({"writePolicy": "sometimes"}), "is none of onChange", Phase::Refused),
        (writes(), json!({"writeDryRun": true}), "it is a dry run", Phase::Held),
        (read_only, json!({}), "writes.mode is readOnly", Phase::Held),
        (dry, json!({}), "it is a dry run", Phase::Held),
    ];
    for (writes, keys, reason, expected) in cases {
        let logged = Logged::from(tracing::Level::INFO);
        let rig = Rig::with_writes(writes).await;
        // A wrong key is refused, and the property is read all the same.
        drop(rig.upsert(device("a", [ruled("x", "5", &keys), property("y", 1000)])).await);
        sleep(600 * SECOND).await;
        assert_eq!(phase(&rig, "x"), Some(expected), "{keys}");
        assert!(logged.count(reason) >= 1, "{:?}", logged.lines());
        rig.write("a", "x", "7").await.expect_err("an order is not carried out either");
        assert_eq!(rig.puppet.count("write a/x"), 0, "{keys}");
    }
}

#[tokio::test(start_paused = true)]
async fn read_only_is_for_methods_too() {
    let rig = Rig::with_writes(Writes { mode: WritesMode::ReadOnly, ..writes() }).await;
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("read a/x", 1).await;
    let error = rig.handle.call(&id("a"), "set", &[("x", "7")]).await.expect_err("nothing is written");
    assert!(error.to_string().contains("writes.mode is readOnly"), "{error}");
    assert_eq!(rig.puppet.count("call set of a"), 0);
}

#[tokio::test]
async fn what_was_written_is_remembered_in_a_file_and_recorded_in_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let (memory, audit) = (folder.path().join("memory"), folder.path().join("audit"));
    let kept = async || {
        let telemetry = Telemetry::default();
        let config = AuditConfig { path: audit.clone(), ..AuditConfig::default() };
        Writes {
            memory: WriteMemory::open(memory.clone(), FirstStart::Write, telemetry.clone()).await,
            audit: AuditFile::open(&config, telemetry).await,
            ..writes()
        }
    };
    let wanted = |value: &str| device("a", [desired("x", value), property("y", 20), property("fixed", 20)]);
    let mut puppet = None;
    for (run, value) in ["5", "5", "6"].into_iter().enumerate() {
        let kept = kept().await;
        let rig = Rig::after(puppet.take().unwrap_or_else(super::puppet::Puppet::new), kept.clone()).await;
        rig.add(wanted(value)).await;
        rig.puppet.again("read a/fixed", 2).await;
        if run == 0 {
            rig.puppet.on("write a/y", Does::Refuse);
            rig.write("a", "y", "7").await.expect_err("the device does not know it");
        }
        puppet = Some(rig.stop().await.0);
        kept.audit.close().await;
        kept.memory.flush().await;
    }
    let written = puppet.expect("a run").written("a/x").into_iter().map(|(_, value)| value);
    assert_eq!(
        written.collect::<Vec<_>>(),
        [5, 6].map(Value::Int),
        "the second mapper knows what the first has written"
    );
    let lines = std::fs::read_to_string(&audit).expect("it was recorded");
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let shown = lines.iter().map(|line| {
        let text = |key: &str| line[key].as_str().unwrap_or("-");
        ["property", "old", "new", "origin", "result", "read_back"].map(text).join(" ")
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        ["x - 5 desired written 5", "y 0 7 handle refused -", "x - 6 desired written 6"],
        "{lines:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn each_write_is_logged_with_who_wanted_it() {
    let logged = Logged::from(tracing::Level::INFO);
    let rig = Rig::new().await;
    rig.add(device("a", [desired("x", "5"), property("y", 1000)])).await;
    rig.puppet.until("read a/y", 2).await;
    rig.handle.carry_out(Order::write(&id("a"), "y", "7").origin("night shift")).await.expect("all is well");
    rig.handle.call(&id("a"), "set", &[("x", "8")]).await.expect("all is well");
    sleep(Duration::from_millis(10)).await;
    for expected in [
        r#"written device=default/a property="x" old="" new="5" origin="desired" read_back="5""#,
        r#"written device=default/a property="y" old="0" new="7" origin="night shift" read_back="7""#,
        r#"called device=default/a method="set" arguments="x=8" results="8" origin="handle""#,
    ] {
        assert_eq!(logged.count(expected), 1, "{expected} is not among {:#?}", logged.lines());
    }
}
