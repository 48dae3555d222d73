//! What comes over a connection, and who is to learn of it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    excess::Excess,
    routes::Routes,
    wire::{Event, LARGEST, Loss, Receipt, Wire},
};

/// What has come on a topic.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    /// Whether the broker had kept it: it may be of any age.
    pub(crate) retained: bool,
    pub(crate) at: SystemTime,
    /// How many bytes the payload had, if these are more than are taken: then it is empty.
    pub(crate) too_large: Option<usize>,
}

impl Message {
    /// Takes a message that comes now. A payload that is too large is let go of at once.
    pub(crate) fn now(topic: String, payload: Bytes, retained: bool) -> Self {
        let too_large = (payload.len() > LARGEST).then_some(payload.len());
        let payload = if too_large.is_some() { Bytes::new() } else { payload };
        Self { topic, payload, retained, at: SystemTime::now(), too_large }
    }

    /// Whether another message of its topic has the same payload, as far as is known.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.payload == other.payload && self.too_large == other.too_large
    }

    /// What is wrong with it if it is too large, and the cure.
    pub(crate) fn excess(&self) -> Option<String> {
        self.too_large.map(|bytes| {
            format!("a message of {bytes} bytes has come, and {LARGEST} are the most: let its sender publish less, or use another topic")
        })
    }
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
    pub(crate) queued_commands: VecDeque<oneshot::Sender<Receipt>>,
    /// Commands that the broker has not acknowledged, by the packet's id.
    pub(crate) unacknowledged: HashMap<u16, oneshot::Sender<Receipt>>,
    /// Subscriptions that were handed to the library, in that order, and are not on the wire yet.
    pub(crate) queued_subscriptions: VecDeque<Subscription>,
    /// Subscriptions that the broker has not answered, by the packet's id, in the order of the packets: the library gives an id again after
    /// a hundred packets, whether or not it was answered.
    pub(crate) unanswered: HashMap<u16, VecDeque<Subscription>>,
    /// Filters that the broker has refused, and why.
    pub(crate) refused: HashMap<String, String>,
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

/// Drives the connection until it is lost, which all who share it learn.
pub(crate) async fn poll(mut wire: Wire, shared: Arc<Shared>, excess: Arc<Excess>) {
    let loss = loop {
        match wire.next().await {
            Ok(event) => handle(event, &shared),
            Err(loss) => break loss,
        }
    };
    let mut state = shared.lock();
    state.loss = Some(match loss {
        Loss::Other(why) => why,
        Loss::TooLarge { bytes, most } => {
            // It is known whose it is if nobody else listens.
            let topics = if state.listeners.len() == 1 { state.routes.filters() } else { Vec::new() };
            excess.note(Instant::now(), bytes, most, &topics)
        }
    });
    state.listeners.clear();
    state.queued_commands.clear();
    state.unacknowledged.clear();
    state.queued_subscriptions.clear();
    state.unanswered.clear();
}

fn handle(event: Event, shared: &Shared) {
    match event {
        Event::Arrived(message) => deliver(message, shared),
        Event::Published(id) => {
            let mut state = shared.lock();
            let Some(sender) = state.queued_commands.pop_front() else { return };
            if id > 0 {
                state.unacknowledged.insert(id, sender);
            } else {
                // Who has given up waiting does not listen.
                sender.send(Receipt::Taken).ok();
            }
        }
        Event::Acknowledged(id, receipt) => {
            if let Some(sender) = shared.lock().unacknowledged.remove(&id) {
                // Who has given up waiting does not listen.
                sender.send(receipt).ok();
            }
        }
        Event::Subscribing(id) => {
            let mut state = shared.lock();
            if let Some(subscription) = state.queued_subscriptions.pop_front() {
                state.unanswered.entry(id).or_default().push_back(subscription);
            }
        }
        Event::Subscribed(id, outcomes) => {
            let mut state = shared.lock();
            let first = state.unanswered.get_mut(&id).and_then(VecDeque::pop_front);
            let Some(Subscription { filters, answered }) = first else { return };
            for (filter, outcome) in filters.into_iter().zip(outcomes) {
                match outcome {
                    Err(why) => state.refused.insert(filter, why),
                    Ok(()) => state.refused.remove(&filter),
                };
            }
            // Who has given up waiting does not listen.
            answered.send(()).ok();
        }
    }
}

fn deliver(message: Message, shared: &Shared) {
    let message = Arc::new(message);
    let mut state = shared.lock();
    let State { routes, listeners, .. } = &mut *state;
    routes.each(&message.topic, |id| {
        if !listeners.get(&id).is_none_or(|listener| listener.hand_over(&message)) {
            listeners.remove(&id);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_with_the_same_id_are_answered_in_their_order() {
        let shared = Shared::default();
        let mut answers = ["a", "b"].map(|filter| {
            let (answered, answer) = oneshot::channel();
            let subscription = Subscription { filters: vec![filter.to_owned()], answered };
            shared.lock().queued_subscriptions.push_back(subscription);
            handle(Event::Subscribing(1), &shared);
            answer
        });
        let answer = |outcome| handle(Event::Subscribed(1, vec![outcome]), &shared);
        answer(Err("not authorized".to_owned()));
        assert!(answers[0].try_recv().is_ok());
        assert_eq!(answers[1].try_recv(), Err(oneshot::error::TryRecvError::Empty));
        answer(Ok(()));
        assert!(answers[1].try_recv().is_ok());
        assert!(shared.lock().refused.keys().eq(["a"]));
    }

    #[test]
    fn what_waits_for_a_session_is_limited_by_bytes_as_well() {
        let (messages, _receiver) = mpsc::channel(10);
        let listener = Listener { messages, waiting: Arc::default() };
        let payload = Bytes::from(vec![0; WAITING_BYTES / 2]);
        let (topic, at) = ("lamp".to_owned(), SystemTime::UNIX_EPOCH);
        let message = Arc::new(Message { topic, payload, retained: false, at, too_large: None });
        assert!(listener.hand_over(&message) && listener.hand_over(&message));
        listener.waiting.fetch_sub(message.payload.len(), Ordering::Relaxed);
        assert!(listener.hand_over(&message), "the session has taken one");
        assert!(!listener.hand_over(&message));
    }
}
