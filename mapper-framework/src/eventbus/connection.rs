//! The connection to the broker.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
};

use crate::{
    config::EventbusConfig,
    credentials::CredentialSources,
    model::{Broker, Credentials, DeviceId, DeviceState},
    mqtt::{self, Answer, Arrival, ConnectOptions, Event, MqttClient},
    tls::TlsSection,
};

use super::message::{self, Received, TwinValue};

/// The section of the config with the certificates.
const TLS: &str = "report.eventbus.tls";

/// The name under which credentials are looked for.
const NAME: &str = "eventbus";

/// At least once: edgecore may get a message twice, and stores the same.
const QOS: u8 = 1;

/// What it takes to connect.
#[derive(Clone, Debug)]
pub(crate) struct BusSettings {
    config: EventbusConfig,
    credentials: CredentialSources,
    /// The node's name, or the host's.
    host: String,
}

impl BusSettings {
    /// `node` is the node's name as the config has it, which may be empty.
    pub(crate) fn new(config: EventbusConfig, credentials: CredentialSources, node: &str) -> Self {
        Self { config, credentials, host: mqtt::node_or_host(node) }
    }

    /// The broker's address, as it stands in the config.
    pub(crate) fn address(&self) -> &str {
        &self.config.address
    }

    fn options(&self) -> Result<ConnectOptions, String> {
        let broker = Broker::parse(&self.config.address).map_err(|error| error.to_string())?;
        let credentials: Credentials =
            self.credentials.clone().with_go_names(false).read(NAME).map_err(|error| error.to_string())?;
        let tls = broker.tls.then(|| TlsSection::new(TLS, &self.config.tls).client_config()).transpose();
        Ok(ConnectOptions {
            section: "report.eventbus",
            tls_section: TLS.to_owned(),
            tls: tls.map_err(|error| error.to_string())?.map(Arc::new),
            client_id: mqtt::client_id(&self.config.client_id, &broker.to_string(), &self.host),
            username: credentials.username().map(str::to_owned),
            password: credentials.password().cloned(),
            keep_alive: self.config.keep_alive,
            max_packet_bytes: u32::MAX,
            will: None,
            broker,
        })
    }
}

/// A connection to the broker, on which edgecore's answers are listened to. Dropping it cuts it.
pub(crate) struct EventBus {
    client: MqttClient,
    /// The messages that were handed to the client and are not on the wire, oldest first.
    unsent: VecDeque<Message>,
    /// Those that the broker has not answered to, by their packets.
    unanswered: HashMap<u16, Message>,
}

/// A message on its way to the broker: its device and its `event_id`.
type Message = (DeviceId, String);

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
        if !client.limits().takes_qos(QOS) {
            return Err("the broker takes no QoS above 0, and a report needs 1: let it take that".to_owned());
        }
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
        Ok(Self { client, unsent: VecDeque::new(), unanswered: HashMap::new() })
    }

    /// Sends twins of a device. The answer comes by [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// The broker does not take so large a message. That the connection has ended comes by [`next`](Self::next).
    pub(crate) fn report_twins(
        &mut self,
        device: &DeviceId,
        event_id: &str,
        twins: &[TwinValue<'_>],
    ) -> Result<(), String> {
        let payload = message::twin_update(event_id, twins);
        self.publish(message::twin_topic(device), payload, (device.clone(), event_id.to_owned()))
    }

    /// As [`report_twins`](Self::report_twins), for a device's state.
    pub(crate) fn report_state(&mut self, device: &DeviceId, event_id: &str, state: DeviceState) -> Result<(), String> {
        let payload = message::state_update(event_id, state);
        self.publish(message::state_topic(device), payload, (device.clone(), event_id.to_owned()))
    }

    fn publish(&mut self, topic: String, payload: Vec<u8>, whose: Message) -> Result<(), String> {
        let message = mqtt::Message { topic, qos: QOS, retained: false, payload: payload.into(), properties: None };
        self.client.limits().check(&message)?;
        // The events of a connection that has ended say why.
        if self.client.publish(message).is_ok() {
            self.unsent.push_back(whose);
        }
        Ok(())
    }

    /// What edgecore says next, or the broker of a report that it does not take. Cancelling loses nothing.
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
                Event::Sent(id) => {
                    let message = self.unsent.pop_front();
                    message.map(|message| self.unanswered.insert(id, message));
                }
                Event::Answered(id, answer) => {
                    let message = self.unanswered.remove(&id);
                    let (Answer::Refused(reason) | Answer::Busy(reason)) = answer else { continue };
                    if let Some((device, event_id)) = message {
                        return Ok(Received::NotPublished { device, event_id, reason });
                    }
                }
                Event::Received(_) | Event::Subscribed(_) => {}
            }
        }
    }

    /// Disconnects.
    pub(crate) async fn close(self) {
        self.client.close().await;
    }
}

impl fmt::Debug for EventBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBus").finish_non_exhaustive()
    }
}
