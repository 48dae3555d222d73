//! Births of Sparkplug B, if some come while it listens: no broker keeps them.

use mapper_framework::{DataType, Found};
use serde_json::json;

use super::{Heard, read};
use crate::sparkplug::birth;

/// How all topics of Sparkplug begin.
pub(super) const PREFIX: &str = "spBv1.0/";

pub(super) fn describes_devices(topic: &str) -> bool {
    source(topic).is_some()
}

/// Whose birth comes on the topic: the group, the edge node, and the device behind it, if it is one's.
fn source(topic: &str) -> Option<(&str, &str, &str)> {
    let levels: Vec<_> = topic.strip_prefix(PREFIX)?.split('/').collect();
    match levels[..] {
        [group, "NBIRTH", node] => Some((group, node, "")),
        [group, "DBIRTH", node, device] => Some((group, node, device)),
        _ => None,
    }
}

pub(super) fn look(heard: &mut Heard<'_>, topic: &str, payload: &[u8]) {
    let Some((group, node, device)) = source(topic) else { return };
    let name = if device.is_empty() { node } else { device };
    let found = heard.found(name, "sparkplug", json!({"group": group, "node": node, "device": device}));
    let metrics = birth(payload).into_iter().filter(|(_, datatype)| data_type(*datatype).is_some());
    let metrics: Vec<_> = metrics.filter(|(name, _)| name != "bdSeq" && !name.starts_with("Node Control/")).collect();
    if !metrics.is_empty() && heard.budget.describe(topic, payload.len(), &metrics) {
        let properties = metrics
            .into_iter()
            .filter_map(|(name, datatype)| Some(read(&name, data_type(datatype)?, json!({"metric": name}))));
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
