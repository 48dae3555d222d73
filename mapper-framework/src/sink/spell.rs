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

/// A target that cannot be written to, for one reason.
#[derive(Debug)]
pub(super) struct Outage {
    reason: String,
    damper: Damper,
}

impl Outage {
    /// An outage for this reason begins or goes on. Another reason is another outage.
    pub(super) fn begins(last: &mut Option<Self>, reason: &str) -> Occurrence {
        // Numbers in it say how many, how long, or which request.
        let reason: String = reason.chars().filter(|char| !char.is_ascii_digit()).collect();
        let outage = match last.take().filter(|last| last.reason == reason) {
            Some(same) => same,
            None => Self { reason, damper: Damper::default() },
        };
        last.insert(outage).damper.begins()
    }

    /// It is over.
    pub(super) fn ends(&mut self) -> Occurrence {
        self.damper.ends()
    }
}
