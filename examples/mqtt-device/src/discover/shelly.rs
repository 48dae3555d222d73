//! Shelly devices, by what they publish: `shellies/ID/…` of the first generation, and `ID/events/rpc` or `ID/status/…` of later ones.

use std::collections::BTreeMap;

use mapper_framework::{DataType, Found, Property};
use serde_json::{Value as Json, json};

use super::{Heard, name_of, read, scalars_of, type_of, written};

/// Members of a component's status that are no values of it.
const NO_VALUES: [&str; 2] = ["/id", "/source"];

pub(super) fn finish(heard: &mut Heard<'_>) {
    first_generation(heard);
    later_generations(heard);
}

fn first_generation(heard: &mut Heard<'_>) {
    let mut devices: BTreeMap<String, Vec<Property<Json>>> = BTreeMap::new();
    for (topic, payload) in &heard.topics {
        let Some((device, rest)) = topic.strip_prefix("shellies/").and_then(|rest| rest.split_once('/')) else {
            continue;
        };
        if matches!(rest, "online" | "announce" | "info" | "command")
            || rest.ends_with("/command")
            || rest.ends_with("/set")
        {
            continue;
        }
        let properties = devices.entry(device.to_owned()).or_default();
        let text = String::from_utf8_lossy(payload);
        let name = rest.replace('/', ".");
        match serde_json::from_slice::<Json>(payload) {
            Ok(json) if json.is_object() => {
                let mut scalars = Vec::new();
                scalars_of(&json, "", &mut scalars);
                properties.extend(scalars.into_iter().map(|(pointer, data_type)| {
                    let name = format!("{name}.{}", name_of(&pointer));
                    read(&name, data_type, json!({"topic": rest, "pointer": pointer}))
                }));
            }
            _ if rest.starts_with("relay/") && rest.matches('/').count() == 1 => {
                properties.push(written(&name, DataType::Boolean, json!({"topic": rest})));
            }
            _ => properties.push(read(&name, type_of(&Json::String(text.into_owned())), json!({"topic": rest}))),
        }
    }
    heard.claim("shellies/");
    for (device, properties) in devices {
        let found = heard.found(&device, "shelly", json!({"generation": 1}));
        heard.discovery.add(properties.into_iter().fold(found, Found::property));
    }
}

fn later_generations(heard: &mut Heard<'_>) {
    let mut devices: BTreeMap<String, BTreeMap<String, Json>> = BTreeMap::new();
    for topic in heard.topics.keys() {
        if let Some(device) = topic.strip_suffix("/events/rpc")
            && let Some(event) =
                heard.json(topic).filter(|it| it["src"].as_str().is_some_and(|it| it.starts_with("shelly")))
            && let Some(components) = event["params"].as_object()
        {
            let known = devices.entry(device.to_owned()).or_default();
            known.extend(components.iter().map(|(name, status)| (name.clone(), status.clone())));
        }
    }
    for topic in heard.topics.keys() {
        if let Some((device, component)) = topic.split_once("/status/")
            && let (Some(known), Some(status)) = (devices.get_mut(device), heard.json(topic))
        {
            known.insert(component.to_owned(), status);
        }
    }
    for (device, components) in devices {
        heard.claim(format!("{device}/"));
        let mut found = heard.found(&device, "shelly", json!({}));
        for (component, status) in components.into_iter().filter(|(_, status)| status.is_object()) {
            let mut scalars = Vec::new();
            scalars_of(&status, "", &mut scalars);
            for (pointer, data_type) in scalars.into_iter().filter(|(it, _)| !NO_VALUES.contains(&it.as_str())) {
                let name = format!("{}.{}", component.replace(':', ""), name_of(&pointer));
                let visitor = json!({"topic": component, "pointer": pointer});
                let is_switch = component.starts_with("switch:") && pointer == "/output";
                let make = if is_switch { written } else { read };
                found = found.property(make(&name, data_type, visitor));
            }
        }
        heard.discovery.add(found);
    }
}
