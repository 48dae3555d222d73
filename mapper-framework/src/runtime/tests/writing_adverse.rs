//! What a correction, a race or an accident must not have written, and must not have reported.

use serde_json::{Value as Json, json};
use tokio::time::sleep;

use super::{
    puppet::{Does, Puppet},
    rig::{Logged, Rig, SECOND, desired, device, id, model, property, ruled, writes},
};
use crate::{
    Order, Value,
    config::AuditConfig,
    model::Method,
    telemetry::Telemetry,
    twin::Phase,
    writes::{AuditFile, Outcome, Writes},
};

fn phase(rig: &Rig, property: &str) -> Option<Phase> {
    rig.reported("a", property).and_then(|twin| twin.1)
}

fn values(rig: &Rig, place: &str) -> Vec<Value> {
    rig.puppet.written(place).into_iter().map(|(_, value)| value).collect()
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_calls_no_method_whether_it_has_arguments_or_not() {
    let rig = Rig::with_writes(Writes { dry_run: true, ..writes() }).await;
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("read a/x", 1).await;
    for arguments in [&[][..], &[("x", "7")]] {
        let error = rig.handle.call(&id("a"), "set", arguments).await.expect_err("nothing is called");
        assert!(error.to_string().contains("dry run"), "{error}");
    }
    assert_eq!(rig.puppet.count("call set of a"), 0);
}

/// The wish has been carried out, somebody has set the device otherwise since, and the manifest was wrong for a while.
async fn is_left_alone_after(wrong: &Json) {
    let rig = Rig::new().await;
    let wanted = |keys: &Json| device("a", [ruled("x", "5", keys), property("y", 1000)]);
    rig.add(wanted(&json!({}))).await;
    sleep(2 * SECOND).await;
    rig.puppet.set("a/x", 7);
    drop(rig.upsert(wanted(wrong)).await);
    sleep(2 * SECOND).await;
    rig.add(wanted(&json!({}))).await;
    sleep(60 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), rig.puppet.value("a/x")), (1, Some(Value::Int(7))), "{wrong}");
    assert_eq!(phase(&rig, "x"), Some(Phase::Converged), "{wrong}");
}

#[tokio::test(start_paused = true)]
async fn a_wish_is_not_new_when_its_manifest_is_put_right_again() {
    for wrong in [
        json!({"writePolicy": "never"}),
        json!({"writePolicy": "sometimes"}),
        json!({"writeDryRun": true}),
        json!({"register": "seven"}),
    ] {
        is_left_alone_after(&wrong).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_is_not_new_when_the_model_is_put_right_again() {
    let (mut read_only, mut lacking) = (model(), model());
    read_only.properties.iter_mut().for_each(|property| property.access_mode = "ReadOnly".into());
    lacking.properties.retain(|property| property.name != "x");
    for wrong in [read_only, lacking] {
        let rig = Rig::new().await;
        rig.add(device("a", [desired("x", "5"), property("y", 1000)])).await;
        sleep(2 * SECOND).await;
        rig.puppet.set("a/x", 7);
        for model in [wrong, model()] {
            drop(rig.upsert_model(model).await);
            sleep(2 * SECOND).await;
        }
        assert_eq!((rig.puppet.count("write a/x"), rig.puppet.value("a/x")), (1, Some(Value::Int(7))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_was_refused_by_a_wrong_key_is_written_once_that_is_right() {
    let rig = Rig::new().await;
    drop(rig.upsert(device("a", [ruled("x", "5", &json!({"writePolicy": "sometimes"})), property("y", 1000)])).await);
    sleep(2 * SECOND).await;
    rig.add(device("a", [desired("x", "5"), property("y", 1000)])).await;
    sleep(2 * SECOND).await;
    assert_eq!(values(&rig, "a/x"), [Value::Int(5)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_dry_run_has_held_is_written_when_that_is_over() {
    let rig = Rig::new().await;
    let wanted = |keys: &Json| device("a", [ruled("x", "5", keys), property("y", 1000)]);
    rig.add(wanted(&json!({"writeDryRun": true}))).await;
    sleep(2 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), phase(&rig, "x")), (0, Some(Phase::Held)));
    rig.add(wanted(&json!({}))).await;
    sleep(2 * SECOND).await;
    assert_eq!((values(&rig, "a/x"), phase(&rig, "x")), (vec![Value::Int(5)], Some(Phase::Converged)));
}

#[tokio::test(start_paused = true)]
async fn a_write_of_which_nobody_knows_is_not_repeated_where_nothing_can_be_read() {
    let rig = Rig::new().await;
    rig.puppet.on("read a/x", Does::Refuse);
    rig.puppet.on("write a/x", Does::Hang);
    rig.add(device("a", [desired("x", "5"), property("fixed", 1000)])).await;
    rig.puppet.until("write a/x", 1).await;
    sleep(12 * SECOND).await;
    rig.puppet.mend("write a/x");
    sleep(600 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), rig.snapshot("a").await.desired[0].phase), (1, Phase::Refused));
}

#[tokio::test(start_paused = true)]
async fn a_ramp_that_was_held_up_begins_where_the_device_stands_then() {
    let rig = Rig::new().await;
    let ramp = ruled("x", "20", &json!({"writeRampPerSecond": 3, "writeInterlock": "y == 0"}));
    rig.puppet.set("a/x", 10);
    rig.add(device("a", [ramp, property("y", 3_600_000)])).await;
    rig.puppet.until("write a/x", 1).await;
    rig.puppet.set("a/y", 1);
    sleep(5 * SECOND).await;
    let before = values(&rig, "a/x").len();
    rig.puppet.set("a/x", 50);
    sleep(20 * SECOND).await;
    rig.puppet.set("a/y", 0);
    rig.puppet.again("write a/x", 2).await;
    assert_eq!(values(&rig, "a/x")[before..before + 2], [47, 44].map(Value::Int));
}

#[tokio::test(start_paused = true)]
async fn a_ramp_goes_on_from_where_somebody_has_put_the_device() {
    for (there, next) in [(50, 47), (2, 5)] {
        let rig = Rig::new().await;
        rig.puppet.set("a/x", 10);
        rig.add(device("a", [ruled("x", "30", &json!({"writeRampPerSecond": 3})), property("y", 1000)])).await;
        rig.puppet.until("write a/x", 2).await;
        rig.puppet.set("a/x", there);
        rig.puppet.again("write a/x", 1).await;
        assert_eq!(values(&rig, "a/x"), [13, 16, next].map(Value::Int));
    }
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_wish_is_remembered_though_its_device_was_never_there() {
    let kept = writes();
    let rig = Rig::with_writes(kept.clone()).await;
    rig.puppet.on("connect a", Does::Fail);
    rig.add(device("a", [ruled("x", "5", &json!({"writeExpiresAfter": 60_000})), property("y", 1000)])).await;
    rig.puppet.until("connect a", 2).await;
    let remembered = kept.memory.recall(&id("a"), "x").expect("it was seen");
    assert_eq!((remembered.outcome, remembered.attempts), (Outcome::Pending, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_method_counts_for_the_least_interval() {
    let rig = Rig::new().await;
    let paced = |value: &str| device("a", [ruled("x", value, &json!({"writeMinInterval": 10_000}))]);
    rig.add(paced("")).await;
    rig.puppet.until("read a/x", 1).await;
    rig.handle.call(&id("a"), "set", &[("x", "8")]).await.expect("all is well");
    let error = rig.handle.call(&id("a"), "set", &[("x", "9")]).await.expect_err("it is too early");
    assert!(error.to_string().contains("writeMinInterval"), "{error}");
    rig.add(paced("5")).await;
    rig.puppet.until("write a/x", 1).await;
    sleep(60 * SECOND).await;
    let written = rig.puppet.written("a/x");
    assert_eq!(values(&rig, "a/x"), [8, 5].map(Value::Int));
    assert!(written[1].0 - written[0].0 >= 10 * SECOND, "{written:?}");
}

#[tokio::test(start_paused = true)]
async fn the_least_interval_holds_over_a_restart() {
    let kept = writes();
    let mut rig = Rig::with_writes(kept.clone()).await;
    for value in ["1", "2"] {
        rig.add(device("a", [ruled("x", value, &json!({"writeMinInterval": 10_000}))])).await;
        sleep(SECOND).await;
        let (puppet, _) = rig.stop().await;
        rig = Rig::after(puppet, kept.clone()).await;
    }
    rig.add(device("a", [ruled("x", "2", &json!({"writeMinInterval": 10_000}))])).await;
    sleep(60 * SECOND).await;
    let written = rig.puppet.written("a/x");
    assert_eq!(values(&rig, "a/x"), [1, 2].map(Value::Int));
    assert!(written[1].0 - written[0].0 >= 10 * SECOND, "{written:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_expires_while_its_interlock_is_read_is_not_written() {
    let rig = Rig::new().await;
    rig.puppet.on("read a/y", Does::Take(5 * SECOND));
    let keys = json!({"writeExpiresAfter": 3000, "writeInterlock": "y == 0"});
    rig.add(device("a", [ruled("x", "5", &keys), property("y", 3_600_000)])).await;
    sleep(60 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), phase(&rig, "x")), (0, Some(Phase::Expired)));
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_device_changes_while_the_interlock_is_read_is_not_carried_out() {
    let rig = Rig::new().await;
    let keys = json!({"writeInterlock": "y == 0"});
    rig.add(device("a", [ruled("x", "", &keys), property("y", 3_600_000)])).await;
    rig.puppet.until("read a/y", 1).await;
    rig.puppet.on("read a/y", Does::Take(5 * SECOND));
    let change = async {
        rig.puppet.until("read a/y", 2).await;
        rig.add(device("a", [ruled("x", "", &json!({"writePolicy": "never"})), property("y", 3_600_000)])).await;
    };
    let (written, ()) = tokio::join!(rig.write("a", "x", "7"), change);
    let error = written.expect_err("x may not be written any more");
    assert!(error.contains("the device was changed"), "{error}");
    assert_eq!(rig.puppet.count("write a/x"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_order_is_read_back_into_the_audit_unless_the_device_needs_its_time_to_show_it() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 3_600_000), ruled("y", "", &json!({"writeReadBackDelay": 500}))])).await;
    rig.puppet.until("read a/y", 1).await;
    let answer = rig.handle.carry_out(Order::write(&id("a"), "x", "7")).await.expect("all is well");
    assert_eq!(answer.read_back()[0].value, Value::Int(7));
    let answer = rig.handle.carry_out(Order::write(&id("a"), "y", "7")).await.expect("all is well");
    assert_eq!(answer.read_back().len(), 0, "what is read before the delay does not count");
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_is_attempted_already_is_not_written_again_as_a_command() {
    let rig = Rig::new().await;
    let logged = Logged::from(tracing::Level::INFO);
    let wanted = |policy: &str| device("a", [ruled("x", "5", &json!({"writePolicy": policy})), property("y", 1000)]);
    rig.puppet.on("write a/x", Does::Fail);
    rig.add(wanted("onChange")).await;
    rig.puppet.until("write a/x", 1).await;
    rig.add(wanted("once")).await;
    rig.puppet.mend("write a/x");
    sleep(600 * SECOND).await;
    assert_eq!((rig.puppet.count("write a/x"), phase(&rig, "x")), (1, Some(Phase::Refused)));
    assert_eq!(logged.count("the desired value is refused"), 1, "{:?}", logged.lines());
}

#[tokio::test]
async fn a_method_that_fails_in_the_middle_is_recorded_as_unknown_and_one_without_arguments_is_recorded_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit");
    let config = AuditConfig { path: path.clone(), ..AuditConfig::default() };
    let kept = Writes { audit: AuditFile::open(&config, Telemetry::default()).await, ..writes() };
    let rig = Rig::after(Puppet::new(), kept.clone()).await;
    let mut both = device("a", [property("x", 20), property("y", 20)]);
    let property_names = vec!["x".into(), "y".into()];
    both.methods = vec![Method { name: "set".into(), description: String::new(), property_names }];
    rig.add(both).await;
    rig.puppet.until("read a/y", 1).await;
    rig.puppet.on("write a/y", Does::Refuse);
    rig.handle.call(&id("a"), "set", &[("x", "8"), ("y", "9")]).await.expect_err("y cannot be written");
    rig.handle.call(&id("a"), "set", &[]).await.expect("there is nothing to do");
    kept.audit.close().await;
    let lines = std::fs::read_to_string(&path).expect("it was recorded");
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let shown: Vec<_> = lines.iter().map(|line| ["method", "property", "result"].map(|key| &line[key])).collect();
    let expected = [["set", "x", "unknown"], ["set", "y", "unknown"], ["set", "", "written"]];
    assert_eq!(shown, expected.map(|line| line.map(Json::from)).each_ref().map(<[Json; 3]>::each_ref));
}
