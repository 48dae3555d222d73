//! What the driver's types do with what the user wrote, and how it is told.

use tokio::time::sleep;

use super::rig::{Rig, SECOND, device, id, model, property};
use crate::{
    DeviceState,
    dmi::command::Refusal,
    model::{ConfigData, DeviceInstance, InstanceProperty, Problem},
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
    let expected = r#"device default/a: property "y", visitors.configData.register: invalid type: string "seven""#;
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
    assert_eq!(rig.stats().driver_panics, 2);
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
async fn a_thousand_problems_make_a_message_that_can_be_read() {
    let rig = Rig::new().await;
    let mut wrong = device("a", [property("x", 1000)]);
    wrong.properties.extend((0..10_000).map(|n| property(&format!("unknown-{n}"), 1000)));
    let began = std::time::Instant::now();
    let message = refusal(&rig, wrong.clone()).await;
    assert!(message.contains(r#"property "unknown-0""#) && message.ends_with("and 9990 more"), "{message}");
    // The second time it is found out which of the problems are new.
    wrong.problems.push(Problem::of_device("one", "more"));
    refusal(&rig, wrong).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(rig.stats().problems, 10_001, "each is counted once");
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
