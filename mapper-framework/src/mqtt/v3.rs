//! MQTT 3.1.1.

use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event as LibraryEvent, EventLoop, Incoming, LastWill, MqttOptions,
    Outgoing, QoS, StateError, SubscribeReasonCode,
};

use tokio::time::Instant;

use crate::config::MqttVersion;

use super::{Answer, Arrival, ConnectOptions, Event, Library, Limits, Loss, Message, Publisher};

/// A connection by MQTT 3.1.1, whose answers know acceptance only.
pub(super) struct V3 {
    event_loop: EventLoop,
    section: &'static str,
    /// When the broker has accepted it.
    since: Instant,
}

impl Library for V3 {
    async fn connect(settings: &ConnectOptions) -> Result<(Self, Publisher, Limits), Loss> {
        let (client, mut event_loop) = AsyncClient::new(options(settings)?, super::REQUESTS);
        event_loop.set_network_options(super::network_options());
        // The first poll connects.
        event_loop.poll().await.map_err(|error| refusal(error, settings))?;
        let limits = Limits::new(MqttVersion::V3, settings);
        Ok((Self { event_loop, section: settings.section, since: Instant::now() }, Publisher::V3(client), limits))
    }

    async fn next(&mut self) -> Result<Option<Event>, Loss> {
        loop {
            let event = self.event_loop.poll().await;
            let event = event.map_err(|error| Loss::Connection(loss(&error, self.section, self.since.elapsed())))?;
            let id = match event {
                LibraryEvent::Outgoing(Outgoing::Publish(id)) => return Ok(Some(Event::Sent(id))),
                LibraryEvent::Outgoing(Outgoing::Disconnect) => return Ok(None),
                LibraryEvent::Incoming(Incoming::PubAck(ack)) => ack.pkid,
                LibraryEvent::Incoming(Incoming::PubComp(ack)) => ack.pkid,
                LibraryEvent::Incoming(Incoming::Publish(message)) => {
                    return Ok(Some(Event::Arrived(Arrival { topic: message.topic, payload: message.payload })));
                }
                LibraryEvent::Incoming(Incoming::SubAck(ack)) => {
                    let refused = ack.return_codes.contains(&SubscribeReasonCode::Failure);
                    return Ok(Some(Event::Subscribed(!refused)));
                }
                _ => continue,
            };
            return Ok(Some(Event::Answered(id, Answer::Accepted)));
        }
    }
}

fn options(settings: &ConnectOptions) -> Result<MqttOptions, Loss> {
    let mut options = MqttOptions::new(&settings.client_id, settings.address(), settings.broker.port);
    options.set_transport(settings.transport()).set_keep_alive(settings.keep_alive()).set_clean_session(true);
    options.set_inflight(super::WINDOW);
    // Who publishes checks the size itself, and what comes back is as large as what goes out at most.
    options.set_max_packet_size(super::limits::LARGEST_PACKET as usize, super::limits::LARGEST_PACKET as usize);
    if let Some(Message { topic, qos: level, retained, payload, .. }) = settings.will.clone() {
        options.set_last_will(LastWill::new(topic, payload, qos(level), retained));
    }
    match settings.login() {
        Some(("", _)) => {
            let reason = "MQTT 3.1.1 has no password without a user name: give the user name too, or set";
            return Err(Loss::Setting(format!("{reason} {}.version to 5", settings.section)));
        }
        Some((username, password)) => _ = options.set_credentials(username, password),
        None => {}
    }
    Ok(options)
}

pub(super) fn qos(level: u8) -> QoS {
    match level {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// Why the connection was not made.
fn refusal(error: ConnectionError, settings: &ConnectOptions) -> Loss {
    let section = settings.section;
    let code = match error {
        ConnectionError::ConnectionRefused(code) => code,
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            return Loss::Connection(super::loss::no_answer("3.1.1", section));
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
        ConnectReturnCode::BadClientId => Loss::Setting(super::loss::refused_id(section)),
        ConnectReturnCode::RefusedProtocolVersion => Loss::Setting(super::loss::refused_version(section)),
        ConnectReturnCode::ServiceUnavailable => Loss::Connection("the broker is not available".to_owned()),
        ConnectReturnCode::Success => Loss::Connection("the broker refuses without a reason".to_owned()),
    }
}

/// Why the connection of this age is no more.
fn loss(error: &ConnectionError, section: &str, age: Duration) -> String {
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => super::loss::closed(section, age),
        ConnectionError::MqttState(StateError::AwaitPingResp) => super::loss::SILENT.to_owned(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::options as settings, *};

    #[test]
    fn a_refusal_names_the_cure() {
        let of = |code| refusal(ConnectionError::ConnectionRefused(code), &settings(1));
        let setting = |code, cure: &str| matches!(of(code), Loss::Setting(reason) if reason.contains(cure));
        assert!(setting(ConnectReturnCode::NotAuthorized, "user name or the password"));
        assert!(setting(ConnectReturnCode::BadClientId, "sinks.mqtt.client_id"));
        assert!(setting(ConnectReturnCode::RefusedProtocolVersion, "sinks.mqtt.version"));
        assert!(matches!(of(ConnectReturnCode::ServiceUnavailable), Loss::Connection(_)));
        let closed = ConnectionError::MqttState(StateError::ConnectionAborted);
        assert!(refusal(closed, &settings(1)).reason().contains("mqtts://"));
    }
}
