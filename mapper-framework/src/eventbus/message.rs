//! Topics and payloads.

use std::{
    collections::BTreeMap,
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::model::{DeviceId, DeviceState};

const PREFIX: &str = "$hw/events/device/";

/// The topics to subscribe to. The second one is the answer to a message that held something outside of the alphabet.
pub(super) const ANSWERS: [&str; 3] = [
    "$hw/events/device/+/+/twin/update/result",
    "$hw/events/device/+/twin/update/result",
    "$hw/events/device/+/+/state/update/result",
];

/// One twin of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TwinValue<'a> {
    pub(crate) property: &'a str,
    pub(crate) actual: &'a str,
    /// The desired value that the device was found to have. `None` leaves what edgecore has as it is.
    pub(crate) expected: Option<&'a str>,
}

/// What edgecore says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// What has become of a report of twins. One that came over DMI has an `event_id` of edgecore's own.
    Twins { device: DeviceId, event_id: String, verdict: Verdict },
    /// A device's state was stored.
    State { device: DeviceId, state: String },
    /// The broker does not take a report.
    NotPublished { device: DeviceId, event_id: String, reason: String },
    /// Somebody's message was refused, and edgecore does not say whose.
    Anonymous(Refusal),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// These twins are stored.
    Stored(Vec<String>),
    /// Nothing of the message is.
    Refused(Refusal),
}

/// Why edgecore refused a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// 400 is a message that cannot be stored, 404 a device that edgecore does not have, 500 a fault of its own.
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Refusal {
    /// Whether it is about something in the message, and not about its device or edgecore.
    pub(crate) fn is_about_content(&self) -> bool {
        self.code == 400
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "edgecore refuses with {}: {}", self.code, self.reason)?;
        if self.code == 404 {
            f.write_str(" (it has no such device, or had none yet)")?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct TwinUpdate<'a> {
    event_id: &'a str,
    timestamp: u64,
    twin: BTreeMap<&'a str, Sides<'a>>,
}

#[derive(Serialize)]
struct Sides<'a> {
    actual: Side<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Side<'a>>,
}

impl<'a> Sides<'a> {
    fn of(twin: &TwinValue<'a>) -> Self {
        Self { actual: Side { value: twin.actual }, expected: twin.expected.map(|value| Side { value }) }
    }
}

#[derive(Serialize)]
struct Side<'a> {
    value: &'a str,
}

#[derive(Serialize)]
struct StateUpdate<'a> {
    event_id: &'a str,
    timestamp: u64,
    state: &'a str,
}

pub(super) fn twin_topic(device: &DeviceId) -> String {
    format!("{PREFIX}{}/{}/twin/update", device.namespace(), device.name())
}

pub(super) fn state_topic(device: &DeviceId) -> String {
    format!("{PREFIX}{}/{}/state/update", device.namespace(), device.name())
}

/// The payload of a report of twins. It names no type, so that a new twin is a `string` as over DMI.
pub(super) fn twin_update(event_id: &str, twins: &[TwinValue<'_>]) -> Vec<u8> {
    let twin = twins.iter().map(|twin| (twin.property, Sides::of(twin))).collect();
    to_json(&TwinUpdate { event_id, timestamp: now(), twin })
}

pub(super) fn state_update(event_id: &str, state: DeviceState) -> Vec<u8> {
    to_json(&StateUpdate { event_id, timestamp: now(), state: state.word_of_edgecore() })
}

/// Text and numbers always have a form in JSON.
fn to_json(payload: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(payload).unwrap_or_default()
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}

#[derive(Deserialize)]
struct TwinResult {
    #[serde(default)]
    event_id: String,
    code: Option<u16>,
    #[serde(default)]
    reason: String,
    twin: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Deserialize)]
struct StateResult {
    device: StateOfDevice,
}

#[derive(Deserialize)]
struct StateOfDevice {
    state: String,
}

/// Reads an answer; `None` if it is none.
pub(super) fn read(topic: &str, payload: &[u8]) -> Option<Received> {
    let rest = topic.strip_prefix(PREFIX)?;
    if let Some(device) = rest.strip_suffix("/state/update/result") {
        let result: StateResult = serde_json::from_slice(payload).ok()?;
        return Some(Received::State { device: device_id(device)?, state: result.device.state });
    }
    let device = rest.strip_suffix("/twin/update/result")?;
    let TwinResult { event_id, code, reason, twin } = serde_json::from_slice(payload).ok()?;
    let refusal = code.filter(|code| *code != 0).map(|code| Refusal { code, reason });
    match (device_id(device), refusal) {
        (Some(device), Some(refusal)) => Some(Received::Twins { device, event_id, verdict: Verdict::Refused(refusal) }),
        (Some(device), None) => {
            let stored = twin?.into_keys().collect();
            Some(Received::Twins { device, event_id, verdict: Verdict::Stored(stored) })
        }
        (None, Some(refusal)) => Some(Received::Anonymous(refusal)),
        (None, None) => None,
    }
}

/// `namespace/name`; edgecore leaves the place empty where it does not say whose message it was.
fn device_id(text: &str) -> Option<DeviceId> {
    let (namespace, name) = text.split_once('/')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains('/')).then(|| DeviceId::new(namespace, name))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn boiler() -> DeviceId {
        DeviceId::new("plant", "boiler")
    }

    #[test]
    fn an_update_holds_both_values_and_no_type() {
        let twins = [
            TwinValue { property: "pressure", actual: "2.5", expected: None },
            TwinValue { property: "valve", actual: "open", expected: Some("") },
        ];
        let mut update: Value = serde_json::from_slice(&twin_update("e-1", &twins)).unwrap();
        assert!(update["timestamp"].take().as_u64().is_some_and(|millis| millis > 1_700_000_000_000));
        let twin = json!({
            "pressure": {"actual": {"value": "2.5"}},
            "valve": {"actual": {"value": "open"}, "expected": {"value": ""}},
        });
        assert_eq!(update, json!({"event_id": "e-1", "timestamp": null, "twin": twin}));
        let update: Value = serde_json::from_slice(&state_update("e-2", DeviceState::Online)).unwrap();
        assert_eq!((&update["event_id"], &update["state"]), (&json!("e-2"), &json!("online")));
    }

    #[test]
    fn topics_name_namespace_and_device() {
        assert_eq!(twin_topic(&boiler()), "$hw/events/device/plant/boiler/twin/update");
        assert_eq!(state_topic(&boiler()), "$hw/events/device/plant/boiler/state/update");
    }

    //= eventbus: the answers of a real edgecore
    #[test]
    fn answers_are_read() {
        let topic = "$hw/events/device/plant/boiler/twin/update/result";
        let stored = br#"{"event_id":"e-1","timestamp":1,"twin":{"a":{"actual":{"value":"1"}},"b":null}}"#;
        let verdict = Verdict::Stored(vec!["a".to_owned(), "b".to_owned()]);
        let received = Received::Twins { device: boiler(), event_id: "e-1".to_owned(), verdict };
        assert_eq!(read(topic, stored), Some(received));
        let refused = br#"{"event_id":"e-1","timestamp":1,"code":404,"reason":"no such device"}"#;
        let refusal = Refusal { code: 404, reason: "no such device".to_owned() };
        let verdict = Verdict::Refused(refusal);
        let received = Received::Twins { device: boiler(), event_id: "e-1".to_owned(), verdict };
        assert_eq!(read(topic, refused), Some(received));
        let unnamed = br#"{"event_id":"","timestamp":1,"code":400,"reason":"illegal"}"#;
        let refusal = Refusal { code: 400, reason: "illegal".to_owned() };
        assert_eq!(read("$hw/events/device//twin/update/result", unnamed), Some(Received::Anonymous(refusal)));
        let state = br#"{"event_id":"x","timestamp":1,"device":{"name":"boiler","state":"online"}}"#;
        let received = Received::State { device: boiler(), state: "online".to_owned() };
        assert_eq!(read("$hw/events/device/plant/boiler/state/update/result", state), Some(received));
    }

    #[test]
    fn what_is_no_answer_is_passed_over() {
        let topic = "$hw/events/device/plant/boiler/twin/update/result";
        for payload in ["", "{", "[]", "{}", r#"{"code":"x"}"#, r#"{"twin":3}"#, r#"{"code":70000}"#] {
            assert_eq!(read(topic, payload.as_bytes()), None, "{payload}");
        }
        for topic in ["", "$hw/events/device/a/b/c/twin/update/result", "$hw/events/device/a/b/twin/update"] {
            assert_eq!(read(topic, br#"{"twin":{}}"#), None, "{topic}");
        }
    }
}
