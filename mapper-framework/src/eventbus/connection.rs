//! The connection to the broker.

use std::{fmt, sync::Arc};

use crate::{
    config::EventbusConfig,
    credentials::CredentialSources,
    model::{Broker, Credentials, DeviceId, DeviceState},
    mqtt::{self, Answer, Arrival, ConnectOptions, Event, Message, MqttClient},
    tls,
};

use super::message::{self, Received, TwinValue};

/// The name under which credentials are looked for.
const NAME: &str = "eventbus";

/// At least once: edgecore may get a message twice, and stores the same.
const QOS: u8 = 1;

/// What it takes to connect.
#[derive(Clone, Debug)]
pub(crate) struct BusSettings {
    config: EventbusConfig,
    credentials: CredentialSources,
    /// The host's name.
    host: String,
}

impl BusSettings {
    pub(crate) fn new(config: EventbusConfig, credentials: CredentialSources) -> Self {
        Self { config, credentials, host: mqtt::host_name() }
    }

    /// The broker's address, as it stands in the config.
    pub(crate) fn address(&self) -> &str {
        &self.config.address
    }

    fn options(&self) -> Result<ConnectOptions, String> {
        let broker = Broker::parse(&self.config.address).map_err(|error| error.to_string())?;
        let credentials: Credentials = self.credentials.read(NAME).map_err(|error| error.to_string())?;
        let tls = broker.tls.then(|| tls::client_config("report.eventbus.tls", &self.config.tls)).transpose();
        Ok(ConnectOptions {
            section: "report.eventbus",
            tls_section: "report.eventbus.tls",
            tls: tls.map_err(|error| error.to_string())?.map(Arc::new),
            client_id: mqtt::client_id(&self.config.client_id, &broker.to_string(), &self.host),
            username: credentials.username().map(str::to_owned),
            password: credentials.password().cloned(),
            keep_alive: self.config.keep_alive,
            max_packet_bytes: u32::MAX,
            broker,
        })
    }
}

/// A connection to the broker, on which edgecore's answers are listened to. Dropping it cuts it.
pub(crate) struct EventBus {
    client: MqttClient,
}

impl EventBus {
    /// Connects and subscribes. Certificates and credentials are read anew each time.
    ///
    /// # Errors
    ///
    /// Why it cannot be done, with the cure.
    pub(crate) async fn connect(settings: &BusSettings) -> Result<Self, String> {
        let options = settings.options()?;
        let opened = MqttClient::open(settings.config.version, &options).await;
        let mut client = opened.map_err(|loss| loss.reason().to_owned())?;
        let ended = |_| "the connection ended at once".to_owned();
        message::ANSWERS.iter().try_for_each(|filter| client.subscribe(filter)).map_err(ended)?;
        let mut granted = 0;
        while granted < message::ANSWERS.len() {
            match client.event().await.map_err(|loss| loss.reason().to_owned())? {
                Event::Subscribed(true) => granted += 1,
                Event::Subscribed(false) => {
                    let filters = message::ANSWERS.join(", ");
                    return Err(format!("the broker does not let the mapper subscribe: allow it to read {filters}"));
                }
                _ => {}
            }
        }
        Ok(Self { client })
    }

    /// Sends twins of a device. The answer comes by [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// The broker does not take so large a message. That the connection has ended comes by [`next`](Self::next).
    pub(crate) fn report_twins(
        &self,
        device: &DeviceId,
        event_id: &str,
        twins: &[TwinValue<'_>],
    ) -> Result<(), String> {
        self.publish(message::twin_topic(device), message::twin_update(event_id, twins))
    }

    /// As [`report_twins`](Self::report_twins), for a device's state.
    pub(crate) fn report_state(&self, device: &DeviceId, event_id: &str, state: DeviceState) -> Result<(), String> {
        self.publish(message::state_topic(device), message::state_update(event_id, state))
    }

    fn publish(&self, topic: String, payload: Vec<u8>) -> Result<(), String> {
        let message = Message { topic, qos: QOS, retained: false, payload };
        self.client.limits().check(&message)?;
        // The events of a connection that has ended say why.
        drop(self.client.publish(message));
        Ok(())
    }

    /// What edgecore says next. Cancelling loses nothing.
    ///
    /// # Errors
    ///
    /// Why the connection is no more.
    pub(crate) async fn next(&mut self) -> Result<Received, String> {
        loop {
            match self.client.event().await.map_err(|loss| loss.reason().to_owned())? {
                Event::Arrived(Arrival { topic, payload }) => {
                    if let Some(received) = message::read(&topic, &payload) {
                        return Ok(received);
                    }
                    tracing::debug!(topic, "this is no answer of edgecore's");
                }
                Event::Answered(_, Answer::Refused(reason) | Answer::Busy(reason)) => {
                    return Err(format!("{reason}: allow the mapper to write $hw/events/device/#"));
                }
                Event::Answered(_, Answer::Accepted) | Event::Sent(_) | Event::Received(_) | Event::Subscribed(_) => {}
            }
        }
    }

    /// Takes leave of the broker.
    pub(crate) async fn close(self) {
        self.client.close().await;
    }
}

impl fmt::Debug for EventBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBus").finish_non_exhaustive()
    }
}
