//! Whether a device is there, by what it and its broker say of it.

use crate::{codec::Payload, config::Config};

/// The words for a device that is there, in any case.
const ONLINE: [&str; 4] = ["online", "true", "on", "1"];

/// The words for one that is away.
const OFFLINE: [&str; 4] = ["offline", "false", "off", "0"];

/// A topic that says whether the device is there. The device has the broker publish its last will there.
#[derive(Debug)]
pub(crate) struct Availability {
    pub(crate) topic: String,
    /// Where in a payload of JSON it stands. A payload that is no JSON counts as a whole.
    pointer: Option<String>,
    online: Option<String>,
    offline: Option<String>,
    /// Whether a device of which it says nothing may be there.
    optional: bool,
    status: Status,
}

/// What stood in the last message on a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Status {
    /// No message has come.
    Unknown,
    Online,
    Offline,
    /// Neither of both; the payload's beginning.
    Unreadable(String),
}

impl Availability {
    pub(crate) fn new(topic: String) -> Self {
        Self { topic, pointer: None, online: None, offline: None, optional: false, status: Status::Unknown }
    }

    /// It stands here in the payload.
    pub(crate) fn at(mut self, pointer: &str) -> Self {
        self.pointer = Some(pointer.to_owned());
        self
    }

    /// The device may be there without it.
    pub(crate) fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    pub(crate) fn is_optional(&self) -> bool {
        self.optional
    }

    pub(crate) fn of_config(topic: String, config: &Config) -> Self {
        let pointer = config.availability_pointer.as_ref().map(|pointer| pointer.0.clone());
        let (online, offline) = (config.online.clone(), config.offline.clone());
        Self { pointer, online, offline, ..Self::new(topic) }
    }

    /// Takes what has come on the topic.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let payload = Payload::new(bytes);
        let part = self.pointer.as_deref().and_then(|pointer| payload.json()?.pointer(pointer));
        let text = match part {
            Some(part) => part.as_str().map_or_else(|| part.to_string(), ToOwned::to_owned),
            None => payload.text().unwrap_or_default().to_owned(),
        };
        let is = |own: &Option<String>, words: [&str; 4]| match own {
            Some(own) => text == *own,
            None => words.iter().any(|word| text.eq_ignore_ascii_case(word)),
        };
        self.status = if is(&self.online, ONLINE) {
            Status::Online
        } else if is(&self.offline, OFFLINE) {
            Status::Offline
        } else {
            Status::Unreadable(payload.excerpt())
        };
    }

    /// Why the device is not there, as far as this topic says.
    fn absence(&self) -> Option<String> {
        let topic = &self.topic;
        match &self.status {
            Status::Online => None,
            Status::Unknown if self.optional => None,
            Status::Unknown => Some(format!(
                "nothing has come on its availability topic {topic}: is the name right, is it published as retained, and may the mapper's user read it?"
            )),
            Status::Offline => Some(format!("the device is away: {topic} says so")),
            Status::Unreadable(payload) => Some(format!(
                "{topic} says {payload}, which is neither online nor offline: write the device's words as `online` and `offline` in protocol.configData"
            )),
        }
    }
}

/// Why the device is not there; `None` if it is.
pub(crate) fn absence(topics: &[Availability]) -> Option<String> {
    // That it is away says more than that another topic is silent.
    let away = topics.iter().filter(|topic| topic.status != Status::Unknown).find_map(Availability::absence);
    away.or_else(|| topics.iter().find_map(Availability::absence))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(config: serde_json::Value, payload: &str) -> Option<String> {
        let mut config = config;
        config["broker"] = json!("mqtt://broker");
        let config = serde_json::from_value(config).expect("it is a config");
        let mut availability = Availability::of_config("lamp/LWT".to_owned(), &config);
        availability.take(payload.as_bytes());
        absence(&[availability])
    }

    #[test]
    fn a_device_is_there_when_its_topic_says_so() {
        for payload in ["Online", "online", "true", "1"] {
            assert_eq!(after(json!({}), payload), None, "{payload}");
        }
        assert_eq!(after(json!({"availabilityPointer": "/state"}), r#"{"state":"online"}"#), None);
        assert_eq!(after(json!({"availabilityPointer": "/state"}), "online"), None);
        assert_eq!(after(json!({"online": "here"}), "here"), None);
        assert_eq!(after(json!({}), "Offline").as_deref(), Some("the device is away: lamp/LWT says so"));
        assert!(after(json!({"online": "here"}), "online").is_some_and(|it| it.contains("neither online nor offline")));
        assert!(absence(&[Availability::new("lamp/LWT".to_owned())]).is_some_and(|it| it.contains("nothing has come")));
        assert_eq!(absence(&[]), None);
    }
}
