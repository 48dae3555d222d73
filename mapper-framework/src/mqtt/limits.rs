//! What a connection can carry, and whether a message is within that.

use crate::config::MqttVersion;

use super::{ConnectOptions, Message, Properties, WINDOW};

/// The largest packet that the protocol can describe.
pub(super) const LARGEST_PACKET: u32 = 268_435_460;

/// What a connection can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The most messages on their way, at least one.
    pub(crate) window: usize,
    /// The largest packet, and who sets that limit.
    pub(super) packet: (u32, String),
    pub(super) max_qos: u8,
    pub(super) retain: bool,
    pub(super) version: MqttVersion,
}

impl Limits {
    /// Those of the config, for a broker that names none.
    pub(super) fn new(version: MqttVersion, options: &ConnectOptions) -> Self {
        let packet = (options.max_packet_bytes.min(LARGEST_PACKET), format!("{}.max_packet_bytes", options.section));
        Self { window: WINDOW.into(), packet, max_qos: 2, retain: true, version }
    }

    /// Whether messages of this QoS can be sent.
    pub(crate) fn takes_qos(&self, qos: u8) -> bool {
        qos <= self.max_qos
    }

    /// The QoS with which a message of this one is sent: the broker may take a lower one only.
    #[cfg_attr(not(feature = "sink-mqtt"), allow(dead_code))]
    pub(crate) fn at_most(&self, qos: u8) -> u8 {
        qos.min(self.max_qos)
    }

    /// Whether a message can be sent at all.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    pub(crate) fn check(&self, message: &Message) -> Result<(), String> {
        self.fits(message)?;
        self.offers(message.qos, message.retained)
    }

    /// Whether a message is small enough.
    ///
    /// # Errors
    ///
    /// How large it is, and who sets the limit.
    pub(crate) fn fits(&self, message: &Message) -> Result<(), String> {
        let (size, (limit, whose)) = (self.packet_bytes(message), &self.packet);
        if size > *limit as usize {
            return Err(format!("a packet of {size} bytes is larger than the {limit} of {whose}"));
        }
        Ok(())
    }

    /// Whether the broker offers what messages are to be sent with, whatever is in them.
    ///
    /// # Errors
    ///
    /// What it does not offer, and the cure.
    pub(crate) fn offers(&self, qos: u8, retained: bool) -> Result<(), String> {
        if qos > self.max_qos {
            let most = self.max_qos;
            return Err(format!(
                "the broker takes no QoS above {most}: raise the maximum there, or set pushMethod.mqtt.qos to {most}"
            ));
        }
        if retained && !self.retain {
            return Err(
                "the broker retains nothing: have it do so, or set pushMethod.mqtt.retained to false".to_owned()
            );
        }
        Ok(())
    }

    /// The size of the whole packet, as the largest packet is counted.
    fn packet_bytes(&self, message: &Message) -> usize {
        let id = if message.qos > 0 { 2 } else { 0 };
        let properties = match self.version {
            MqttVersion::V3 => 0,
            MqttVersion::V5 => {
                let length = message.properties.as_deref().map_or(0, Properties::bytes);
                bytes_of_length(length) + length
            }
        };
        let rest = 2 + message.topic.len() + id + properties + message.payload.len();
        1 + bytes_of_length(rest) + rest
    }
}

/// How many bytes a length takes in a packet.
fn bytes_of_length(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::{tests::options, v3, v5};

    fn message(qos: u8, payload: usize) -> Message {
        let payload = vec![b'x'; payload].into();
        Message { topic: "plant/boiler".into(), qos, retained: false, payload, properties: None }
    }

    #[test]
    fn the_size_of_a_packet_is_what_the_library_makes_of_it() {
        for qos in 0..=2 {
            for payload in [0, 1, 108, 109, 110, 111, 112, 113, 114, 16_364, 16_370, 2_097_130, 2_097_140] {
                let message = message(qos, payload);
                let mut v3 = rumqttc::Publish::new(&message.topic, v3::qos(qos), message.payload.clone());
                v3.pkid = u16::from(qos > 0);
                assert_eq!(
                    Limits::new(MqttVersion::V3, &options(1)).packet_bytes(&message),
                    v3.size(),
                    "{qos} {payload}"
                );
                for length in [None, Some(0), Some(100), Some(20_000)] {
                    let user = |length| vec![("time", "x".repeat(length)), ("width", "1280".to_owned())];
                    let properties = length.map(|length| Properties { content_type: "image/jpeg", user: user(length) });
                    let of_library = properties.clone().map(v5::properties);
                    let message = Message { properties: properties.map(Box::new), ..message.clone() };
                    let mut v5 = rumqttc::v5::mqttbytes::v5::Publish::new(
                        &message.topic,
                        v5::qos(qos),
                        message.payload.clone(),
                        of_library,
                    );
                    v5.pkid = u16::from(qos > 0);
                    assert_eq!(
                        Limits::new(MqttVersion::V5, &options(1)).packet_bytes(&message),
                        v5.size(),
                        "{qos} {payload} {length:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_message_that_cannot_be_sent_is_refused_with_the_reason_and_the_cure() {
        let limits = Limits { max_qos: 1, retain: false, ..Limits::new(MqttVersion::V3, &options(100)) };
        assert_eq!(limits.check(&message(1, 80)), Ok(()));
        let refusal = |message| limits.check(&message).unwrap_err();
        assert_eq!(
            refusal(message(1, 83)),
            "a packet of 101 bytes is larger than the 100 of sinks.mqtt.max_packet_bytes"
        );
        assert_eq!(
            refusal(message(2, 1)),
            "the broker takes no QoS above 1: raise the maximum there, or set pushMethod.mqtt.qos to 1"
        );
        assert_eq!(
            refusal(Message { retained: true, ..message(1, 1) }),
            "the broker retains nothing: have it do so, or set pushMethod.mqtt.retained to false"
        );
    }
}
