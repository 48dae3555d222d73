//! MQTT 3.1.1.

use std::time::Duration;

use mapper_framework::DriverError;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event as LibraryEvent, EventLoop, Incoming, MqttOptions, Outgoing,
    Publish, QoS, StateError, SubscribeFilter, SubscribeReasonCode, mqttbytes,
};

use super::{Client, Command, Event, LARGEST, Loss, NotSent, REQUESTS, Receipt, WINDOW, Wire, login};
use crate::{brokers::Settings, config::Version, traffic::Message};

/// The largest message that is read, in bytes. A client cannot say what it takes: one that is larger than [`LARGEST`] is read to know its
/// topic, and not looked at. One that is larger than this ends the connection, since anybody may publish, and memory is limited.
const LARGEST_SEEN: usize = 64 * 1024 * 1024;

pub(super) async fn connect(settings: &Settings, within: Duration) -> Result<(Wire, Client), DriverError> {
    let (client, mut events) = AsyncClient::new(options(settings)?, REQUESTS);
    events.set_network_options(super::network(within));
    // The first poll connects.
    events.poll().await.map_err(|error| super::not_connected(settings, &refusal(&error, settings)))?;
    Ok((Wire::V3(Box::new(events)), Client::V3(client)))
}

fn options(settings: &Settings) -> Result<MqttOptions, DriverError> {
    let Settings { broker, credentials, keep_alive, .. } = settings;
    let mut options = MqttOptions::new(super::client_id(settings), &broker.host, broker.port);
    options.set_keep_alive(*keep_alive).set_clean_session(true).set_max_packet_size(LARGEST_SEEN, LARGEST);
    options.set_inflight(WINDOW);
    if let Some((username, password)) = login::name_and_password(credentials) {
        options.set_credentials(username, password);
    }
    if broker.tls {
        options.set_transport(login::tls(credentials)?);
    }
    Ok(options)
}

pub(super) async fn next(events: &mut EventLoop) -> Result<Event, Loss> {
    loop {
        return Ok(match events.poll().await.map_err(|error| loss(&error))? {
            LibraryEvent::Incoming(Incoming::Publish(message)) => {
                Event::Arrived(Message::now(message.topic, message.payload, message.retain))
            }
            LibraryEvent::Outgoing(Outgoing::Publish(id)) => Event::Published(id),
            LibraryEvent::Incoming(Incoming::PubAck(ack)) => Event::Acknowledged(ack.pkid, Receipt::Taken),
            LibraryEvent::Outgoing(Outgoing::Subscribe(id)) => Event::Subscribing(id),
            LibraryEvent::Incoming(Incoming::SubAck(ack)) => {
                Event::Subscribed(ack.pkid, ack.return_codes.into_iter().map(granted).collect())
            }
            _ => continue,
        });
    }
}

/// The broker gives no reason, and rights are the usual one.
fn granted(code: SubscribeReasonCode) -> Result<(), String> {
    match code {
        SubscribeReasonCode::Success(_) => Ok(()),
        SubscribeReasonCode::Failure => Err("allow the mapper's user to read it".to_owned()),
    }
}

pub(super) fn publish(client: &AsyncClient, command: Command<'_>) -> Result<(), NotSent> {
    let Command { topic, payload, .. } = command;
    let mut packet = Publish::new(topic, QoS::AtLeastOnce, payload);
    packet.pkid = 1;
    let bytes = packet.size();
    if bytes > LARGEST {
        return Err(NotSent::TooLarge { bytes, most: LARGEST });
    }
    client.try_publish(topic, packet.qos, false, packet.payload).map_err(|_| NotSent::Full)
}

pub(super) fn subscribe(client: &AsyncClient, filters: &[String]) -> Result<(), NotSent> {
    let packet = filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
    client.try_subscribe_many(packet).map_err(|_| NotSent::Full)
}

/// Why the connection was not made.
fn refusal(error: &ConnectionError, settings: &Settings) -> String {
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => login::cure(&settings.credentials),
        ConnectionError::ConnectionRefused(code) => super::refused(code),
        ConnectionError::MqttState(StateError::ConnectionAborted) => super::no_answer(Version::V3),
        ConnectionError::Tls(error) => super::no_tls(error),
        error => error.to_string(),
    }
}

/// Why the connection is over.
fn loss(error: &ConnectionError) -> Loss {
    Loss::Other(match error {
        ConnectionError::MqttState(StateError::Deserialization(mqttbytes::Error::PayloadSizeLimitExceeded(bytes))) => {
            return Loss::TooLarge { bytes: *bytes, most: LARGEST_SEEN };
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => super::CLOSED.to_owned(),
        ConnectionError::MqttState(StateError::AwaitPingResp) => super::SILENT.to_owned(),
        error => format!("the connection is lost: {error}"),
    })
}
