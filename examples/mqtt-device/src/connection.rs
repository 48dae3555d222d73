//! A connection to a broker, and the shares that sessions have in it.
//!
//! It never connects again: when it is lost, all who share it learn why, and open another one. That way nothing that the library still
//! holds can be sent late, and each session subscribes anew.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use mapper_framework::DriverError;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, Incoming, MqttOptions, NetworkOptions, Outgoing,
    Publish, QoS, StateError, SubscribeFilter, SubscribeReasonCode,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{brokers::Settings, login, routes::Routes};

/// The largest message that is taken, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// How many requests wait for the library: each is a subscription, the end of one, or a command.
const REQUESTS: usize = 10_000;

/// How many messages wait for a session. One that does not take them loses its share, so that it costs the others nothing.
const WAITING: usize = 10_000;

/// How long the same question is not asked again.
pub(crate) const ONCE: Duration = Duration::from_secs(1);

/// How many filters stand in one packet.
const FILTERS: usize = 100;

/// What has come on a topic.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    /// Whether the broker had kept it: it may be of any age.
    pub(crate) retained: bool,
    pub(crate) at: SystemTime,
}

/// A connection to a broker.
pub(crate) struct Connection {
    broker: String,
    client: AsyncClient,
    shared: Arc<Shared>,
    /// Polls the library. It ends with the connection.
    _task: AbortOnDropHandle<()>,
}

/// What the task and the sessions have in common. Locked for a moment each, never across an await.
#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    /// Why the connection is lost.
    loss: Option<String>,
    routes: Routes,
    listeners: HashMap<u64, mpsc::Sender<Arc<Message>>>,
    next_listener: u64,
    /// Commands that were handed to the library, in that order, and are not on the wire yet.
    handed: VecDeque<oneshot::Sender<()>>,
    /// Commands that the broker has not acknowledged, by the packet's id.
    unacknowledged: HashMap<u16, oneshot::Sender<()>>,
    /// Subscriptions that were handed to the library, in that order, and are not on the wire yet.
    asked: VecDeque<Subscription>,
    /// Subscriptions that the broker has not answered, by the packet's id.
    unanswered: HashMap<u16, Subscription>,
    /// Filters that the broker has refused.
    refused: Vec<String>,
    /// When each question was asked that one asks for all.
    questions: HashMap<String, Instant>,
}

/// Filters that were asked for, and whom the answer is for.
struct Subscription {
    filters: Vec<String>,
    answered: oneshot::Sender<()>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// The broker does not answer within this time, or does not let the mapper in.
    pub(crate) async fn open(settings: &Settings, within: Duration) -> Result<Self, DriverError> {
        let broker = settings.broker.to_string();
        let (client, mut events) = AsyncClient::new(options(settings)?, REQUESTS);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(within.as_secs() + 1);
        events.set_network_options(network);
        // The first poll connects.
        match timeout(within, events.poll()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let why = refusal(&error, settings);
                return Err(DriverError::disconnected(format_args!("{broker}: {why}")));
            }
            Err(_) => {
                return Err(DriverError::disconnected(format_args!("{broker}: no answer within {within:?}")));
            }
        }
        let shared = Arc::<Shared>::default();
        let task = AbortOnDropHandle::new(tokio::spawn(poll(events, Arc::clone(&shared))));
        Ok(Self { broker, client, shared, _task: task })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.shared.lock().loss.is_none()
    }

    /// A share for a session.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        let (sender, messages) = mpsc::channel(WAITING);
        let mut state = self.shared.lock();
        let id = state.next_listener;
        state.next_listener += 1;
        if state.loss.is_none() {
            state.listeners.insert(id, sender);
        }
        drop(state);
        Share { connection: Arc::clone(self), id, messages }
    }

    fn lost(&self) -> DriverError {
        let why = self.shared.lock().loss.clone();
        let why = why.unwrap_or_else(|| format!("more than {WAITING} messages waited for the device's session"));
        DriverError::disconnected(format_args!("{}: {why}", self.broker))
    }
}

/// A session's share in a connection: what comes on the topics that it has asked for. Dropping it ends its subscriptions.
pub(crate) struct Share {
    connection: Arc<Connection>,
    id: u64,
    messages: mpsc::Receiver<Arc<Message>>,
}

impl Share {
    /// Asks for what comes on these topics, and waits for the broker's answer. What the broker has kept for them comes again.
    ///
    /// # Errors
    ///
    /// The connection is lost.
    pub(crate) async fn subscribe(&self, filters: &[String]) -> Result<(), DriverError> {
        for answered in self.ask(filters)? {
            answered.await.map_err(|_| self.lost())?;
        }
        Ok(())
    }

    fn ask(&self, filters: &[String]) -> Result<Vec<oneshot::Receiver<()>>, DriverError> {
        let mut answers = Vec::new();
        // Held to the end, so that the answers come in the order of what was asked.
        let mut state = self.connection.shared.lock();
        for some in filters.chunks(FILTERS) {
            some.iter().for_each(|filter| state.routes.add(filter, self.id));
            let packet = some.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
            if self.connection.client.try_subscribe_many(packet).is_err() || state.loss.is_some() {
                drop(state);
                return Err(self.lost());
            }
            let (answered, answer) = oneshot::channel();
            state.asked.push_back(Subscription { filters: some.to_vec(), answered });
            answers.push(answer);
        }
        Ok(answers)
    }

    /// Asks no longer for what comes on these topics.
    pub(crate) fn unsubscribe<'a>(&self, filters: impl IntoIterator<Item = &'a String>) {
        let mut state = self.connection.shared.lock();
        for filter in filters {
            if state.routes.remove(filter, self.id) {
                // A lost connection has no subscriptions.
                self.connection.client.try_unsubscribe(filter).ok();
            }
        }
    }

    /// Whether the broker has refused what was asked for by this filter.
    pub(crate) fn is_refused(&self, filter: &str) -> bool {
        self.connection.shared.lock().refused.iter().any(|refused| refused == filter)
    }

    /// The next message. Safe to cancel.
    ///
    /// # Errors
    ///
    /// The connection is lost, or the session was too slow.
    pub(crate) async fn next(&mut self) -> Result<Arc<Message>, DriverError> {
        self.messages.recv().await.ok_or_else(|| self.connection.lost())
    }

    /// The next message, if one is there.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub(crate) fn next_now(&mut self) -> Result<Option<Arc<Message>>, DriverError> {
        match self.messages.try_recv() {
            Ok(message) => Ok(Some(message)),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(self.connection.lost()),
        }
    }

    /// Publishes a command. What is returned completes when the broker has it, and fails when the connection is lost before that.
    ///
    /// # Errors
    ///
    /// The connection is lost.
    pub(crate) fn publish(
        &self,
        topic: &str,
        payload: impl Into<Vec<u8>>,
    ) -> Result<oneshot::Receiver<()>, DriverError> {
        let (sender, acknowledged) = oneshot::channel();
        let mut state = self.connection.shared.lock();
        let handed = self.connection.client.try_publish(topic, QoS::AtLeastOnce, false, payload);
        if handed.is_err() || state.loss.is_some() {
            drop(state);
            return Err(self.lost());
        }
        state.handed.push_back(sender);
        Ok(acknowledged)
    }

    /// Publishes a question whose answer is for all who share the connection, unless one of them has just done so.
    ///
    /// # Errors
    ///
    /// The connection is lost.
    pub(crate) fn ask_once(&self, topic: &str, payload: Vec<u8>) -> Result<(), DriverError> {
        let (now, mut state) = (Instant::now(), self.connection.shared.lock());
        if state.questions.get(topic).is_some_and(|last| now - *last < ONCE) {
            return Ok(());
        }
        state.questions.insert(topic.to_owned(), now);
        drop(state);
        self.publish(topic, payload).map(drop)
    }

    /// Why the session has lost its share.
    pub(crate) fn lost(&self) -> DriverError {
        self.connection.lost()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.connection.shared.lock();
        state.listeners.remove(&self.id);
        for filter in state.routes.remove_all(self.id) {
            // A lost connection has no subscriptions.
            self.connection.client.try_unsubscribe(filter).ok();
        }
    }
}

fn options(settings: &Settings) -> Result<MqttOptions, DriverError> {
    let Settings { broker, credentials, client_id, keep_alive } = settings;
    // With one of its own each time, it ends no other connection.
    let id = client_id.clone().unwrap_or_else(|| format!("mqtt-mapper-{:08x}", fastrand::u32(..)));
    let mut options = MqttOptions::new(id, &broker.host, broker.port);
    options.set_keep_alive(*keep_alive).set_clean_session(true).set_max_packet_size(LARGEST, LARGEST);
    if let Some(username) = credentials.username() {
        options.set_credentials(username, credentials.password().map_or("", |password| password.expose()));
    }
    if broker.tls {
        options.set_transport(login::tls(credentials)?);
    }
    Ok(options)
}

/// Polls until the connection is lost, which all who share it learn.
async fn poll(mut events: EventLoop, shared: Arc<Shared>) {
    let error = loop {
        match events.poll().await {
            Ok(event) => handle(event, &shared),
            Err(error) => break error,
        }
    };
    let mut state = shared.lock();
    state.loss = Some(loss(&error));
    state.listeners.clear();
    state.handed.clear();
    state.unacknowledged.clear();
    state.asked.clear();
    state.unanswered.clear();
}

fn handle(event: Event, shared: &Shared) {
    match event {
        Event::Incoming(Incoming::Publish(publish)) => deliver(publish, shared),
        Event::Outgoing(Outgoing::Publish(id)) => {
            let mut state = shared.lock();
            if let Some(sender) = state.handed.pop_front() {
                state.unacknowledged.insert(id, sender);
            }
        }
        Event::Incoming(Incoming::PubAck(ack)) => {
            if let Some(sender) = shared.lock().unacknowledged.remove(&ack.pkid) {
                // Who has given up waiting does not listen.
                sender.send(()).ok();
            }
        }
        Event::Outgoing(Outgoing::Subscribe(id)) => {
            let mut state = shared.lock();
            if let Some(subscription) = state.asked.pop_front() {
                state.unanswered.insert(id, subscription);
            }
        }
        Event::Incoming(Incoming::SubAck(ack)) => {
            let mut state = shared.lock();
            let Some(Subscription { filters, answered }) = state.unanswered.remove(&ack.pkid) else { return };
            for (filter, code) in filters.into_iter().zip(ack.return_codes) {
                state.refused.retain(|refused| *refused != filter);
                if code == SubscribeReasonCode::Failure {
                    state.refused.push(filter);
                }
            }
            // Who has given up waiting does not listen.
            answered.send(()).ok();
        }
        _ => {}
    }
}

fn deliver(publish: Publish, shared: &Shared) {
    let Publish { topic, payload, retain: retained, .. } = publish;
    let message = Arc::new(Message { topic, payload, retained, at: SystemTime::now() });
    let mut state = shared.lock();
    let State { routes, listeners, .. } = &mut *state;
    routes.each(&message.topic, |id| {
        let is_taken = listeners.get(&id).is_none_or(|listener| listener.try_send(Arc::clone(&message)).is_ok());
        if !is_taken {
            listeners.remove(&id);
        }
    });
}

/// Why the connection was not made.
fn refusal(error: &ConnectionError, settings: &Settings) -> String {
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => login::cure(&settings.credentials),
        ConnectionError::ConnectionRefused(code) => format!("the broker refuses the connection: {code:?}"),
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            "the connection was closed before the broker has answered: does it want TLS on this port (mqtts://)?"
                .to_owned()
        }
        ConnectionError::Tls(error) => format!(
            "{error}: does the port speak TLS, and is the authority of the broker's certificate in the file ca.crt of the device's credentials?"
        ),
        error => error.to_string(),
    }
}

/// Why the connection is no more.
fn loss(error: &ConnectionError) -> String {
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => "the broker has closed the connection".to_owned(),
        ConnectionError::MqttState(StateError::AwaitPingResp) => "the broker is silent".to_owned(),
        error => format!("the connection is lost: {error}"),
    }
}
