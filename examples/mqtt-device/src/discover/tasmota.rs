//! `tasmota/discovery/MAC/config` and `…/sensors`, which are kept by the broker.

use mapper_framework::{DataType, Found};
use serde_json::{Value as Json, json};

use super::{Heard, name_of, read, scalars_of, written};

const PREFIX: &str = "tasmota/discovery/";

/// Adds a device of which both have come.
pub(super) fn look(heard: &mut Heard<'_>, topic: &str) {
    let Some((address, _)) = topic.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/')) else { return };
    heard.claim(PREFIX);
    let (config, sensors) = (format!("{PREFIX}{address}/config"), format!("{PREFIX}{address}/sensors"));
    if let (Some(config), Some(sensors)) = (heard.json(&config), heard.json(&sensors)) {
        add(heard, &config, &sensors);
    }
}

/// Adds those that have no sensors.
pub(super) fn finish(heard: &mut Heard<'_>) {
    let topics: Vec<_> = heard.topics.keys().filter(|topic| topic.starts_with(PREFIX)).cloned().collect();
    for topic in topics {
        let Some(rest) = topic.strip_suffix("/config") else { continue };
        if let (Some(config), None) = (heard.json(&topic), heard.json(&format!("{rest}/sensors"))) {
            add(heard, &config, &Json::Null);
        }
    }
}

fn add(heard: &mut Heard<'_>, config: &Json, sensors: &Json) {
    let Some(topic) = config["t"].as_str() else { return };
    // Of other layouts the topics have to be written by hand.
    if config["ft"] != "%prefix%/%topic%/" || config["tp"] != json!(["cmnd", "stat", "tele"]) {
        return;
    }
    for prefix in ["cmnd", "stat", "tele"] {
        heard.claim(format!("{prefix}/{topic}/"));
    }
    let mut found = heard.found(topic, "tasmota", json!({}));
    if let Some(name) = config["dn"].as_str() {
        found = found.description(name);
    }
    if let Some(model) = config["md"].as_str() {
        found = found.model(format!("tasmota {model}"));
    }
    let relays = config["rl"].as_array().map_or(0, |relays| relays.iter().filter(|it| it.as_i64() != Some(0)).count());
    for number in 1..=relays {
        let name = if relays == 1 { "POWER".to_owned() } else { format!("POWER{number}") };
        found = found.property(written(&name, DataType::Boolean, json!({"pointer": format!("/{name}")})));
    }
    let mut scalars = Vec::new();
    scalars_of(&sensors["sn"], "", &mut scalars);
    let is_value = |(pointer, _): &(String, DataType)| !pointer.ends_with("/Time") && !pointer.ends_with("StartTime");
    let properties = scalars
        .into_iter()
        .filter(is_value)
        .map(|(pointer, data_type)| read(&name_of(&pointer), data_type, json!({"pointer": pointer})));
    let found = properties.fold(found, Found::property);
    heard.discovery.add(found.property(read("signal", DataType::Int, json!({"pointer": "/Wifi/Signal"}))));
}
