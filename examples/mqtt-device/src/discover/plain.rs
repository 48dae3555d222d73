//! Whatever else publishes: a topic with an object in it is a device, and so are the topics beside each other that have a value each.

use std::collections::BTreeMap;

use mapper_framework::Found;
use serde_json::{Value as Json, json};

use super::{Heard, name_of, read, scalars_of, type_of};

/// What is of other programs and of no device, or is described elsewhere.
const FOREIGN: [&str; 3] = ["$SYS/", "homeassistant/", super::sparkplug::PREFIX];

pub(super) fn finish(heard: &mut Heard<'_>) {
    let mut beside: BTreeMap<&str, Vec<(&str, Json)>> = BTreeMap::new();
    for (topic, payload) in &heard.topics {
        let is_foreign = FOREIGN.iter().any(|prefix| topic.starts_with(prefix));
        // A brace would begin a placeholder.
        if heard.is_claimed(topic) || is_foreign || payload.is_empty() || topic.contains('{') {
            continue;
        }
        let Ok(text) = std::str::from_utf8(payload) else { continue };
        match serde_json::from_str(text) {
            Ok(json @ Json::Object(_)) => add_object(heard, topic, &json),
            Ok(Json::Array(_)) => {}
            other => {
                let (parent, name) = topic.rsplit_once('/').unwrap_or(("", topic));
                let value = other.unwrap_or_else(|_| Json::String(text.to_owned()));
                beside.entry(parent).or_default().push((name, value));
            }
        }
    }
    for (parent, values) in beside {
        let mut found =
            Found::new(if parent.is_empty() { "broker" } else { parent }).config(heard.config("json", json!({})));
        for (name, value) in values {
            let topic = if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
            found = found.property(read(name, type_of(&value), json!({"topic": topic})));
        }
        heard.discovery.add(found);
    }
}

fn add_object(heard: &Heard<'_>, topic: &str, json: &Json) {
    let mut scalars = Vec::new();
    scalars_of(json, "", &mut scalars);
    if scalars.is_empty() {
        return;
    }
    let found = Found::new(topic).config(heard.config("json", json!({"topic": topic})));
    let properties = scalars
        .into_iter()
        .map(|(pointer, data_type)| read(&name_of(&pointer), data_type, json!({"pointer": pointer})));
    heard.discovery.add(properties.fold(found, Found::property));
}
