//! What goes over the event bus, as JSON.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::super::StoredTwin;
use crate::dmi::generated::TwinProperty;

/// The value types that edgecore knows.
const TYPES: [&str; 5] = ["string", "int", "integer", "float", "boolean"];

/// What a mapper publishes on `…/twin/update`.
#[derive(Debug, Deserialize)]
pub(super) struct TwinUpdate {
    #[serde(default)]
    pub(super) event_id: String,
    #[serde(rename = "timestamp", default)]
    _timestamp: i64,
    pub(super) twin: BTreeMap<String, Twin>,
}

/// A twin of an update. What is left out stays as it is stored.
#[derive(Debug, Deserialize)]
pub(super) struct Twin {
    expected: Option<Value>,
    actual: Option<Value>,
    metadata: Option<Type>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Value {
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Timestamp>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Timestamp {
    #[serde(default)]
    timestamp: i64,
}

#[derive(Debug, Deserialize, Serialize)]
struct Type {
    #[serde(rename = "type", default)]
    name: String,
}

impl Twin {
    /// The desired value that the mapper has seen.
    pub(super) fn observed_desired(&self) -> Option<TwinProperty> {
        self.expected.as_ref().map(|value| self.side(value))
    }

    pub(super) fn reported(&self) -> Option<TwinProperty> {
        self.actual.as_ref().map(|value| self.side(value))
    }

    fn side(&self, value: &Value) -> TwinProperty {
        let mut side = TwinProperty { value: value.value.clone().unwrap_or_default(), ..TwinProperty::default() };
        if let Some(metadata) = &self.metadata {
            side.metadata.insert("type".to_owned(), metadata.name.clone());
        }
        if let Some(metadata) = &value.metadata {
            side.metadata.insert("timestamp".to_owned(), metadata.timestamp.to_string());
        }
        side
    }

    /// Whether edgecore knows the value type; without one it is `string`.
    pub(super) fn has_known_type(&self) -> bool {
        self.metadata.as_ref().is_none_or(|metadata| TYPES.contains(&metadata.name.as_str()))
    }

    /// Whether there is a value at all, and no side without one.
    pub(super) fn has_values(&self) -> bool {
        let mut sides = self.expected.iter().chain(&self.actual).peekable();
        sides.peek().is_some() && sides.all(|side| side.value.is_some())
    }
}

/// What a mapper publishes on `…/state/update`.
#[derive(Debug, Deserialize)]
pub(super) struct StateUpdate {
    pub(super) state: String,
}

/// What edgecore publishes on `…/twin/update/result` for twins that it has stored.
#[derive(Debug, Serialize)]
pub(super) struct Stored<'a> {
    event_id: &'a str,
    timestamp: i64,
    twin: BTreeMap<&'a str, StoredSides<'a>>,
}

#[derive(Debug, Serialize)]
struct StoredSides<'a> {
    expected: StoredValue<'a>,
    actual: StoredValue<'a>,
    optional: bool,
    metadata: StoredType,
}

#[derive(Debug, Serialize)]
struct StoredValue<'a> {
    value: &'a str,
    metadata: Timestamp,
}

#[derive(Debug, Serialize)]
struct StoredType {
    #[serde(rename = "type")]
    name: &'static str,
}

impl<'a> Stored<'a> {
    pub(super) fn new(event_id: &'a str, twins: &'a [(String, StoredTwin)]) -> Self {
        let timestamp = now();
        let side = |value: &'a str| StoredValue { value, metadata: Timestamp { timestamp } };
        let sides = |twin: &'a StoredTwin| StoredSides {
            expected: side(twin.observed_desired()),
            actual: side(twin.value()),
            optional: true,
            metadata: StoredType { name: "string" },
        };
        let twin = twins.iter().map(|(property, twin)| (property.as_str(), sides(twin))).collect();
        Self { event_id, timestamp, twin }
    }
}

/// What edgecore publishes on `…/twin/update/result` for an update that it has not stored.
#[derive(Debug, Serialize)]
pub(super) struct Refused<'a> {
    event_id: &'a str,
    timestamp: i64,
    code: u16,
    reason: &'a str,
}

impl<'a> Refused<'a> {
    pub(super) fn new(event_id: &'a str, code: u16, reason: &'a str) -> Self {
        Self { event_id, timestamp: now(), code, reason }
    }
}

/// What edgecore publishes on `…/state/update/result` for a state that it has stored.
#[derive(Debug, Serialize)]
pub(super) struct StoredState<'a> {
    event_id: &'a str,
    timestamp: i64,
    device: Device<'a>,
}

#[derive(Debug, Serialize)]
struct Device<'a> {
    name: &'a str,
    state: &'a str,
}

impl<'a> StoredState<'a> {
    pub(super) fn new(event_id: &'a str, name: &'a str, state: &'a str) -> Self {
        Self { event_id, timestamp: now(), device: Device { name, state } }
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twin(json: &str) -> Twin {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_twin_without_values_is_seen() {
        for json in ["{}", r#"{"actual":{}}"#, r#"{"actual":{"value":"1"},"expected":{}}"#, r#"{"actual":null}"#] {
            assert!(!twin(json).has_values(), "{json}");
        }
        assert!(twin(r#"{"expected":{"value":""}}"#).has_values());
    }

    #[test]
    fn five_types_and_none_are_known() {
        for name in TYPES {
            assert!(twin(&format!(r#"{{"metadata":{{"type":"{name}"}}}}"#)).has_known_type());
        }
        assert!(twin("{}").has_known_type());
        assert!(!twin(r#"{"metadata":{"type":"double"}}"#).has_known_type());
    }

    #[test]
    fn an_update_without_twins_is_none() {
        for json in ["", "no json", "{}", r#"{"twin":null}"#, r#"{"twin":{"t":1}}"#, "[]"] {
            assert!(serde_json::from_str::<TwinUpdate>(json).is_err(), "{json}");
        }
    }
}
