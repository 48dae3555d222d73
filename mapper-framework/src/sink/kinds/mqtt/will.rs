//! What a broker says of the mapper: that it is connected, or that it is not.

use crate::{
    config::MqttWillConfig,
    model::Broker,
    mqtt::{Answer, Message, MqttClient},
    sink::SinkError,
};

/// At least once: the same message twice says the same.
const QOS: u8 = 1;

/// The two messages, which are retained.
pub(super) struct Will {
    pub(super) online: Message,
    /// Also what the broker publishes when the connection is lost.
    pub(super) offline: Message,
}

impl Will {
    /// None if the config names no topic.
    pub(super) fn new(config: &MqttWillConfig, node: &str) -> Option<Self> {
        let topic = config.topic.replace("{node}", &super::route::level(node));
        let message = |payload: &str| Message {
            topic: topic.clone(),
            qos: QOS,
            retained: true,
            payload: payload.to_owned().into(),
            properties: None,
        };
        let (online, offline) = (message(&config.online), message(&config.offline));
        (!topic.is_empty()).then_some(Self { online, offline })
    }
}

/// Publishes one of the two, and waits until the broker has it. Nothing else may be on its way.
pub(super) async fn announce(connection: &mut MqttClient, message: Message, broker: &Broker) -> Result<(), SinkError> {
    let of_setting = |reason: &str| SinkError::misconfigured(format_args!("{broker}: sinks.mqtt.will: {reason}"));
    connection.limits().fits(&message).map_err(|reason| of_setting(&reason))?;
    match connection.deliver(message).await.map_err(|loss| super::error(&loss, broker))? {
        Answer::Accepted => Ok(()),
        Answer::Refused(reason) => Err(of_setting(&reason)),
        Answer::Busy(reason) => Err(SinkError::failed(reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_one_level_of_the_topic() {
        let config = MqttWillConfig { topic: "plant/{node}/mapper".into(), ..MqttWillConfig::default() };
        let will = Will::new(&config, "a/b").unwrap();
        assert_eq!((&*will.online.topic, &*will.online.payload), ("plant/a_b/mapper", &b"online"[..]));
        assert_eq!((&*will.offline.topic, &*will.offline.payload), ("plant/a_b/mapper", &b"offline"[..]));
        assert!(Will::new(&MqttWillConfig::default(), "a").is_none());
    }
}
