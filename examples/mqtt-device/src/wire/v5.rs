//! MQTT 5: its answers have reasons, a broker says what it takes, and keeps messages that are too large for the mapper to itself.

use std::time::Duration;

use mapper_framework::DriverError;
use rumqttc::{
    Outgoing,
    v5::{
        AsyncClient, ConnectionError, Event as LibraryEvent, EventLoop, Incoming, MqttOptions, StateError,
        mqttbytes::{
            QoS,
            v5::{
                ConnectReturnCode, DisconnectReasonCode, Filter, PubAck, PubAckReason, Publish, PublishProperties,
                SubAck, SubscribeReasonCode,
            },
        },
    },
};

use super::{Command, Event, LARGEST, NotSent, REQUESTS, Receipt, WINDOW, Wire, login};
use crate::{brokers::Settings, config::Version, traffic::Message};

/// Where requests are handed over, and what the broker takes.
pub(crate) struct Client {
    library: AsyncClient,
    qos: QoS,
    largest: usize,
}

pub(super) async fn connect(settings: &Settings, within: Duration) -> Result<(Wire, super::Client), DriverError> {
    let (library, mut events) = AsyncClient::new(options(settings, within)?, REQUESTS);
    let refused = |why: &str| super::not_connected(settings, why);
    // The first poll connects.
    let first = events.poll().await.map_err(|error| refused(&refusal(&error, settings)))?;
    let LibraryEvent::Incoming(Incoming::ConnAck(answer)) = first else {
        return Err(refused(&format!("the broker answers to CONNECT by {first:?}")));
    };
    // A broker that wants no keep-alive says 0, of which the library makes a ping after the other.
    if events.options.keep_alive().is_zero() {
        events.options.set_keep_alive(settings.keep_alive);
    }
    let says = answer.properties.as_ref();
    let qos = if says.and_then(|says| says.max_qos) == Some(0) { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let largest = says.and_then(|says| says.max_packet_size).map_or(LARGEST, |most| LARGEST.min(most as usize));
    Ok((Wire::V5(Box::new(events)), super::Client::V5(Client { library, qos, largest })))
}

/// No session expiry is asked for, so that nothing is left at the broker when the connection ends, and no topic aliases.
fn options(settings: &Settings, within: Duration) -> Result<MqttOptions, DriverError> {
    let Settings { broker, credentials, keep_alive, .. } = settings;
    let mut options = MqttOptions::new(super::client_id(settings), &broker.host, broker.port);
    options.set_keep_alive(*keep_alive).set_clean_start(true).set_max_packet_size(Some(LARGEST as u32));
    options.set_outgoing_inflight_upper_limit(WINDOW);
    options.set_network_options(super::network(within)).set_connection_timeout(within.as_secs() + 1);
    if let Some((username, password)) = login::name_and_password(credentials) {
        options.set_credentials(username, password);
    }
    if broker.tls {
        options.set_transport(login::tls(credentials)?);
    }
    Ok(options)
}

pub(super) async fn next(events: &mut EventLoop) -> Result<Event, String> {
    loop {
        return Ok(match events.poll().await.map_err(|error| loss(&error))? {
            LibraryEvent::Incoming(Incoming::Publish(message)) => {
                let topic = String::from_utf8_lossy(&message.topic).into_owned();
                Event::Arrived(Message::now(topic, message.payload, message.retain))
            }
            LibraryEvent::Outgoing(Outgoing::Publish(id)) => Event::Published(id),
            LibraryEvent::Incoming(Incoming::PubAck(ack)) => Event::Acknowledged(ack.pkid, receipt(ack)),
            LibraryEvent::Outgoing(Outgoing::Subscribe(id)) => Event::Subscribing(id),
            LibraryEvent::Incoming(Incoming::SubAck(ack)) => {
                let SubAck { pkid, return_codes, properties } = ack;
                let words = in_its_words(properties.and_then(|properties| properties.reason_string).as_deref());
                Event::Subscribed(pkid, return_codes.into_iter().map(|code| granted(code, &words)).collect())
            }
            _ => continue,
        });
    }
}

impl Client {
    pub(super) fn publish(&self, command: Command<'_>) -> Result<(), NotSent> {
        let Command { topic, payload, expires } = command;
        // What the device has not got by then it does not get: rounded up, and at least a second, for 0 would be at once.
        let seconds = |time: Duration| (time.as_secs_f64().ceil() as u32).max(1);
        let properties =
            PublishProperties { message_expiry_interval: expires.map(seconds), ..PublishProperties::default() };
        let mut packet = Publish::new(topic, self.qos, payload, Some(properties.clone()));
        packet.pkid = 1;
        let bytes = packet.size();
        if bytes > self.largest {
            return Err(NotSent::TooLarge { bytes, most: self.largest });
        }
        let handed_over = self.library.try_publish_with_properties(topic, self.qos, false, packet.payload, properties);
        handed_over.map_err(|_| NotSent::Full)
    }

    /// The retained flag is as by MQTT 3.1.1: it says that the broker has kept the message, and not how it was published.
    pub(super) fn subscribe(&self, filters: &[String]) -> Result<(), NotSent> {
        let packet = filters.iter().map(|filter| Filter::new(filter.clone(), QoS::AtLeastOnce));
        self.library.try_subscribe_many(packet).map_err(|_| NotSent::Full)
    }

    pub(super) fn unsubscribe(&self, filter: &str) {
        // A connection that is over has no subscriptions.
        self.library.try_unsubscribe(filter).ok();
    }
}

/// What a broker adds to a code.
fn in_its_words(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" ({reason:?})")).unwrap_or_default()
}

/// Whether a subscription is granted.
fn granted(code: SubscribeReasonCode, words: &str) -> Result<(), String> {
    let why = match code {
        SubscribeReasonCode::Success(_) => return Ok(()),
        SubscribeReasonCode::NotAuthorized => {
            return Err(format!("it is not authorized{words}: allow the mapper's user to read it"));
        }
        SubscribeReasonCode::QuotaExceeded => "more than its quota: raise that",
        SubscribeReasonCode::WildcardSubscriptionsNotSupported => "it takes no + and #: name the topics",
        SubscribeReasonCode::SharedSubscriptionsNotSupported => "it has no shared subscriptions",
        SubscribeReasonCode::TopicFilterInvalid => "it is no filter that the broker takes",
        code => return Err(format!("{code:?}{words}")),
    };
    Err(format!("{why}{words}"))
}

/// What the broker makes of a command.
fn receipt(ack: PubAck) -> Receipt {
    let words = in_its_words(ack.properties.and_then(|properties| properties.reason_string).as_deref());
    Receipt::Refused(match ack.reason {
        PubAckReason::Success => return Receipt::Taken,
        PubAckReason::NoMatchingSubscribers => return Receipt::Unheard,
        PubAckReason::NotAuthorized => format!("it is not authorized{words}: allow the mapper's user to write to it"),
        PubAckReason::QuotaExceeded => format!("more than its quota{words}: raise that"),
        PubAckReason::TopicNameInvalid => format!("it is no topic that the broker takes{words}"),
        PubAckReason::PayloadFormatInvalid => format!("it does not take the payload{words}"),
        code => format!("{code:?}{words}"),
    })
}

/// Why the connection was not made.
fn refusal(error: &ConnectionError, settings: &Settings) -> String {
    match error {
        ConnectionError::ConnectionRefused(code) => match code {
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
                login::cure(&settings.credentials)
            }
            ConnectReturnCode::ClientIdentifierNotValid | ConnectReturnCode::BadClientId => {
                "the broker refuses the client id: write another one as `clientId`".to_owned()
            }
            ConnectReturnCode::UnsupportedProtocolVersion | ConnectReturnCode::RefusedProtocolVersion => {
                "the broker does not speak MQTT 5: write 3.1.1 as `version`".to_owned()
            }
            code => super::refused(code),
        },
        ConnectionError::MqttState(StateError::ConnectionAborted) => super::no_answer(Version::V5),
        ConnectionError::Tls(error) => super::no_tls(error),
        error => error.to_string(),
    }
}

/// Why the connection is over.
fn loss(error: &ConnectionError) -> String {
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => super::CLOSED.to_owned(),
        ConnectionError::MqttState(StateError::AwaitPingResp) => super::SILENT.to_owned(),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
            ended(*reason_code, &in_its_words(reason_string.as_deref()))
        }
        error => format!("the connection is lost: {error}"),
    }
}

/// Why the broker has ended the connection.
fn ended(code: DisconnectReasonCode, words: &str) -> String {
    match code {
        DisconnectReasonCode::SessionTakenOver => {
            format!("another client has come to the broker with the same id{words}: give each its own `clientId`")
        }
        DisconnectReasonCode::ServerShuttingDown => format!("the broker is shut down{words}"),
        code => format!("the broker ends the connection: {code:?}{words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_reason_and_the_brokers_words() {
        assert_eq!(granted(SubscribeReasonCode::Success(QoS::AtLeastOnce), ""), Ok(()));
        let refused = |code| granted(code, &in_its_words(Some("no \"plant\""))).unwrap_err();
        assert_eq!(
            refused(SubscribeReasonCode::NotAuthorized),
            r#"it is not authorized ("no \"plant\""): allow the mapper's user to read it"#
        );
        assert_eq!(refused(SubscribeReasonCode::QuotaExceeded), r#"more than its quota: raise that ("no \"plant\"")"#);
        let answer = |reason| receipt(PubAck { pkid: 1, reason, properties: None });
        assert_eq!(answer(PubAckReason::Success), Receipt::Taken);
        assert_eq!(answer(PubAckReason::NoMatchingSubscribers), Receipt::Unheard);
        assert_eq!(answer(PubAckReason::QuotaExceeded), Receipt::Refused("more than its quota: raise that".to_owned()));
        assert_eq!(
            ended(DisconnectReasonCode::AdministrativeAction, ""),
            "the broker ends the connection: AdministrativeAction"
        );
        assert!(ended(DisconnectReasonCode::SessionTakenOver, "").ends_with("give each its own `clientId`"));
    }
}
