//! The last events, for watches that go on where an earlier one was cut off.

use std::collections::VecDeque;

use super::{Event, Filter, Kind, What};

/// How many samples are kept, and how many events of other kinds: samples come in such numbers that they would push out all others.
const KEPT: usize = 4096;

/// The last events since a certain one.
#[derive(Debug, Default)]
pub(super) struct History {
    samples: Kept,
    others: Kept,
}

#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Event>,
    /// The number of the last event that is not kept.
    lost: u64,
}

impl History {
    /// Keeps what comes after this number.
    pub(super) fn after(sequence: u64) -> Self {
        let kept = || Kept { events: VecDeque::new(), lost: sequence };
        Self { samples: kept(), others: kept() }
    }

    pub(super) fn push(&mut self, event: &Event) {
        let kept = if matches!(event.what(), What::Sample(_)) { &mut self.samples } else { &mut self.others };
        if kept.events.len() == KEPT
            && let Some(lost) = kept.events.pop_front()
        {
            kept.lost = lost.sequence();
        }
        kept.events.push_back(event.clone());
    }

    /// What a filter takes of the events after this number, in their order; `None` if some of them are gone.
    pub(super) fn since(&self, after: u64, filter: &Filter) -> Option<Vec<Event>> {
        let is_whole = |kept: &Kept| after >= kept.lost;
        let takes_samples = filter.wanted_kinds().contains(Kind::Sample);
        if !is_whole(&self.others) || (takes_samples && !is_whole(&self.samples)) {
            return None;
        }
        let later = |kept: &Kept| kept.events.partition_point(|event| event.sequence() <= after);
        let samples = self.samples.events.range(later(&self.samples)..);
        let others = self.others.events.range(later(&self.others)..);
        let mut events: Vec<_> = samples
            .filter(|_| takes_samples)
            .chain(others)
            .filter(|event| filter.takes(event.what()))
            .cloned()
            .collect();
        events.sort_unstable_by_key(Event::sequence);
        Some(events)
    }
}
