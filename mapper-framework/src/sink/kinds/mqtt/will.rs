//! What a broker says of the mapper: that it is connected, or that it is not.

use crate::{
    config::MqttWillConfig,
    model::Broker,
    mqtt::{Answer, Event, Message, MqttClient},
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
        let message =
            |payload: &str| Message { topic: topic.clone(), qos: QOS, retained: true, payload: payload.into() };
        let (online, offline) = (message(&config.online), message(&config.offline));
        (!topic.is_empty()).then_some(Self { online, offline })
    }
}

/// Publishes one of the two, and waits until the broker has it. Nothing else may be on its way.
pub(super) async fn announce(connection: &mut MqttClient, message: Message, broker: &Broker) -> Result<(), SinkError> {
    let of_setting = |reason: &str| SinkError::misconfigured(format_args!("{broker}: sinks.mqtt.will: {reason}"));
    connection.limits().fits(&message).map_err(|reason| of_setting(&reason))?;
    // The events of a connection that has ended say why.
    drop(connection.publish(message));
    loop {
        match connection.event().await {
            Ok(Event::Sent(0) | Event::Answered(_, Answer::Accepted)) => return Ok(()),
            Ok(Event::Answered(_, Answer::Refused(reason))) => return Err(of_setting(&reason)),
            Ok(Event::Answered(_, Answer::Busy(reason))) => return Err(SinkError::failed(reason)),
            Ok(Event::Sent(_) | Event::Received(_) | Event::Arrived(_) | Event::Subscribed(_)) => {}
            Err(loss) => return Err(super::error(&loss, broker)),
        }
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
