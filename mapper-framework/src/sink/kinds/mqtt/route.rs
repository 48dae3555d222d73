//! From a push method to the broker that is connected to, and the topic that is published to.

use serde::{Deserialize, Serialize};

use crate::model::{Broker, Device, MqttPush, Property};

use crate::sink::{Route, RouteError, Target};

/// The field that names the broker.
pub(super) const ADDRESS: &str = "pushMethod.mqtt.address";

/// The topic where the manifest names none.
const DEFAULT_TOPIC: &str = "kubeedge/{namespace}/{device}/{property}";

/// The longest topic in bytes: its length stands in two bytes.
const LONGEST_TOPIC: usize = u16::MAX as usize;

/// The detail of the route: how a property's records are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Publication {
    pub(super) topic: String,
    pub(super) qos: u8,
    pub(super) retained: bool,
}

/// The route of a property by one of its push methods.
pub(super) fn route(device: &Device, property: &Property, push: &MqttPush) -> Result<Route, RouteError> {
    let (broker, publication) = publication(device, property, push)?;
    Ok(Route::to(Target::new(super::NAME, &broker)).with(&publication))
}

/// The broker of a push method, and how what is pushed is published there.
pub(super) fn publication(
    device: &Device,
    property: &Property,
    push: &MqttPush,
) -> Result<(Broker, Publication), RouteError> {
    let broker = Broker::parse(&push.address).map_err(|error| RouteError::of(ADDRESS, error))?;
    if push.qos > 2 {
        return Err(
            RouteError::new("pushMethod.mqtt.qos", format_args!("{} is no QoS", push.qos)).with_cure("use 0, 1 or 2")
        );
    }
    let topic = topic("pushMethod.mqtt.topic", &push.topic, device, property)?;
    Ok((broker, Publication { topic, qos: push.qos, retained: push.retained }))
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
pub(super) fn level(name: &str) -> String {
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
    fn what_no_broker_has_is_refused_with_field_and_cure() {
        for (address, message) in [
            ("", "pushMethod.mqtt.address: is empty: write host:port"),
            ("amqp://broker", "pushMethod.mqtt.address: unknown scheme \"amqp\": use mqtt://, or mqtts:// for TLS"),
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
