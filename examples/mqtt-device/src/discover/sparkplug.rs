//! Births of Sparkplug B, if some come while it listens: no broker keeps them.

use mapper_framework::{DataType, Found};
use serde_json::json;

use super::{Heard, read};
use crate::sparkplug::birth;

/// How all topics of Sparkplug begin.
const PREFIX: &str = "spBv1.0/";

pub(super) fn describes_devices(topic: &str) -> bool {
    topic.starts_with(PREFIX)
}

pub(super) fn look(heard: &mut Heard<'_>, topic: &str, payload: &[u8]) {
    let Some(rest) = topic.strip_prefix(PREFIX) else { return };
    heard.claim(PREFIX);
    let levels: Vec<_> = rest.split('/').collect();
    let (group, node, device) = match levels[..] {
        [group, "NBIRTH", node] => (group, node, ""),
        [group, "DBIRTH", node, device] => (group, node, device),
        _ => return,
    };
    let name = if device.is_empty() { node } else { device };
    let found = heard.found(name, "sparkplug", json!({"group": group, "node": node, "device": device}));
    let metrics = birth(payload).into_iter().filter_map(|(name, datatype)| Some((name, data_type(datatype)?)));
    let metrics: Vec<_> = metrics.filter(|(name, _)| name != "bdSeq" && !name.starts_with("Node Control/")).collect();
    if !metrics.is_empty() {
        let properties = metrics.into_iter().map(|(name, data_type)| read(&name, data_type, json!({"metric": name})));
        heard.discovery.add(properties.fold(found, Found::property));
    }
}

fn data_type(datatype: u32) -> Option<DataType> {
    Some(match datatype {
        1..=8 | 13 => DataType::Int,
        9 => DataType::Float,
        10 => DataType::Double,
        11 => DataType::Boolean,
        12 | 14 | 15 => DataType::String,
        17 | 18 => DataType::Bytes,
        _ => return None,
    })
}
