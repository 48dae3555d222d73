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
    let wrong = InstanceProperty { visitor: data(serde_json::json!({"register": "seven"})), ..property("y", 1000) };
    let message = refusal(&rig, device("a", [property("x", 1000), wrong])).await;
    let expected = r#"device default/a: property "y", visitors.configData.register: invalid type: string "seven""#;
    assert!(message.starts_with(expected), "{message}");
    rig.puppet.until("read a/x", 2).await;
    assert_eq!((rig.puppet.count("read a/y"), rig.state("a").await), (0, DeviceState::Unhealthy));
    assert!(rig.snapshot("a").await.reason.expect("it says why").contains("register"));
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
