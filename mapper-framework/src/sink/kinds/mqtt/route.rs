//! From a push method to the broker that is connected to, and the topic that is published to.

use serde::{Deserialize, Serialize};

use crate::model::{Device, MqttPush, Property};

use crate::sink::{Route, RouteError, Target, address::Address};

/// The topic where the manifest names none.
const DEFAULT_TOPIC: &str = "kubeedge/{namespace}/{device}/{property}";

/// The longest topic in bytes: its length stands in two bytes.
const LONGEST_TOPIC: usize = u16::MAX as usize;

/// The settings of the target: all that a connection depends on but the mapper's config and its credentials. All topics of a
/// broker share one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Broker {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

impl Broker {
    fn parse(field: &str, text: &str) -> Result<Self, RouteError> {
        let address = Address::parse(field, text)?;
        let tls = match address.scheme.as_deref() {
            None | Some("mqtt" | "tcp") => false,
            Some("mqtts" | "ssl") => true,
            Some(_) => return Err(address.unknown_scheme(field, "mqtt://, or mqtts:// for TLS")),
        };
        if !matches!(&*address.path, "" | "/") {
            let path = &address.path;
            return Err(
                RouteError::new(field, format_args!("a broker has no {path:?}")).with_cure("write host:port only")
            );
        }
        let port = address.port.unwrap_or(if tls { 8883 } else { 1883 });
        Ok(Self { host: address.host.to_ascii_lowercase(), port, tls })
    }
}

impl std::fmt::Display for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, tls } = self;
        let scheme = if *tls { "mqtts" } else { "mqtt" };
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}

/// The detail of the route: how a property's records are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Publication {
    pub(super) topic: String,
    pub(super) qos: u8,
    pub(super) retained: bool,
}

/// The route of a property by one of its push methods.
pub(super) fn route(device: &Device, property: &Property, push: &MqttPush) -> Result<Route, RouteError> {
    let broker = Broker::parse("pushMethod.mqtt.address", &push.address)?;
    if push.qos > 2 {
        return Err(
            RouteError::new("pushMethod.mqtt.qos", format_args!("{} is no QoS", push.qos)).with_cure("use 0, 1 or 2")
        );
    }
    let topic = topic("pushMethod.mqtt.topic", &push.topic, device, property)?;
    let publication = Publication { topic, qos: push.qos, retained: push.retained };
    Ok(Route::to(Target::new(super::NAME, &broker)).with(&publication))
}

/// The topic with the names in the places of its placeholders.
fn topic(field: &str, template: &str, device: &Device, property: &Property) -> Result<String, RouteError> {
    let template = if template.is_empty() { DEFAULT_TOPIC } else { template };
    const PLACEHOLDERS: &str = "write {namespace}, {device} or {property}";
    let wrong = |message: std::fmt::Arguments<'_>| RouteError::new(field, message);
    if let Some(letter) = template.chars().find(|letter| cannot_be_published(*letter)) {
        return Err(
            wrong(format_args!("{letter:?} cannot stand in a topic that is published to")).with_cure("take it out")
        );
    }
    let mut topic = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err(wrong(format_args!("a {{ has no }}")).with_cure(PLACEHOLDERS));
        };
        topic.push_str(before);
        topic.push_str(&level(match name {
            "namespace" => device.id().namespace(),
            "device" => device.id().name(),
            "property" => property.name(),
            other => {
                return Err(wrong(format_args!("{{{other}}} is no placeholder")).with_cure(PLACEHOLDERS));
            }
        }));
        rest = after;
    }
    topic.push_str(rest);
    if topic.len() > LONGEST_TOPIC {
        return Err(wrong(format_args!("is {} bytes long with its names", topic.len()))
            .with_cure(format_args!("use at most {LONGEST_TOPIC}")));
    }
    Ok(topic)
}

/// A name as one level of a topic. What would make it two, or none, becomes `_`; the payload has the name as it is.
fn level(name: &str) -> String {
    name.replace(|letter| letter == '/' || cannot_be_published(letter), "_")
}

/// The wildcards, which MQTT allows to subscribers only, and the characters for which a broker may close the connection.
fn cannot_be_published(letter: char) -> bool {
    let code = u32::from(letter);
    let is_noncharacter = (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE;
    matches!(letter, '+' | '#') || letter.is_control() || is_noncharacter
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::model::{DataType, DeviceId};

    use super::*;

    fn refusal(push: &MqttPush) -> String {
        let property = Property::builder("pressure", DataType::Double).build();
        route(&Device::builder("boiler").build(), &property, push).unwrap_err().to_string()
    }

    fn push(address: &str) -> MqttPush {
        MqttPush { address: address.into(), ..MqttPush::default() }
    }

    #[test]
    fn all_ways_to_write_an_address_name_the_same_broker() {
        for (text, host, port, tls) in [
            ("mqtt://broker", "broker", 1883, false),
            ("tcp://broker:1883", "broker", 1883, false),
            ("broker", "broker", 1883, false),
            ("Broker:1883/", "broker", 1883, false),
            ("mqtts://broker", "broker", 8883, true),
            ("ssl://broker:8884", "broker", 8884, true),
            ("[::1]", "::1", 1883, false),
            ("mqtts://[fe80::1]:1", "fe80::1", 1, true),
        ] {
            assert_eq!(Broker::parse("address", text), Ok(Broker { host: host.into(), port, tls }), "{text}");
        }
    }

    #[test]
    fn a_broker_is_told_of_as_an_address() {
        for text in ["mqtt://broker:1883", "mqtts://[::1]:8883"] {
            assert_eq!(Broker::parse("address", text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_no_broker_has_is_refused_with_field_and_cure() {
        for (address, message) in [
            ("", "pushMethod.mqtt.address: is empty: write host:port"),
            ("ws://broker", "pushMethod.mqtt.address: unknown scheme \"ws\": use mqtt://, or mqtts:// for TLS"),
            ("mqtt://broker/plant", "pushMethod.mqtt.address: a broker has no \"/plant\": write host:port only"),
        ] {
            assert_eq!(refusal(&push(address)), message);
        }
        assert!(refusal(&push("mqtt://me:hunter2@broker")).contains("mounted Secret"));
        let qos = MqttPush { qos: 3, ..push("broker") };
        assert_eq!(refusal(&qos), "pushMethod.mqtt.qos: 3 is no QoS: use 0, 1 or 2");
    }

    #[test]
    fn a_topic_that_cannot_be_published_to_is_refused_with_field_and_cure() {
        for (topic, message) in [
            ("plant/+/x", "'+' cannot stand in a topic that is published to: take it out"),
            ("plant/#", "'#' cannot stand in a topic that is published to: take it out"),
            ("a\0b", "'\\0' cannot stand in a topic that is published to: take it out"),
            ("a/{name}", "{name} is no placeholder: write {namespace}, {device} or {property}"),
            ("a/{device", "a { has no }: write {namespace}, {device} or {property}"),
        ] {
            let push = MqttPush { topic: topic.into(), ..push("broker") };
            assert_eq!(refusal(&push), format!("pushMethod.mqtt.topic: {message}"));
        }
        let long = MqttPush { topic: "a".repeat(LONGEST_TOPIC) + "{device}", ..push("broker") };
        assert_eq!(refusal(&long), "pushMethod.mqtt.topic: is 65541 bytes long with its names: use at most 65535");
    }

    #[test]
    fn topics_are_those_of_the_golden_file() {
        let mut topics = String::new();
        for (template, property) in [
            ("", "pressure"),
            ("plant/boiler", "pressure"),
            ("{property}", "pressure"),
            ("{namespace}-{device}/{property}/{property}", "pressure"),
            ("/values/{device}", "pressure"),
            ("größe/{property}", "Höhe über NN"),
            ("", "in/out"),
            ("", "a+b#c\0d\u{85}\u{ffff}"),
            ("", "{device}"),
        ] {
            let mut device = Device::builder("boiler").build();
            device.id = DeviceId::new("plant", "boiler");
            let property = Property::builder(property, DataType::Double).build();
            let topic = topic("topic", template, &device, &property).unwrap();
            // Writing to a string does not fail.
            writeln!(topics, "{template:?} {:?} {topic}", property.name()).unwrap();
        }
        assert_eq!(topics, include_str!("../../../../tests/golden/mqtt/topics.txt"));
    }

    #[test]
    fn all_topics_of_a_broker_share_its_connection() {
        let device = Device::builder("boiler").build();
        let property = Property::builder("pressure", DataType::Double).build();
        let routes = ["", "a", "b"].map(|topic| {
            let push = MqttPush { topic: topic.into(), qos: 1, retained: true, ..push("mqtt://broker") };
            route(&device, &property, &push).unwrap()
        });
        assert!(routes.iter().all(|route| route.target() == routes[0].target()));
        let publication: Publication = routes[1].detail().unwrap();
        assert_eq!(publication, Publication { topic: "a".into(), qos: 1, retained: true });
    }
}
