//! What the driver's types do with what the user wrote, and how it is reported.

use tokio::time::sleep;

use super::rig::{Logged, Rig, SECOND, device, id, model, property, ruled};
use crate::{
    DeviceState,
    dmi::command::Refusal,
    model::{ConfigData, DeviceId, DeviceInstance, InstanceProperty, Problem},
};

fn data(value: serde_json::Value) -> ConfigData {
    match value {
        serde_json::Value::Object(data) => data,
        other => panic!("{other} is no map"),
    }
}

async fn refusal(rig: &Rig, device: DeviceInstance) -> String {
    match rig.upsert(device).await {
        Err(Refusal::Invalid(message)) => message,
        other => panic!("it is invalid: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_visitor_that_does_not_fit_costs_its_property_only() {
    let rig = Rig::new().await;
    let wrong =
        InstanceProperty { visitor: data(serde_json::json!({"register": "seven"})).into(), ..property("y", 1000) };
    let message = refusal(&rig, device("a", [property("x", 1000), wrong])).await;
    let expected =
        r#"device default/a: property "y", visitors.configData.register: found "seven", expected a whole number from"#;
    assert!(message.starts_with(expected), "{message}");
    rig.puppet.until("read a/x", 2).await;
    assert_eq!((rig.puppet.count("read a/y"), rig.state("a").await), (0, DeviceState::Unhealthy));
    assert!(rig.snapshot("a").await.reason.expect("it says why").contains("register"));
}

#[tokio::test(start_paused = true)]
async fn a_type_that_panics_while_it_is_read_costs_what_was_read() {
    let rig = Rig::new().await;
    rig.add(device("b", [property("x", 1000)])).await;
    let bomb = data(serde_json::json!({"bomb": true}));
    let wrong = InstanceProperty { visitor: bomb.clone().into(), ..property("y", 1000) };
    let message = refusal(&rig, device("a", [property("x", 1000), wrong])).await;
    assert!(
        message.contains(r#"property "y", visitors.configData: the driver panicked in check: the bomb explodes"#),
        "{message}"
    );
    rig.puppet.until("read a/x", 2).await;

    let config = DeviceInstance { config: bomb, ..device("c", [property("x", 1000)]) };
    let message = refusal(&rig, config).await;
    assert!(message.contains("device default/c: protocol.configData: the driver panicked"), "{message}");
    rig.puppet.again("read b/x", 2).await;
    assert_eq!(rig.handle.devices().await, [id("a"), id("b"), id("c")]);
    assert_eq!(rig.stats().sessions().driver_panics(), 2);
}

#[tokio::test(start_paused = true)]
async fn all_that_is_wrong_with_a_config_and_with_visitors_is_in_the_refusal_and_in_the_devices_reason() {
    let rig = Rig::new().await;
    let wrong =
        InstanceProperty { visitor: data(serde_json::json!({"register": "seven"})).into(), ..property("x", 1000) };
    let config = data(serde_json::json!({"port": "abc", "unit": 300}));
    let message = refusal(&rig, DeviceInstance { config, ..device("a", [wrong]) }).await;
    sleep(SECOND).await;
    let reason = rig.snapshot("a").await.reason.expect("it is unhealthy");
    for text in [&message, &reason] {
        for part in
            ["protocol.configData.port: found", "protocol.configData.unit: found", "visitors.configData.register:"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_config_that_does_not_fit_waits_for_its_correction() {
    let rig = Rig::new().await;
    let wrong = DeviceInstance { config: data(serde_json::json!({"bomb": 1})), ..device("a", [property("x", 1000)]) };
    refusal(&rig, wrong).await;
    sleep(60 * SECOND).await;
    assert_eq!((rig.puppet.count("connect a"), rig.state("a").await), (0, DeviceState::Unhealthy));
    rig.add(device("a", [property("x", 1000)])).await;
    rig.puppet.until("read a/x", 1).await;
    assert_eq!(rig.state("a").await, DeviceState::Ok);
}

#[tokio::test(start_paused = true)]
async fn fifty_thousand_problems_make_a_message_that_can_be_read() {
    let rig = Rig::new().await;
    let mut wrong = device("a", [property("x", 1000)]);
    wrong.properties.extend((0..50_000).map(|n| property(&format!("unknown-{n}"), 1000)));
    let message = refusal(&rig, wrong.clone()).await;
    assert!(message.contains(r#"property "unknown-0""#) && message.ends_with("and 49990 more"), "{message}");
    // The second time it is found out which of the problems are new.
    wrong.problems.push(Problem::of_device("one", "more"));
    refusal(&rig, wrong).await;
    assert_eq!(rig.stats().devices().problems(), 50_001, "each is counted once");
    rig.puppet.until("read a/x", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_model_that_becomes_wrong_names_the_device_that_suffers() {
    let rig = Rig::new().await;
    rig.add(device("a", [property("x", 1000), property("y", 1000)])).await;
    let mut wrong = model();
    wrong.properties[1].data_type = "INTEGER".into();
    let Err(Refusal::Invalid(message)) = rig.upsert_model(wrong).await else { panic!("it is invalid") };
    assert!(message.starts_with(r#"device default/a: property "y", type: unknown data type "INTEGER""#), "{message}");
    rig.puppet.again("read a/x", 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_edgecore_loses_is_said_at_registration_in_the_log_and_in_the_state() {
    let rig = Rig::new().await;
    let logged = Logged::warnings();
    let lost = DeviceInstance { id: DeviceId::new("dev", "a"), ..device("a", [property("x", 1000)]) };
    for _ in 0..3 {
        let message = refusal(&rig, lost.clone()).await;
        assert!(message.contains("metadata.namespace: edgecore loses every twin"), "{message}");
    }
    let mut changed = lost.clone();
    changed.properties.push(property("y", 1000));
    refusal(&rig, changed).await;
    sleep(2 * SECOND).await;
    assert_eq!(logged.count("nothing of the device reaches the cloud"), 1, "{:?}", logged.lines());
    let snapshot = rig.handle.device(&lost.id).await.expect("it is there");
    assert_eq!(snapshot.state, DeviceState::Unhealthy);
    assert!(snapshot.reason.is_some_and(|reason| reason.contains("use another namespace")));
    assert_eq!(snapshot.samples.len(), 2, "it is served for the sinks");
}

#[tokio::test(start_paused = true)]
async fn cycles_in_nanoseconds_and_a_timeout_beyond_the_deadline_are_said_once() {
    let rig = Rig::new().await;
    let logged = Logged::warnings();
    let config = data(serde_json::json!({"timeout": 20_000}));
    let doubted = DeviceInstance { config, ..device("a", [property("x", 10_000_000_000)]) };
    rig.add(doubted.clone()).await;
    rig.add(doubted).await;
    let lines = logged.lines();
    assert_eq!(logged.count("probably not what was meant"), 2, "{lines:?}");
    assert!(lines[1].contains("20000 ms is longer than driver.call_timeout"), "{lines:?}");
    assert!(lines[0].contains("collectCycle: 10000000000 ms is more than a day (115 days)"), "{lines:?}");
    assert_eq!(rig.stats().devices().doubts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_writes_that_is_misspelt_or_has_no_effect_is_said_once() {
    let rig = Rig::new().await;
    let logged = Logged::warnings();
    let misspelt = ruled("x", "", &serde_json::json!({"register": 1, "writeTolerence": 1}));
    let idle = ruled("y", "", &serde_json::json!({"writePolicy": "never", "writeMaxAttempts": 2}));
    for _ in 0..2 {
        rig.add(device("a", [misspelt.clone(), idle.clone()])).await;
    }
    let lines = logged.lines();
    assert_eq!(logged.count("probably not what was meant"), 2, "{lines:?}");
    assert_eq!(
        logged.count("visitors.configData.writeTolerence: neither the driver nor the framework knows this key"),
        1
    );
    assert_eq!(logged.count("did you mean writeTolerance?"), 1, "{lines:?}");
    assert_eq!(logged.count("writeMaxAttempts: has no effect beside writePolicy: never"), 1, "{lines:?}");
}
