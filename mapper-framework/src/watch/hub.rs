//! Where events go to the watches.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::SystemTime,
};

use super::{CAPACITY, Event, Events, Filter, Kind, What, filter::Kinds, history::History, ring::Ring};

/// Numbers events, and hands each to the watches whose filter takes it. The lock is held while one event goes to all watches, so that
/// each gets them in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    /// The kinds that some watch wants, to be seen without the lock: with no watch an event costs no more than this look.
    wanted: AtomicU32,
    watches: Mutex<Watches>,
}

#[derive(Debug, Default)]
struct Watches {
    /// The number of the last event.
    sequence: u64,
    rings: Vec<Arc<Ring>>,
    /// The last events, while they are kept.
    history: Option<History>,
    /// Whether the mapper has ended.
    closed: bool,
}

impl Hub {
    /// Whether some watch wants events of a kind. Who changes what a snapshot shows asks with the change's lock held: then a watch that
    /// is not seen yet finds the change in its snapshot.
    pub(crate) fn wants(&self, kind: Kind) -> bool {
        Kinds::from_bits(self.wanted.load(Relaxed)).contains(kind)
    }

    pub(crate) fn publish(&self, what: What) {
        let mut watches = self.lock();
        watches.sequence += 1;
        let event = Event::new(watches.sequence, SystemTime::now(), what);
        for ring in watches.rings.iter().filter(|ring| ring.filter.takes(event.what())) {
            ring.push(&event);
        }
        if let Some(history) = &mut watches.history {
            history.push(&event);
        }
    }

    /// Keeps the last events from now on, or no longer.
    pub(crate) fn keep_history(&self, keep: bool) {
        let mut watches = self.lock();
        let sequence = watches.sequence;
        if keep != watches.history.is_some() {
            watches.history = keep.then(|| History::after(sequence));
        }
        self.note_wanted(&watches);
    }

    /// A watch that goes on after the event of this number, and the number of the last event before what is to come; `None` if some of the
    /// events since then are not kept.
    pub(crate) fn resume(self: &Arc<Self>, filter: &Filter, after: u64) -> Option<Events> {
        let ring = Arc::new(Ring::new(filter.clone(), CAPACITY));
        let mut watches = self.lock();
        if watches.closed || after > watches.sequence {
            return None;
        }
        let missed = watches.history.as_ref()?.since(after, filter)?;
        if missed.len() > CAPACITY {
            return None;
        }
        missed.iter().for_each(|event| ring.push(event));
        watches.rings.push(Arc::clone(&ring));
        self.note_wanted(&watches);
        Some(Events::new(ring, Arc::clone(self)))
    }

    /// The number of the last event. Read with the lock held under which something is changed and its events are published, it is
    /// the number up to which what is there includes them.
    pub(crate) fn sequence(&self) -> u64 {
        self.lock().sequence
    }

    /// A new watch, which gets what is published from now on.
    pub(crate) fn watch(self: &Arc<Self>, filter: Filter) -> Events {
        self.bounded_watch(filter, CAPACITY)
    }

    pub(super) fn bounded_watch(self: &Arc<Self>, filter: Filter, capacity: usize) -> Events {
        let ring = Arc::new(Ring::new(filter, capacity));
        let mut watches = self.lock();
        if watches.closed {
            ring.close();
        } else {
            watches.rings.push(Arc::clone(&ring));
        }
        self.note_wanted(&watches);
        Events::new(ring, Arc::clone(self))
    }

    pub(super) fn leave(&self, ring: &Arc<Ring>) {
        let mut watches = self.lock();
        watches.rings.retain(|other| !Arc::ptr_eq(other, ring));
        self.note_wanted(&watches);
    }

    /// The mapper has ended: so do the watches, once they have fetched what is there.
    pub(crate) fn close(&self) {
        let mut watches = self.lock();
        watches.closed = true;
        watches.rings.drain(..).for_each(|ring| ring.close());
        self.note_wanted(&watches);
    }

    fn note_wanted(&self, watches: &Watches) {
        let kinds = watches.rings.iter().map(|ring| ring.filter.wanted_kinds());
        let kept = if watches.history.is_some() { Kinds::ALL } else { Kinds::default() };
        self.wanted.store(kinds.fold(kept, Kinds::union).bits(), Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Watches> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
