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
mod limits;
mod loss;
mod v3;
mod v5;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rumqttc::{NetworkOptions, TlsConfiguration, Transport};

use crate::model::{Broker, Secret};

pub(crate) use client::MqttClient;
pub(crate) use identity::{client_id, node_or_host};
pub(crate) use limits::Limits;
pub(crate) use loss::Loss;
use {v3::V3, v5::V5};

/// The most messages on their way. More do not make it faster, and all are sent again after a loss.
const WINDOW: u16 = 100;

/// How many requests the library's channel holds: the window, some subscriptions, and to disconnect.
const REQUESTS: usize = WINDOW as usize + 10;

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
}
