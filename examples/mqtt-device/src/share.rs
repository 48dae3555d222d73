//! The shares that sessions have in a connection.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mapper_framework::DriverError;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    connection::Connection,
    traffic::{Listener, Message, Subscription, WAITING_BYTES},
    wire::{Command, NotSent, REQUESTS, Receipt},
};

/// How many messages wait for a session. One that does not take them loses its share, so that it costs the others nothing.
const WAITING: usize = 10_000;

/// How long the same question is not asked again.
pub(crate) const QUESTION_PAUSE: Duration = Duration::from_secs(1);

/// How many filters stand in one packet.
const FILTERS: usize = 100;

/// A session's share in a connection: what comes on the topics that it has asked for. Dropping it ends its subscriptions.
pub(crate) struct Share {
    connection: Arc<Connection>,
    id: u64,
    messages: mpsc::Receiver<Arc<Message>>,
    /// How many bytes of payloads wait.
    waiting: Arc<AtomicUsize>,
}

impl Share {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        let (sender, messages) = mpsc::channel(WAITING);
        let waiting = Arc::<AtomicUsize>::default();
        let mut state = connection.shared.lock();
        let id = state.next_listener;
        state.next_listener += 1;
        if state.loss.is_none() {
            state.listeners.insert(id, Listener { messages: sender, waiting: Arc::clone(&waiting) });
        }
        drop(state);
        Self { connection, id, messages, waiting }
    }

    /// Asks for what comes on these topics, and waits for the broker's answer. What the broker has kept for them comes again.
    ///
    /// # Errors
    ///
    /// The connection is lost, or too many requests wait for it.
    pub(crate) async fn subscribe(&self, filters: &[String]) -> Result<(), DriverError> {
        for answered in self.request(filters)? {
            answered.await.map_err(|_| self.lost())?;
        }
        Ok(())
    }

    fn request(&self, filters: &[String]) -> Result<Vec<oneshot::Receiver<()>>, DriverError> {
        let mut answers = Vec::new();
        // Held to the end, so that the answers come in the order of what was asked.
        let mut state = self.connection.shared.lock();
        for some in filters.chunks(FILTERS) {
            some.iter().for_each(|filter| state.routes.add(filter, self.id));
            if self.connection.client.subscribe(some).is_err() || state.loss.is_some() {
                drop(state);
                return Err(self.not_queued());
            }
            let (answered, answer) = oneshot::channel();
            state.queued_subscriptions.push_back(Subscription { filters: some.to_vec(), answered });
            answers.push(answer);
        }
        Ok(answers)
    }

    /// Asks once more for topics that the broker has refused. It does not wait for the answer, after which they are no longer
    /// [refused](Self::refused) if the broker has changed its mind.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub(crate) fn subscribe_again(&self, filters: &[String]) -> Result<(), DriverError> {
        self.request(filters).map(drop)
    }

    /// Asks no longer for what comes on these topics.
    pub(crate) fn unsubscribe<'a>(&self, filters: impl IntoIterator<Item = &'a String>) {
        let mut state = self.connection.shared.lock();
        for filter in filters {
            if state.routes.remove(filter, self.id) {
                self.connection.client.unsubscribe(filter);
            }
        }
    }

    /// Which of these filters the broker has refused.
    pub(crate) fn refused(&self, filters: impl IntoIterator<Item = String>) -> Vec<Refused> {
        let state = self.connection.shared.lock();
        let refused = |filter: String| Some(Refused { why: state.refused.get(&filter)?.clone(), filter });
        filters.into_iter().filter_map(refused).collect()
    }

    /// The next message. Safe to cancel.
    ///
    /// # Errors
    ///
    /// The connection is lost, or the session was too slow.
    pub(crate) async fn next(&mut self) -> Result<Arc<Message>, DriverError> {
        let message = self.messages.recv().await.ok_or_else(|| self.lost())?;
        self.count_off(&message);
        Ok(message)
    }

    /// The next message, if one is there.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub(crate) fn next_now(&mut self) -> Result<Option<Arc<Message>>, DriverError> {
        match self.messages.try_recv() {
            Ok(message) => {
                self.count_off(&message);
                Ok(Some(message))
            }
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(self.lost()),
        }
    }

    fn count_off(&self, message: &Message) {
        self.waiting.fetch_sub(message.payload.len(), Ordering::Relaxed);
    }

    /// Publishes a command. What is returned completes when the broker has answered, and fails when the connection is lost before that.
    ///
    /// # Errors
    ///
    /// The connection is lost, too many requests wait for it, or the command is too large.
    pub(crate) fn publish(&self, command: Command<'_>) -> Result<oneshot::Receiver<Receipt>, DriverError> {
        let (topic, (sender, acknowledged)) = (command.topic, oneshot::channel());
        let mut state = self.connection.shared.lock();
        match self.connection.client.publish(command) {
            Ok(()) if state.loss.is_none() => {}
            Err(NotSent::TooLarge { bytes, most }) => {
                return Err(DriverError::refused(format_args!(
                    "the command to {topic} takes {bytes} bytes, and {most} are the most that can be sent to this broker"
                )));
            }
            _ => {
                drop(state);
                return Err(self.not_queued());
            }
        }
        state.queued_commands.push_back(sender);
        Ok(acknowledged)
    }

    /// Has the device publish its values, by a message to this topic. The answer is a message as any other.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub(crate) fn ask(&self, topic: &str, payload: impl Into<Vec<u8>>) -> Result<(), DriverError> {
        self.publish(Command { topic, payload: payload.into(), expires: None }).map(drop)
    }

    /// Publishes a question whose answer is for all who share the connection, unless one of them has just done so.
    ///
    /// # Errors
    ///
    /// The connection is lost, or too many requests wait for it.
    pub(crate) fn ask_once(&self, topic: &str, payload: Vec<u8>) -> Result<(), DriverError> {
        let (now, mut state) = (Instant::now(), self.connection.shared.lock());
        if state.questions.get(topic).is_some_and(|last| now - *last < QUESTION_PAUSE) {
            return Ok(());
        }
        state.questions.insert(topic.to_owned(), now);
        drop(state);
        self.ask(topic, payload)
    }

    /// Why the session has lost its share.
    pub(crate) fn lost(&self) -> DriverError {
        let mebibytes = WAITING_BYTES / (1024 * 1024);
        self.loss_or(&format!("more than {WAITING} messages or {mebibytes} MiB waited for the device's session"))
    }

    /// Why a request is not in the library's queue.
    fn not_queued(&self) -> DriverError {
        self.loss_or(&format!("{REQUESTS} requests wait for the broker, which does not take them fast enough"))
    }

    /// Why the connection is lost, or this if it is not.
    fn loss_or(&self, other: &str) -> DriverError {
        let loss = self.connection.shared.lock().loss.clone();
        DriverError::disconnected(format_args!("{}: {}", self.connection.broker, loss.as_deref().unwrap_or(other)))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.connection.shared.lock();
        state.listeners.remove(&self.id);
        for filter in state.routes.remove_all(self.id) {
            self.connection.client.unsubscribe(&filter);
        }
    }
}

/// A filter that the broker has refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) filter: String,
    why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the broker refuses the subscription to {}: {}", self.filter, self.why)
    }
}
