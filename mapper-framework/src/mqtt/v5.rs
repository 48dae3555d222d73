//! MQTT 5.

use std::{iter, time::Duration};

use rumqttc::Outgoing;
use rumqttc::v5::{
    AsyncClient, ConnectionError, Event as LibraryEvent, EventLoop, Incoming, MqttOptions, StateError,
    mqttbytes::{
        Error as PacketError, QoS,
        v5::{
            ConnAck, ConnectReturnCode, DisconnectReasonCode, LastWill, PubAckReason, PubCompReason, PubRecReason,
            PublishProperties, SubscribeReasonCode,
        },
    },
};

use tokio::time::Instant;

use crate::config::MqttVersion;

use super::{Answer, Arrival, ConnectOptions, Event, Library, Limits, Loss, Message, Properties, Publisher};

/// A connection by MQTT 5, whose answers say why a message is refused.
pub(super) struct V5 {
    event_loop: EventLoop,
    section: &'static str,
    /// When the broker has accepted it.
    since: Instant,
    /// Set by the first error, after which the event loop is not polled again.
    loss: Option<Loss>,
    /// How many packets with an id wait for their last answer.
    waiting: usize,
    /// Whether the library has forgotten to make room for another message.
    leaks: bool,
}

impl Library for V5 {
    async fn connect(settings: &ConnectOptions) -> Result<(Self, Publisher, Limits), Loss> {
        let (client, mut event_loop) = AsyncClient::new(options(settings), super::REQUESTS);
        // The first poll connects.
        let first = event_loop.poll().await.map_err(|error| refusal(error, settings))?;
        let LibraryEvent::Incoming(Incoming::ConnAck(answer)) = first else {
            return Err(Loss::Connection(format!("the broker answers to CONNECT by {first:?}")));
        };
        // A broker that wants no keep-alive says 0, of which the library makes a ping after the other.
        if event_loop.options.keep_alive().is_zero() {
            event_loop.options.set_keep_alive(settings.keep_alive());
        }
        let limits = limits(settings, &answer);
        Ok((
            Self { event_loop, section: settings.section, since: Instant::now(), loss: None, waiting: 0, leaks: false },
            Publisher::V5(client),
            limits,
        ))
    }

    async fn next(&mut self) -> Result<Option<Event>, Loss> {
        loop {
            let (id, outcome) = match self.poll().await? {
                LibraryEvent::Outgoing(Outgoing::Publish(id)) => {
                    self.waiting += usize::from(id > 0);
                    return Ok(Some(Event::Sent(id)));
                }
                LibraryEvent::Outgoing(Outgoing::Disconnect) => return Ok(None),
                LibraryEvent::Incoming(Incoming::PubAck(ack)) => (ack.pkid, of_puback(ack.reason)),
                LibraryEvent::Incoming(Incoming::PubRec(ack)) => match of_pubrec(ack.reason) {
                    Answer::Accepted => return Ok(Some(Event::Received(ack.pkid))),
                    refused => {
                        self.leaks = true;
                        (ack.pkid, refused)
                    }
                },
                LibraryEvent::Incoming(Incoming::PubComp(ack)) => {
                    self.leaks |= ack.reason != PubCompReason::Success;
                    // It was accepted by the packet before this one already.
                    (ack.pkid, Answer::Accepted)
                }
                LibraryEvent::Incoming(Incoming::Publish(message)) => {
                    let topic = String::from_utf8_lossy(&message.topic).into_owned();
                    return Ok(Some(Event::Arrived(Arrival { topic, payload: message.payload })));
                }
                LibraryEvent::Incoming(Incoming::SubAck(ack)) => {
                    let is_granted = |code| matches!(code, &SubscribeReasonCode::Success(_));
                    return Ok(Some(Event::Subscribed(ack.return_codes.iter().all(is_granted))));
                }
                _ => continue,
            };
            self.answered();
            return Ok(Some(Event::Answered(id, outcome)));
        }
    }
}

impl V5 {
    /// The next event. After an error come those that the broker had sent before, and then the loss.
    async fn poll(&mut self) -> Result<LibraryEvent, Loss> {
        let loss = match self.loss.take() {
            Some(loss) => loss,
            None => match self.event_loop.poll().await {
                Ok(event) => return Ok(event),
                Err(error) => loss(error, self.section, self.since.elapsed()),
            },
        };
        // Events of what was to be sent lie there as well, whether or not it was.
        let events = &mut self.event_loop.state.events;
        match iter::from_fn(|| events.pop_front()).find(|event| matches!(event, LibraryEvent::Incoming(_))) {
            Some(event) => {
                self.loss = Some(loss);
                Ok(event)
            }
            None => Err(loss),
        }
    }

    /// Counts an answer. The library does not count one that refuses a message of QoS 2, so that there would be room for fewer and
    /// fewer. While nothing waits, its state can be cleaned of that.
    fn answered(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiting == 0 && std::mem::take(&mut self.leaks) {
            self.event_loop.state.clean();
        }
    }
}

fn options(settings: &ConnectOptions) -> MqttOptions {
    let mut options = MqttOptions::new(&settings.client_id, settings.address(), settings.broker.port);
    options.set_transport(settings.transport()).set_keep_alive(settings.keep_alive()).set_clean_start(true);
    options.set_network_options(super::network_options()).set_connection_timeout(super::FOR_EVER);
    options.set_outgoing_inflight_upper_limit(super::WINDOW);
    if let Some(Message { topic, qos: level, retained, payload, .. }) = settings.will.clone() {
        options.set_last_will(LastWill::new(topic, payload, qos(level), retained, None));
    }
    if let Some((username, password)) = settings.login() {
        options.set_credentials(username, password);
    }
    options
}

pub(super) fn qos(level: u8) -> QoS {
    match level {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// The properties of a message, as the library has them.
pub(super) fn properties(properties: Properties) -> PublishProperties {
    let Properties { content_type, user } = properties;
    PublishProperties {
        content_type: Some(content_type.to_owned()),
        user_properties: user.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        ..PublishProperties::default()
    }
}

/// What the broker says that it takes, within what the config says.
fn limits(settings: &ConnectOptions, answer: &ConnAck) -> Limits {
    let mut limits = Limits::new(MqttVersion::V5, settings);
    let Some(says) = &answer.properties else { return limits };
    if let Some(most) = says.receive_max {
        limits.window = limits.window.min(most.max(1).into());
    }
    if let Some(largest) = says.max_packet_size
        && largest < limits.packet.0
    {
        limits.packet = (largest, "the broker".to_owned());
    }
    limits.max_qos = says.max_qos.unwrap_or(limits.max_qos);
    limits.retain = says.retain_available.is_none_or(|available| available > 0);
    limits
}

/// What an answer comes to: the reasons for PUBACK and PUBREC are the same, in two types.
macro_rules! outcome {
    ($type:ident, $reason:expr) => {
        match $reason {
            $type::Success | $type::NoMatchingSubscribers => Answer::Accepted,
            $type::NotAuthorized => Answer::refused(
                "the broker does not let the client publish to this topic: its rules have to, for this user",
            ),
            $type::TopicNameInvalid => Answer::refused("the broker does not accept the topic"),
            $type::PayloadFormatInvalid => Answer::refused("the broker does not accept the payload"),
            // These pass, or nobody knows whether they do.
            $type::UnspecifiedError
            | $type::ImplementationSpecificError
            | $type::PacketIdentifierInUse
            | $type::QuotaExceeded => Answer::Busy(format!("the broker answers {:?}", $reason)),
        }
    };
}

fn of_puback(reason: PubAckReason) -> Answer {
    outcome!(PubAckReason, reason)
}

fn of_pubrec(reason: PubRecReason) -> Answer {
    outcome!(PubRecReason, reason)
}

/// Why the connection was not made.
fn refusal(error: ConnectionError, settings: &ConnectOptions) -> Loss {
    let section = settings.section;
    let code = match error {
        ConnectionError::ConnectionRefused(code) => code,
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            return Loss::Connection(super::loss::no_answer("5", section));
        }
        ConnectionError::Tls(error) => return super::loss::no_tls(&error, &settings.tls_section),
        #[cfg(feature = "sink-mqtt-ws")]
        ConnectionError::Websocket(error) => return super::loss::no_websocket(&error, settings),
        #[cfg(feature = "sink-mqtt-ws")]
        ConnectionError::ResponseValidation(error) => return super::loss::no_websocket(&error, settings),
        error => return Loss::Connection(error.to_string()),
    };
    match code {
        // The broker says the one or the other of a wrong password.
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
            Loss::Setting(super::loss::refused_login(section))
        }
        ConnectReturnCode::BadClientId | ConnectReturnCode::ClientIdentifierNotValid => {
            Loss::Setting(super::loss::refused_id(section))
        }
        ConnectReturnCode::RefusedProtocolVersion | ConnectReturnCode::UnsupportedProtocolVersion => {
            Loss::Setting(super::loss::refused_version(section))
        }
        code => Loss::Connection(format!("the broker refuses the connection: {code:?}")),
    }
}

/// Why the connection of this age is no more.
fn loss(error: ConnectionError, section: &str, age: Duration) -> Loss {
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            Loss::Connection(super::loss::closed(section, age))
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => Loss::Connection(super::loss::SILENT.to_owned()),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => ended(reason_code, section),
        // The library's name for any code that it does not know.
        ConnectionError::MqttState(StateError::Deserialization(PacketError::InvalidConnectReturnCode(code))) => {
            Loss::Refusal(match code {
                0x95 => {
                    format!("the broker refuses it as too large: set {section}.max_packet_bytes to what it takes")
                }
                code => format!("the broker refuses it with the code {code:#04x}"),
            })
        }
        error => Loss::Connection(error.to_string()),
    }
}

/// What the reason of a DISCONNECT says. It names no message.
fn ended(reason: DisconnectReasonCode, section: &str) -> Loss {
    match reason {
        DisconnectReasonCode::SessionTakenOver => Loss::Connection(super::loss::taken_over(section)),
        DisconnectReasonCode::QoSNotSupported => Loss::Setting(
            "the broker does not take this QoS: raise its maximum, or set pushMethod.mqtt.qos to less".to_owned(),
        ),
        DisconnectReasonCode::RetainNotSupported => Loss::Setting(
            "the broker retains nothing: have it do so, or set pushMethod.mqtt.retained to false".to_owned(),
        ),
        DisconnectReasonCode::NotAuthorized
        | DisconnectReasonCode::TopicNameInvalid
        | DisconnectReasonCode::PacketTooLarge
        | DisconnectReasonCode::PayloadFormatInvalid => {
            Loss::Refusal(format!("the broker ends the connection at a message: {reason:?}"))
        }
        reason => Loss::Connection(format!("the broker ends the connection: {reason:?}")),
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::v5::mqttbytes::v5::ConnAckProperties;

    use super::{super::tests::options as settings, *};

    #[test]
    fn a_refusal_names_the_cure() {
        let of = |code| refusal(ConnectionError::ConnectionRefused(code), &settings(1));
        let setting = |code, cure: &str| matches!(of(code), Loss::Setting(reason) if reason.contains(cure));
        assert!(setting(ConnectReturnCode::NotAuthorized, "user name or the password"));
        assert!(setting(ConnectReturnCode::ClientIdentifierNotValid, "sinks.mqtt.client_id"));
        assert!(setting(ConnectReturnCode::UnsupportedProtocolVersion, "sinks.mqtt.version"));
        assert!(matches!(of(ConnectReturnCode::ServerBusy), Loss::Connection(reason) if reason.contains("ServerBusy")));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_stays_is_refused() {
        let rejected = |answer| matches!(answer, Answer::Refused(_));
        assert_eq!(of_puback(PubAckReason::NoMatchingSubscribers), Answer::Accepted);
        assert_eq!(of_puback(PubAckReason::QuotaExceeded), busy("QuotaExceeded"));
        assert!(rejected(of_puback(PubAckReason::NotAuthorized)));
        assert_eq!(of_pubrec(PubRecReason::UnspecifiedError), busy("UnspecifiedError"));
        assert!(rejected(of_pubrec(PubRecReason::PayloadFormatInvalid)));
    }

    #[test]
    fn a_code_that_the_library_does_not_know_belongs_to_a_message() {
        let error = StateError::Deserialization(PacketError::InvalidConnectReturnCode(0x95));
        let Loss::Refusal(reason) = loss(error.into(), "sinks.mqtt", Duration::ZERO) else {
            panic!("the connection is to blame")
        };
        assert!(reason.contains("sinks.mqtt.max_packet_bytes"), "{reason}");
    }

    #[test]
    fn a_disconnect_is_a_setting_a_message_or_the_moment() {
        let of = |reason| ended(reason, "sinks.mqtt");
        assert!(matches!(of(DisconnectReasonCode::QoSNotSupported), Loss::Setting(_)));
        assert!(matches!(of(DisconnectReasonCode::NotAuthorized), Loss::Refusal(_)));
        assert!(matches!(of(DisconnectReasonCode::ServerShuttingDown), Loss::Connection(_)));
    }

    #[test]
    fn the_brokers_limits_narrow_those_of_the_config() {
        let mut answer = ConnAck { session_present: false, code: ConnectReturnCode::Success, properties: None };
        assert_eq!(limits(&settings(500), &answer), Limits::new(MqttVersion::V5, &settings(500)));
        let says = ConnAckProperties {
            receive_max: Some(20),
            max_qos: Some(1),
            retain_available: Some(0),
            max_packet_size: Some(400),
            ..no_properties()
        };
        answer.properties = Some(says);
        let narrowed =
            Limits { window: 20, packet: (400, "the broker".to_owned()), max_qos: 1, retain: false, ..limits_of(500) };
        assert_eq!(limits(&settings(500), &answer), narrowed);
        assert_eq!(limits(&settings(300), &answer).packet, (300, "sinks.mqtt.max_packet_bytes".to_owned()));
    }

    fn busy(reason: &str) -> Answer {
        Answer::Busy(format!("the broker answers {reason}"))
    }

    fn limits_of(max_packet_bytes: u32) -> Limits {
        Limits::new(MqttVersion::V5, &settings(max_packet_bytes))
    }

    fn no_properties() -> ConnAckProperties {
        ConnAckProperties {
            session_expiry_interval: None,
            receive_max: None,
            max_qos: None,
            retain_available: None,
            max_packet_size: None,
            assigned_client_identifier: None,
            topic_alias_max: None,
            reason_string: None,
            user_properties: Vec::new(),
            wildcard_subscription_available: None,
            subscription_identifiers_available: None,
            shared_subscription_available: None,
            server_keep_alive: None,
            response_information: None,
            server_reference: None,
            authentication_method: None,
            authentication_data: None,
        }
    }
}
