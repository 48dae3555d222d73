//! What comes over a connection, and who is to learn of it.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use bytes::Bytes;
use rumqttc::{
    ConnectionError, Event, EventLoop, Incoming, Outgoing, Publish, StateError, SubscribeReasonCode, mqttbytes,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{connection::LARGEST, routes::Routes};

/// What has come on a topic.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    /// Whether the broker had kept it: it may be of any age.
    pub(crate) retained: bool,
    pub(crate) at: SystemTime,
}

/// How many bytes of payloads wait for a session; several of the largest messages.
pub(crate) const WAITING_BYTES: usize = 64 * 1024 * 1024;

/// A session's end of what comes.
pub(crate) struct Listener {
    pub(crate) messages: mpsc::Sender<Arc<Message>>,
    /// How many bytes of payloads wait. The session takes off what it takes.
    pub(crate) waiting: Arc<AtomicUsize>,
}

impl Listener {
    /// Hands a message over, and returns whether there was room for it.
    fn hand_over(&self, message: &Arc<Message>) -> bool {
        let bytes = message.payload.len();
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        before.saturating_add(bytes) <= WAITING_BYTES && self.messages.try_send(Arc::clone(message)).is_ok()
    }
}

/// What the task and the sessions have in common. Locked for a moment each, never across an await.
#[derive(Default)]
pub(crate) struct Shared(Mutex<State>);

#[derive(Default)]
pub(crate) struct State {
    /// Why the connection is lost.
    pub(crate) loss: Option<String>,
    pub(crate) routes: Routes,
    pub(crate) listeners: HashMap<u64, Listener>,
    pub(crate) next_listener: u64,
    /// Commands that were handed to the library, in that order, and are not on the wire yet.
    pub(crate) queued_commands: VecDeque<oneshot::Sender<()>>,
    /// Commands that the broker has not acknowledged, by the packet's id.
    pub(crate) unacknowledged: HashMap<u16, oneshot::Sender<()>>,
    /// Subscriptions that were handed to the library, in that order, and are not on the wire yet.
    pub(crate) queued_subscriptions: VecDeque<Subscription>,
    /// Subscriptions that the broker has not answered, by the packet's id, in the order of the packets: the library gives an id again after
    /// a hundred packets, whether or not it was answered.
    pub(crate) unanswered: HashMap<u16, VecDeque<Subscription>>,
    /// Filters that the broker has refused.
    pub(crate) refused: HashSet<String>,
    /// When each question was asked that one asks for all.
    pub(crate) questions: HashMap<String, Instant>,
}

/// Filters that were asked for, and whom the answer is for.
pub(crate) struct Subscription {
    pub(crate) filters: Vec<String>,
    pub(crate) answered: oneshot::Sender<()>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Polls the library until the connection is lost, which all who share it learn.
pub(crate) async fn poll(mut events: EventLoop, shared: Arc<Shared>) {
    let error = loop {
        match events.poll().await {
            Ok(event) => handle(event, &shared),
            Err(error) => break error,
        }
    };
    let mut state = shared.lock();
    state.loss = Some(loss(&error));
    state.listeners.clear();
    state.queued_commands.clear();
    state.unacknowledged.clear();
    state.queued_subscriptions.clear();
    state.unanswered.clear();
}

fn handle(event: Event, shared: &Shared) {
    match event {
        Event::Incoming(Incoming::Publish(publish)) => deliver(publish, shared),
        Event::Outgoing(Outgoing::Publish(id)) => {
            let mut state = shared.lock();
            if let Some(sender) = state.queued_commands.pop_front() {
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
            if let Some(subscription) = state.queued_subscriptions.pop_front() {
                state.unanswered.entry(id).or_default().push_back(subscription);
            }
        }
        Event::Incoming(Incoming::SubAck(ack)) => {
            let mut state = shared.lock();
            let first = state.unanswered.get_mut(&ack.pkid).and_then(VecDeque::pop_front);
            let Some(Subscription { filters, answered }) = first else { return };
            for (filter, code) in filters.into_iter().zip(ack.return_codes) {
                match code {
                    SubscribeReasonCode::Failure => state.refused.insert(filter),
                    SubscribeReasonCode::Success(_) => state.refused.remove(&filter),
                };
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
        if !listeners.get(&id).is_none_or(|listener| listener.hand_over(&message)) {
            listeners.remove(&id);
        }
    });
}

/// Why the connection is no more.
fn loss(error: &ConnectionError) -> String {
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => "the broker has closed the connection".to_owned(),
        ConnectionError::MqttState(StateError::AwaitPingResp) => "the broker is silent".to_owned(),
        ConnectionError::MqttState(StateError::Deserialization(mqttbytes::Error::PayloadSizeLimitExceeded(bytes))) => {
            format!(
                "a message of {bytes} bytes has come, and {LARGEST} are the most: let its sender publish less, or use topics without it"
            )
        }
        error => format!("the connection is lost: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::{QoS, SubAck};

    use super::*;

    #[test]
    fn subscriptions_with_the_same_id_are_answered_in_their_order() {
        let shared = Shared::default();
        let mut answers = ["a", "b"].map(|filter| {
            let (answered, answer) = oneshot::channel();
            let subscription = Subscription { filters: vec![filter.to_owned()], answered };
            shared.lock().queued_subscriptions.push_back(subscription);
            handle(Event::Outgoing(Outgoing::Subscribe(1)), &shared);
            answer
        });
        let answer = |code| handle(Event::Incoming(Incoming::SubAck(SubAck::new(1, vec![code]))), &shared);
        answer(SubscribeReasonCode::Failure);
        assert!(answers[0].try_recv().is_ok());
        assert_eq!(answers[1].try_recv(), Err(oneshot::error::TryRecvError::Empty));
        answer(SubscribeReasonCode::Success(QoS::AtLeastOnce));
        assert!(answers[1].try_recv().is_ok());
        assert!(shared.lock().refused.iter().eq(["a"]));
    }

    #[test]
    fn what_waits_for_a_session_is_limited_by_bytes_as_well() {
        let (messages, _receiver) = mpsc::channel(10);
        let listener = Listener { messages, waiting: Arc::default() };
        let payload = Bytes::from(vec![0; WAITING_BYTES / 2]);
        let message =
            Arc::new(Message { topic: "lamp".to_owned(), payload, retained: false, at: SystemTime::UNIX_EPOCH });
        assert!(listener.hand_over(&message) && listener.hand_over(&message));
        listener.waiting.fetch_sub(message.payload.len(), Ordering::Relaxed);
        assert!(listener.hand_over(&message), "the session has taken one");
        assert!(!listener.hand_over(&message));
    }
}
