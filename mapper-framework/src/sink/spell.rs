//! When something that goes on is logged: as it begins, at intervals, and at its end.

use std::time::Duration;

use tokio::time::Instant;

use crate::telemetry::{Damper, Occurrence};

/// How often the total of a loss is logged while it goes on.
const LOSS_CYCLE: Duration = Duration::from_secs(60);

/// A loss without another record for so long is over.
const LOSS_PAUSE: Duration = Duration::from_secs(10);

/// Records that are being lost for one reason.
#[derive(Debug)]
pub(super) struct Loss {
    reason: &'static str,
    records: u64,
    logged: u64,
    logged_at: Option<Instant>,
    last: Instant,
}

impl Loss {
    pub(super) fn new(reason: &'static str) -> Self {
        Self { reason, records: 0, logged: 0, logged_at: None, last: Instant::now() }
    }

    /// Whether records that are lost now for this reason belong to another loss.
    pub(super) fn is_over(&self, reason: &str, now: Instant) -> bool {
        self.reason != reason || now.duration_since(self.last) >= LOSS_CYCLE
    }

    /// Whether nothing has been lost for a while.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        now.duration_since(self.last) >= LOSS_PAUSE
    }

    /// Adds records. Gives the total, and whether it is to be logged.
    pub(super) fn add(&mut self, records: u64, now: Instant) -> (u64, bool) {
        self.records += records;
        self.last = now;
        let is_due = self.logged_at.is_none_or(|at| now.duration_since(at) >= LOSS_CYCLE);
        if is_due {
            (self.logged, self.logged_at) = (self.records, Some(now));
        }
        (self.records, is_due)
    }

    /// The total, if it was not logged.
    pub(super) fn unlogged_total(&self) -> Option<u64> {
        (self.records > self.logged).then_some(self.records)
    }
}

/// How many reasons of outages are remembered.
const MAX_REASONS: usize = 8;

/// The outages of one target: each reason for which it cannot be written to is one of its own, also when others come between.
#[derive(Debug, Default)]
pub(super) struct Outages {
    /// Each with its reason without numbers, the newest one last.
    known: Vec<(String, Damper)>,
}

impl Outages {
    /// An outage for this reason begins or goes on.
    pub(super) fn begins(&mut self, reason: &str) -> Occurrence {
        // Numbers in it say how many, how long, or which request.
        let reason: String = reason.chars().filter(|char| !char.is_ascii_digit()).collect();
        let known = self.known.iter().position(|(known, _)| *known == reason);
        let (reason, mut damper) = known.map_or_else(|| (reason, Damper::default()), |index| self.known.remove(index));
        let occurrence = damper.begins();
        if self.known.len() == MAX_REASONS {
            self.known.remove(0);
        }
        self.known.push((reason, damper));
        occurrence
    }

    /// The target can be written to. The end is shown if a beginning was, and if there was none: the first connection of all is news.
    pub(super) fn end(&mut self) -> Occurrence {
        let is_first = self.known.is_empty();
        let shown = self.known.iter_mut().filter_map(|(_, damper)| (damper.ends() == Occurrence::First).then_some(()));
        Occurrence::first_if(is_first | (shown.count() > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reasons_that_take_turns_are_logged_once_each_and_their_end_once() {
        let mut outages = Outages::default();
        assert_eq!(outages.end(), Occurrence::First, "the first connection of all");
        let mut begins = |reason: &str| outages.begins(reason) == Occurrence::First;
        assert!(begins("topic 1 is denied") && begins("connection lost"));
        assert!(!begins("topic 2 is denied") && !begins("connection lost"));
        assert_eq!((outages.end(), outages.end()), (Occurrence::First, Occurrence::Again));
    }

    #[tokio::test(start_paused = true)]
    async fn reasons_without_end_cost_a_bounded_memory() {
        let mut outages = Outages::default();
        for number in 0..100 {
            assert_eq!(outages.begins(&"x".repeat(number)), Occurrence::First);
        }
        assert_eq!(outages.known.len(), MAX_REASONS);
    }
}
