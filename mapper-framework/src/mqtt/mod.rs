//! Connections to MQTT brokers, for the mqtt sink and for the event bus, and all that is known of the library, rumqttc. Each version of the
//! protocol, for which rumqttc has types of their own, is a file. Another library would take the place of this folder.
//!
//! What rumqttc does and nobody must rely on:
//!
//! - An event loop that is polled after an error connects again, and then drops what waited, without a word, when the broker does
//!   not know the session. So nothing is polled after an error: the connection ends, and what was not acknowledged comes again.
//! - It stops when its event loop waits for somebody who waits for it. So requests are handed over without waiting, and the channel
//!   for them holds all that can be on its way.
//! - A packet that is larger than its limit costs the connection. So [`Limits::check`] comes first.
//! - It gives no id when a packet is handed over, but in the event that the packet is sent, in the same order.

mod client;
mod identity;
mod v3;
mod v5;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};

use crate::{
    config::MqttVersion,
    model::{Broker, Secret},
};

pub(crate) use client::MqttClient;
pub(crate) use identity::{client_id, node_or_host};
use {v3::V3, v5::V5};

/// The most messages on their way. More do not make it faster, and all are sent again after a loss.
const WINDOW: u16 = 100;

/// How many requests the library's channel holds: the window, some subscriptions, and to disconnect.
const REQUESTS: usize = WINDOW as usize + 10;

/// The largest packet that the protocol can describe.
const LARGEST_PACKET: u32 = 268_435_460;

/// What a connection is made from.
pub(crate) struct ConnectOptions {
    /// The section of the config that they come from, and that of `tls`, which errors name.
    pub(crate) section: &'static str,
    pub(crate) tls_section: String,
    pub(crate) broker: Broker,
    /// With TLS only.
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    pub(crate) client_id: String,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) keep_alive: Duration,
    pub(crate) max_packet_bytes: u32,
    /// What the broker publishes when the connection ends without a DISCONNECT.
    pub(crate) will: Option<Message>,
}

impl ConnectOptions {
    fn transport(&self) -> Transport {
        let tls = self.tls.as_ref().map(|config| TlsConfiguration::Rustls(Arc::clone(config)));
        #[cfg(feature = "sink-mqtt-ws")]
        if self.broker.websocket.is_some() {
            return tls.map_or_else(Transport::ws, Transport::wss_with_config);
        }
        tls.map_or_else(Transport::tcp, Transport::tls_with_config)
    }

    /// The host, or of a WebSocket the URL, as the library wants it.
    fn address(&self) -> String {
        if self.broker.websocket.is_some() { self.broker.to_string() } else { self.broker.host.clone() }
    }

    /// User name and password, empty where there is none; `None` if there is neither.
    fn login(&self) -> Option<(&str, &str)> {
        let (username, password) = (self.username.as_deref(), self.password.as_ref().map(Secret::expose));
        (username.is_some() || password.is_some()).then(|| (username.unwrap_or_default(), password.unwrap_or_default()))
    }

    /// The shortest one that the library takes is five seconds, the longest one that the protocol knows eighteen hours.
    fn keep_alive(&self) -> Duration {
        self.keep_alive.clamp(Duration::from_secs(5), Duration::from_secs(u64::from(u16::MAX)))
    }
}

/// Small packets are not held back. How long connecting may take is the framework's business: it drops the future.
fn network_options() -> NetworkOptions {
    let mut options = NetworkOptions::new();
    options.set_tcp_nodelay(true);
    options.set_connection_timeout(FOR_EVER);
    options
}

/// An hour: longer than any deadline.
const FOR_EVER: u64 = 3600;

/// What is published.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) qos: u8,
    pub(crate) retained: bool,
    pub(crate) payload: Bytes,
    /// What MQTT 5 has a place for beside the payload. MQTT 3.1.1 has none, and goes without.
    pub(crate) properties: Option<Box<Properties>>,
}

/// The properties of a message by MQTT 5.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "sink-mqtt"), allow(dead_code))]
pub(crate) struct Properties {
    pub(crate) content_type: &'static str,
    /// User properties: their names and values.
    pub(crate) user: Vec<(&'static str, String)>,
}

impl Properties {
    /// How many bytes they take in a packet: each its identifier, and each text its length in two bytes.
    fn bytes(&self) -> usize {
        let pair = |(name, value): &(&str, String)| 1 + 2 + name.len() + 2 + value.len();
        1 + 2 + self.content_type.len() + self.user.iter().map(pair).sum::<usize>()
    }
}

/// What a connection can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The most messages on their way, at least one.
    pub(crate) window: usize,
    /// The largest packet, and who sets that limit.
    packet: (u32, String),
    max_qos: u8,
    retain: bool,
    version: MqttVersion,
}

impl Limits {
    /// Those of the config, for a broker that names none.
    fn new(version: MqttVersion, options: &ConnectOptions) -> Self {
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

/// What has become of a message that was handed over.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    /// The next one, in the order in which they were handed over, is on the wire in a packet of this id, 0 for QoS 0.
    Sent(u16),
    /// The broker has the message of QoS 2 in the packet of this id, and will answer once more. By MQTT 5 only.
    Received(u16),
    /// The broker has answered for good to the packet of this id.
    Answered(u16, Answer),
    /// A message has arrived for a subscription.
    Arrived(Arrival),
    /// The broker has granted a subscription, or has not.
    Subscribed(bool),
}

/// A message that has arrived.
#[derive(Debug, PartialEq)]
pub(crate) struct Arrival {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
}

/// What a broker makes of a message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// It has it.
    Accepted,
    /// It refuses it for good, for this reason.
    Refused(String),
    /// It does not take it now, for this reason.
    Busy(String),
}

impl Answer {
    fn refused(reason: &str) -> Self {
        Self::Refused(reason.to_owned())
    }
}

/// Why a connection is no more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Loss {
    /// For this reason.
    Connection(String),
    /// For this reason, which lies in a setting of the mapper or of the broker and stays until somebody changes that.
    Setting(String),
    /// The broker has refused a message by a code that the library does not know, which it takes for the end. It does not say which
    /// message that was.
    Refusal(String),
}

impl Loss {
    /// Why.
    pub(crate) fn reason(&self) -> &str {
        let (Self::Connection(reason) | Self::Setting(reason) | Self::Refusal(reason)) = self;
        reason
    }
}

/// One version of the protocol: a connection that has to be polled, also while nothing is to be written.
pub(super) trait Library: Send + Sized + 'static {
    /// Connects, and gives what messages are handed to, and what the connection carries.
    fn connect(settings: &ConnectOptions) -> impl Future<Output = Result<(Self, Publisher, Limits), Loss>> + Send;

    /// Drives the connection until there is an event; `None` when it has ended as it was asked to. Not to be
    /// called after that, or after an error.
    fn next(&mut self) -> impl Future<Output = Result<Option<Event>, Loss>> + Send;
}

/// Where messages are handed to a connection. It never waits.
pub(super) enum Publisher {
    V3(rumqttc::AsyncClient),
    V5(rumqttc::v5::AsyncClient),
}

/// The connection takes nothing any more: it has ended, and its events say why.
#[derive(Debug)]
pub(crate) struct Ended;

impl Publisher {
    /// Hands over a message. No more than [`Limits::window`] may be on their way.
    pub(super) fn publish(&self, message: Message) -> Result<(), Ended> {
        let Message { topic, qos, retained, payload, properties } = message;
        match (self, properties) {
            (Self::V3(client), _) => client.try_publish(topic, v3::qos(qos), retained, payload).map_err(|_| Ended),
            (Self::V5(client), None) => client.try_publish(topic, v5::qos(qos), retained, payload).map_err(|_| Ended),
            (Self::V5(client), Some(properties)) => {
                let (qos, properties) = (v5::qos(qos), v5::properties(*properties));
                client.try_publish_with_properties(topic, qos, retained, payload, properties).map_err(|_| Ended)
            }
        }
    }

    /// Asks for what is published to topics that fit, with QoS 1 at most.
    pub(super) fn subscribe(&self, filter: &str) -> Result<(), Ended> {
        match self {
            Self::V3(client) => client.try_subscribe(filter, v3::qos(1)).map_err(|_| Ended),
            Self::V5(client) => client.try_subscribe(filter, v5::qos(1)).map_err(|_| Ended),
        }
    }

    /// Asks for the end of the connection, by DISCONNECT.
    pub(super) fn disconnect(&self) -> Result<(), Ended> {
        match self {
            Self::V3(client) => client.try_disconnect().map_err(|_| Ended),
            Self::V5(client) => client.try_disconnect().map_err(|_| Ended),
        }
    }
}

/// What connecting has come to when the other side does not answer as it should. `section` is that of the config.
fn no_answer(version: &str, section: &str) -> String {
    format!(
        "the connection was closed before the broker has answered: does it speak MQTT {version} ({section}.version), and does it \
         want TLS on this port (mqtts://)?"
    )
}

/// The other side speaks no TLS, a certificate is not trusted, or a client has none.
fn no_tls(error: &rumqttc::TlsError, tls_section: &str) -> Loss {
    let text = error.to_string();
    if text.contains("InvalidContentType") {
        return Loss::Setting(format!(
            "{text}: what listens there speaks no TLS: write mqtt://, or the port that has TLS"
        ));
    }
    let is_cut = matches!(error, rumqttc::TlsError::Io(error) if error.kind() != std::io::ErrorKind::InvalidData);
    let make = if is_cut { Loss::Connection } else { Loss::Setting };
    make(format!("{text}: a certificate of an authority of your own needs {tls_section}.ca_file"))
}

/// What answers is no WebSocket, or not that of a broker.
#[cfg(feature = "sink-mqtt-ws")]
fn no_websocket(error: &dyn std::error::Error, options: &ConnectOptions) -> Loss {
    let text = error.to_string();
    if text.contains("certificate") {
        return Loss::Setting(format!(
            "{text}: a certificate of an authority of your own needs {}.ca_file",
            options.tls_section
        ));
    }
    Loss::Connection(format!(
        "no WebSocket of a broker: {text}: the port or the path may be another, or have no TLS (ws:// and not wss://)"
    ))
}

fn refused_id(section: &str) -> String {
    format!("the broker refuses the client id: set another or a shorter {section}.client_id")
}

fn refused_login(section: &str) -> String {
    let kind = section.rsplit('.').next().unwrap_or(section).to_uppercase();
    format!(
        "the broker refuses the user name or the password: give it others by the files username and password in {section}.credentials, or \
        by {kind}_USERNAME and {kind}_PASSWORD"
    )
}

fn refused_version(section: &str) -> String {
    format!("the broker does not speak this version of MQTT: set the other one as {section}.version")
}

/// The broker has closed the connection of this age, and has not said why.
fn closed(section: &str, age: Duration) -> String {
    if age < YOUNG {
        return format!(
            "the broker has closed the connection without a reason, {:.1} s after it had accepted it: its log says why. It may not take a \
             message (topic, QoS, size; by MQTT 5 it would say so, {section}.version), or another client may have come with the same id \
             ({section}.client_id)",
            age.as_secs_f64()
        );
    }
    format!(
        "the broker has closed the connection without a reason, {} s after it had accepted it: it was stopped, or its log says why",
        age.as_secs()
    )
}

/// A connection that is closed before this age is closed for what the client is, or does.
const YOUNG: Duration = Duration::from_secs(5);

fn taken_over(section: &str) -> String {
    format!("another client has come with the same id: give each mapper its own {section}.client_id")
}

const SILENT: &str = "the broker does not answer to a ping";

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn options(max_packet_bytes: u32) -> ConnectOptions {
        ConnectOptions {
            section: "sinks.mqtt",
            tls_section: "sinks.tls".to_owned(),
            broker: Broker { host: "broker".to_owned(), port: 1883, tls: false, websocket: None },
            tls: None,
            client_id: "mapper".to_owned(),
            username: None,
            password: None,
            keep_alive: Duration::from_secs(30),
            max_packet_bytes,
            will: None,
        }
    }

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

    #[test]
    fn a_connection_that_is_closed_without_a_reason_blames_nobody_for_certain() {
        let early = closed("sinks.mqtt", Duration::from_millis(200));
        assert!(early.contains("0.2 s after") && early.contains("may") && early.contains("topic"), "{early}");
        let late = closed("sinks.mqtt", Duration::from_secs(60));
        assert!(late.contains("60 s after") && !late.contains("client_id"), "{late}");
    }
}
