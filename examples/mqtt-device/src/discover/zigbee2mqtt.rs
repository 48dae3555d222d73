//! `BASE/bridge/devices`, which is kept by the broker, has all devices of `Zigbee2MQTT`, with what each of them exposes.

use mapper_framework::{AccessMode, DataType, Property};
use serde_json::{Value as Json, json};

use super::Heard;

/// How the topic ends that has all devices.
const DEVICES: &str = "/bridge/devices";

/// The bits of `access`: it is published, and it can be set.
const PUBLISHED: u64 = 1;
const SET: u64 = 2;

pub(super) fn describes_devices(topic: &str) -> bool {
    topic.ends_with(DEVICES)
}

pub(super) fn look(heard: &mut Heard<'_>, topic: &str, payload: &[u8]) {
    let Some(base) = topic.strip_suffix(DEVICES) else { return };
    let Ok(Json::Array(devices)) = serde_json::from_slice::<Json>(payload) else { return };
    if !heard.budget.describe(topic, payload.len(), payload) {
        return;
    }
    heard.claim(format!("{base}/"));
    for device in devices {
        let definition = &device["definition"];
        let (Some(name), Some(exposes)) = (device["friendly_name"].as_str(), definition["exposes"].as_array()) else {
            continue;
        };
        let more = if base == "zigbee2mqtt" { json!({}) } else { json!({"base": base}) };
        let mut found = heard.found(name, "zigbee2mqtt", more);
        if let (Some(vendor), Some(model)) = (definition["vendor"].as_str(), definition["model"].as_str()) {
            found = found.model(format!("{vendor} {model}"));
        }
        if let Some(description) = definition["description"].as_str() {
            found = found.description(description);
        }
        let mut properties = Vec::new();
        exposes.iter().for_each(|exposed| expose(exposed, "", &mut properties));
        heard.discovery.add(properties.into_iter().fold(found, mapper_framework::Found::property));
    }
}

fn expose(exposed: &Json, pointer: &str, properties: &mut Vec<Property<Json>>) {
    let property = exposed["property"].as_str();
    if let Some(features) = exposed["features"].as_array() {
        // Those of a light or a switch stand beside it, and those of a composite within it.
        let inner = match (exposed["type"].as_str(), property) {
            (Some("composite"), Some(property)) => format!("{pointer}/{property}"),
            _ => pointer.to_owned(),
        };
        features.iter().for_each(|feature| expose(feature, &inner, properties));
        return;
    }
    let access = exposed["access"].as_u64().unwrap_or(PUBLISHED);
    let (Some(property), true) = (property, access & PUBLISHED != 0) else { return };
    let data_type = match exposed["type"].as_str() {
        Some("numeric") => DataType::Double,
        Some("binary") => DataType::Boolean,
        Some("enum" | "text") => DataType::String,
        _ => return,
    };
    let pointer = format!("{pointer}/{}", property.replace('~', "~0").replace('/', "~1"));
    let mut visitor = json!({"pointer": pointer});
    if let (Some(on), Some(off)) = (exposed["value_on"].as_str(), exposed["value_off"].as_str())
        && (on, off) != ("ON", "OFF")
    {
        visitor["map"] = format!("{on}=true, {off}=false").into();
    }
    let mut builder = Property::builder(&super::name_of(&pointer), data_type);
    if access & SET != 0 {
        builder = builder.access_mode(AccessMode::ReadWrite);
    }
    if let Some(minimum) = exposed["value_min"].as_f64() {
        builder = builder.minimum(minimum);
    }
    if let Some(maximum) = exposed["value_max"].as_f64() {
        builder = builder.maximum(maximum);
    }
    let (unit, description) = (exposed["unit"].as_str(), exposed["description"].as_str());
    builder = builder.unit(unit.unwrap_or_default()).description(description.unwrap_or_default());
    properties.push(builder.visitor(visitor));
}
