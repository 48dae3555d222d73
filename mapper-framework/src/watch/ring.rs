//! The events that one watch has not fetched yet.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::SystemTime,
};

use futures_util::Stream;

use super::{Event, Filter, Hub, What};

/// How many events wait for a watch at most.
pub const CAPACITY: usize = 4_096;

/// A bounded queue, filled by the hub and emptied by one watch. The lock is held for one push or one pop.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) filter: Filter,
    capacity: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    /// What was dropped since the last fetch: how many, and the number and time of the last.
    missed: Option<(u64, u64, SystemTime)>,
    /// Whoever waits for an event.
    waker: Option<Waker>,
    /// Whether nothing more comes.
    closed: bool,
}

impl Ring {
    pub(super) fn new(filter: Filter, capacity: usize) -> Self {
        Self { filter, capacity, waiting: Mutex::default() }
    }

    pub(super) fn push(&self, event: &Event) {
        let mut waiting = self.lock();
        if waiting.events.len() >= self.capacity
            && let Some(oldest) = waiting.events.pop_front()
        {
            let before = waiting.missed.map_or(0, |(events, ..)| events);
            waiting.missed = Some((before + 1, oldest.sequence(), oldest.time()));
        }
        waiting.events.push_back(event.clone());
        wake(waiting);
    }

    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        wake(waiting);
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Event>> {
        let mut waiting = self.lock();
        if let Some((events, sequence, time)) = waiting.missed.take() {
            return Poll::Ready(Some(Event::new(sequence, time, What::Missed { events })));
        }
        match waiting.events.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if waiting.closed => Poll::Ready(None),
            None => {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes whoever waits, with the lock released.
fn wake(mut waiting: MutexGuard<'_, Waiting>) {
    let waker = waiting.waker.take();
    drop(waiting);
    waker.into_iter().for_each(Waker::wake);
}

/// The events for one watch, from its beginning on. Ends with the mapper.
#[derive(Debug)]
pub(crate) struct Events {
    ring: Arc<Ring>,
    hub: Arc<Hub>,
}

impl Events {
    pub(super) fn new(ring: Arc<Ring>, hub: Arc<Hub>) -> Self {
        Self { ring, hub }
    }

    pub(crate) fn filter(&self) -> &Filter {
        &self.ring.filter
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.ring.poll(context)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.hub.leave(&self.ring);
    }
}
