//! MQTT 3.1.1.

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event as LibraryEvent, EventLoop, Incoming, MqttOptions, Outgoing,
    QoS, StateError, SubscribeReasonCode,
};

use crate::config::MqttVersion;

use super::{Answer, Arrival, ConnectOptions, Event, Library, Limits, Loss, Publisher};

/// A connection by MQTT 3.1.1, whose answers know acceptance only.
pub(super) struct V3 {
    event_loop: EventLoop,
    section: &'static str,
}

impl Library for V3 {
    async fn connect(settings: &ConnectOptions) -> Result<(Self, Publisher, Limits), Loss> {
        let (client, mut event_loop) = AsyncClient::new(options(settings)?, super::REQUESTS);
        event_loop.set_network_options(super::network_options());
        // The first poll connects.
        event_loop.poll().await.map_err(|error| Loss::Connection(refusal(error, settings)))?;
        let limits = Limits::new(MqttVersion::V3, settings);
        Ok((Self { event_loop, section: settings.section }, Publisher::V3(client), limits))
    }

    async fn next(&mut self) -> Result<Option<Event>, Loss> {
        loop {
            let event = self.event_loop.poll().await.map_err(|error| Loss::Connection(loss(&error, self.section)))?;
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
    let mut options = MqttOptions::new(&settings.client_id, &settings.broker.host, settings.broker.port);
    options.set_transport(settings.transport()).set_keep_alive(settings.keep_alive()).set_clean_session(true);
    options.set_inflight(super::WINDOW);
    // Who publishes checks the size itself, and what comes back is as large as what goes out at most.
    options.set_max_packet_size(super::LARGEST_PACKET as usize, super::LARGEST_PACKET as usize);
    match settings.login() {
        Some(("", _)) => {
            let reason = "MQTT 3.1.1 has no password without a user name: give the user name too, or set";
            return Err(Loss::Connection(format!("{reason} {}.version to 5", settings.section)));
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
fn refusal(error: ConnectionError, settings: &ConnectOptions) -> String {
    let section = settings.section;
    let code = match error {
        ConnectionError::ConnectionRefused(code) => code,
        ConnectionError::MqttState(StateError::ConnectionAborted) => return super::no_answer("3.1.1", section),
        ConnectionError::Tls(error) => return super::no_tls(&error, &settings.tls_section),
        error => return error.to_string(),
    };
    let reason = match code {
        // The broker says the one or the other of a wrong password.
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
            return super::refused_login(section);
        }
        ConnectReturnCode::BadClientId => return super::refused_id(section),
        ConnectReturnCode::RefusedProtocolVersion => return super::refused_version(section),
        ConnectReturnCode::ServiceUnavailable => "the broker is not available",
        ConnectReturnCode::Success => "the broker refuses without a reason",
    };
    reason.to_owned()
}

/// Why the connection is no more.
fn loss(error: &ConnectionError, section: &str) -> String {
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => super::closed(section),
        ConnectionError::MqttState(StateError::AwaitPingResp) => super::SILENT.to_owned(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::options as settings, *};

    #[test]
    fn a_refusal_names_the_cure() {
        let of = |code| refusal(ConnectionError::ConnectionRefused(code), &settings(1));
        assert!(of(ConnectReturnCode::NotAuthorized).contains("user name or the password"));
        assert!(of(ConnectReturnCode::BadClientId).contains("sinks.mqtt.client_id"));
        assert!(of(ConnectReturnCode::RefusedProtocolVersion).contains("sinks.mqtt.version"));
        let closed = ConnectionError::MqttState(StateError::ConnectionAborted);
        assert!(refusal(closed, &settings(1)).contains("mqtts://"));
    }
}
