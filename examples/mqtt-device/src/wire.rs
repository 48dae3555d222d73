//! A connection by either version of MQTT, and all that is known of the library, rumqttc, which has types of their own for each.
//!
//! An event loop that is polled after an error would connect again, so it is not: the connection is over.

mod v3;
mod v5;

use std::time::Duration;

use mapper_framework::DriverError;
use rumqttc::NetworkOptions;
use tokio::time::timeout;

use crate::{brokers::Settings, config::Version, login, traffic::Message};

/// The largest message that is taken, in bytes.
pub(crate) const LARGEST: usize = 16 * 1024 * 1024;

/// How many requests wait for the library: each is a subscription, the end of one, or a command.
pub(crate) const REQUESTS: usize = 10_000;

/// The most commands that wait for the broker's answer.
const WINDOW: u16 = 100;

/// What happens on a connection.
#[derive(Debug)]
pub(crate) enum Event {
    /// The next command, in the order in which they were handed over, is on the wire in a packet of this id; 0 if it is not answered.
    Published(u16),
    /// The broker has answered to the command in the packet of this id.
    Acknowledged(u16, Receipt),
    /// The next subscription, in the order in which they were handed over, is on the wire in a packet of this id.
    Subscribing(u16),
    /// The broker has answered to the subscription in the packet of this id: for each filter, in their order, why it is refused.
    Subscribed(u16, Vec<Result<(), String>>),
    /// A message has come.
    Arrived(Message),
}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum Loss {
    /// A message of so many bytes has come, and these are the most. Its topic is not known. By MQTT 3.1.1 only.
    TooLarge { bytes: usize, most: usize },
    /// For this reason.
    Other(String),
}

/// What a broker makes of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// It has it.
    Taken,
    /// It says that nobody has subscribed to its topic. By MQTT 5 only.
    Unheard,
    /// It refuses it, for this reason. By MQTT 5 only.
    Refused(String),
}

/// What is published to a device.
pub(crate) struct Command<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: Vec<u8>,
    /// How long the broker may keep it for a device that is not connected. By MQTT 3.1.1 that is for ever.
    pub(crate) expires: Option<Duration>,
}

/// Why a request is not handed over.
#[derive(Debug)]
pub(crate) enum NotSent {
    /// Too many wait, or the connection is over.
    Full,
    /// The packet has so many bytes, and these are the most.
    TooLarge { bytes: usize, most: usize },
}

/// What drives a connection.
pub(crate) enum Wire {
    V3(Box<rumqttc::EventLoop>),
    V5(Box<rumqttc::v5::EventLoop>),
}

/// Where requests are handed to a connection. It never waits.
pub(crate) enum Client {
    V3(rumqttc::AsyncClient),
    V5(v5::Client),
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    ///
    /// The broker does not answer within this time, or does not let the mapper in.
    pub(crate) async fn connect(settings: &Settings, within: Duration) -> Result<(Self, Client), DriverError> {
        let opening = async {
            match settings.version {
                Version::V3 => v3::connect(settings, within).await,
                Version::V5 => v5::connect(settings, within).await,
            }
        };
        timeout(within, opening).await.unwrap_or_else(|_| {
            Err(DriverError::disconnected(format_args!("{}: no answer within {within:?}", settings.broker)))
        })
    }

    /// Waits for what happens next. Not to be called after an error.
    ///
    /// # Errors
    ///
    /// Why the connection is over.
    pub(crate) async fn next(&mut self) -> Result<Event, Loss> {
        match self {
            Self::V3(events) => v3::next(events).await,
            Self::V5(events) => v5::next(events).await.map_err(Loss::Other),
        }
    }
}

impl Client {
    /// Hands over a command. [`Event::Published`] is the next that is known of it.
    pub(crate) fn publish(&self, command: Command<'_>) -> Result<(), NotSent> {
        match self {
            Self::V3(client) => v3::publish(client, command),
            Self::V5(client) => client.publish(command),
        }
    }

    /// Asks for what comes on these topics. [`Event::Subscribing`] is the next that is known of it.
    pub(crate) fn subscribe(&self, filters: &[String]) -> Result<(), NotSent> {
        match self {
            Self::V3(client) => v3::subscribe(client, filters),
            Self::V5(client) => client.subscribe(filters),
        }
    }

    /// Asks no longer for what comes on these topics.
    pub(crate) fn unsubscribe(&self, filter: &str) {
        // A connection that is over has no subscriptions.
        match self {
            Self::V3(client) => _ = client.try_unsubscribe(filter),
            Self::V5(client) => client.unsubscribe(filter),
        }
    }
}

/// The client id: with one of its own each time, a connection ends no other one.
fn client_id(settings: &Settings) -> String {
    settings.client_id.clone().unwrap_or_else(|| format!("mqtt-mapper-{:08x}", fastrand::u32(..)))
}

/// Small packets are not held back. The library counts in whole seconds, and whoever waits ends it by the fraction.
fn network(within: Duration) -> NetworkOptions {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(within.as_secs() + 1);
    network
}

/// Why a connection was not made.
fn not_connected(settings: &Settings, why: &str) -> DriverError {
    DriverError::disconnected(format_args!("{}: {why}", settings.broker))
}

/// The other side has closed the connection, and has not answered.
fn no_answer(version: Version) -> String {
    let other = match version {
        Version::V3 => "",
        Version::V5 => "speak MQTT 5 (`version`), and does it ",
    };
    format!(
        "the connection was closed before the broker has answered: does it {other}want TLS on this port (mqtts://)?"
    )
}

fn no_tls(error: &rumqttc::TlsError) -> String {
    format!(
        "{error}: does the port speak TLS, and is the authority of the broker's certificate in the file ca.crt of the device's credentials?"
    )
}

/// The broker does not let the mapper in, for this reason of the library's.
fn refused(code: &dyn std::fmt::Debug) -> String {
    format!("the broker refuses the connection: {code:?}")
}

const CLOSED: &str = "the broker has closed the connection";

const SILENT: &str = "the broker is silent";
