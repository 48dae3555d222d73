//! MQTT 3.1.1.

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event as LibraryEvent, EventLoop, Incoming, MqttOptions, Outgoing,
    QoS, StateError,
};

use crate::{config::MqttVersion, sink::Outcome};

use super::{ConnectOptions, Event, Library, Limits, Loss, Publisher};

/// A connection by MQTT 3.1.1, whose answers know acceptance only.
pub(in super::super) struct V3(EventLoop);

impl Library for V3 {
    async fn connect(settings: &ConnectOptions) -> Result<(Self, Publisher, Limits), Loss> {
        let (client, mut event_loop) = AsyncClient::new(options(settings)?, super::REQUESTS);
        event_loop.set_network_options(super::network_options());
        // The first poll connects.
        event_loop.poll().await.map_err(|error| Loss::Connection(refusal(error)))?;
        let limits = Limits::new(MqttVersion::V3, settings.max_packet_bytes);
        Ok((Self(event_loop), Publisher::V3(client), limits))
    }

    async fn next(&mut self) -> Result<Option<Event>, Loss> {
        loop {
            let event = self.0.poll().await.map_err(|error| Loss::Connection(loss(&error)))?;
            let id = match event {
                LibraryEvent::Outgoing(Outgoing::Publish(id)) => return Ok(Some(Event::Sent(id))),
                LibraryEvent::Outgoing(Outgoing::Disconnect) => return Ok(None),
                LibraryEvent::Incoming(Incoming::PubAck(ack)) => ack.pkid,
                LibraryEvent::Incoming(Incoming::PubComp(ack)) => ack.pkid,
                _ => continue,
            };
            return Ok(Some(Event::Answered(id, Outcome::Accepted)));
        }
    }
}

fn options(settings: &ConnectOptions) -> Result<MqttOptions, Loss> {
    let mut options = MqttOptions::new(&settings.client_id, &settings.broker.host, settings.broker.port);
    options.set_transport(settings.transport()).set_keep_alive(settings.keep_alive()).set_clean_session(true);
    options.set_inflight(super::WINDOW);
    // The sink checks the size itself, and what comes back is small.
    options.set_max_packet_size(64 << 10, super::LARGEST_PACKET as usize);
    match settings.login() {
        Some(("", _)) => {
            let reason = "MQTT 3.1.1 has no password without a user name: give the user name too, or set sinks.mqtt.version to 5";
            return Err(Loss::Connection(reason.to_owned()));
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
fn refusal(error: ConnectionError) -> String {
    let code = match error {
        ConnectionError::ConnectionRefused(code) => code,
        ConnectionError::MqttState(StateError::ConnectionAborted) => return super::no_answer("3.1.1"),
        ConnectionError::Tls(error) => return super::no_tls(&error),
        error => return error.to_string(),
    };
    let reason = match code {
        // The broker says the one or the other of a wrong password.
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => super::REFUSED_LOGIN,
        ConnectReturnCode::BadClientId => super::REFUSED_ID,
        ConnectReturnCode::RefusedProtocolVersion => super::REFUSED_VERSION,
        ConnectReturnCode::ServiceUnavailable => "the broker is not available",
        ConnectReturnCode::Success => "the broker refuses without a reason",
    };
    reason.to_owned()
}

/// Why the connection is no more.
fn loss(error: &ConnectionError) -> String {
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => super::CLOSED.to_owned(),
        ConnectionError::MqttState(StateError::AwaitPingResp) => super::SILENT.to_owned(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_cure() {
        let of = |code| refusal(ConnectionError::ConnectionRefused(code));
        assert!(of(ConnectReturnCode::NotAuthorized).contains("user name or the password"));
        assert!(of(ConnectReturnCode::BadClientId).contains("sinks.mqtt.client_id"));
        assert!(of(ConnectReturnCode::RefusedProtocolVersion).contains("sinks.mqtt.version"));
        let closed = ConnectionError::MqttState(StateError::ConnectionAborted);
        assert!(refusal(closed).contains("mqtts://"));
    }
}
