//! The way into a target's queue.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use super::{
    Record,
    clock::{Clock, Date},
    monitor::Monitor,
};

/// Why a record finds no room before it has come to the worker.
const TOO_FAST: &str = "they come faster than they can be written to disk";

/// Why a record that waits for its time is lost.
const NO_CLOCK: &str = "the system's clock is not set, and too many wait in memory until it is";

/// The same at the end.
const NO_CLOCK_EVER: &str = "the mapper stops, and the system's clock was not set since they were read";

/// The way into a target's queue.
pub(super) struct Inlet {
    pub(super) monitor: Arc<Monitor>,
    pub(super) records: mpsc::Sender<Record>,
    pub(super) clock: Arc<Clock>,
    /// The most records that wait for their time.
    pub(super) max_waiting: usize,
    /// Those that wait for it, and those that came behind them. The lock is held for a few operations, none of which waits.
    pub(super) waiting: Mutex<VecDeque<(Record, Date)>>,
    /// Cancelled when all that waits for the target is given up.
    pub(super) given_up: CancellationToken,
    /// Cancelled when the worker has ended.
    pub(super) ended: CancellationToken,
}

impl Inlet {
    /// Whether some device asks for the target. The pool, which has it too, holds its lock meanwhile.
    pub(super) fn is_wanted(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }

    /// Whether records wait until the clock is set.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting().is_empty()
    }

    /// Takes a record over. Never waits: what finds no room is lost, and counted.
    pub(super) fn take(&self, record: Record) {
        let bytes = record.weight();
        self.monitor.count(|account| account.produce(1));
        let mut waiting = self.waiting();
        let date = self.clock.date(record.device(), record.timestamp());
        while waiting.len() >= self.max_waiting && self.lose_first(&mut waiting) {}
        while !self.monitor.share.reserve(bytes) {
            if !self.lose_first(&mut waiting) {
                return self.monitor.dropped(1, TOO_FAST);
            }
        }
        match date {
            Date::Known(time) if waiting.is_empty() => self.send(record.dated(time)),
            date => waiting.push_back((record, date)),
        }
    }

    /// Hands on what has waited, now that the clock is set.
    pub(super) async fn release(&self) {
        while self.has_waiting() {
            let Ok(permit) = self.records.reserve().await else { return self.flush() };
            // What comes meanwhile comes behind.
            let mut waiting = self.waiting();
            if let Some((record, date)) = waiting.pop_front() {
                permit.send(self.resolved(record, date));
            }
        }
    }

    /// Hands on what has waited as far as there is room, or loses it if the clock is not set, since the mapper stops.
    pub(super) fn flush(&self) {
        let mut waiting = self.waiting();
        while self.clock.is_set()
            && let Some((record, date)) = waiting.pop_front()
        {
            self.send(self.resolved(record, date));
        }
        let lost = waiting.drain(..).map(|(record, _)| self.monitor.share.release(record.weight())).count();
        if lost > 0 {
            self.monitor.dropped(lost, NO_CLOCK_EVER);
        }
    }

    fn resolved(&self, record: Record, date: Date) -> Record {
        let time = self.clock.resolve(record.device(), record.timestamp(), date);
        record.dated(time)
    }

    fn send(&self, record: Record) {
        let bytes = record.weight();
        if let Err(refused) = self.records.try_send(record) {
            self.monitor.share.release(bytes);
            let reason = match refused {
                TrySendError::Full(_) => TOO_FAST,
                TrySendError::Closed(_) => "the target's worker has ended",
            };
            self.monitor.dropped(1, reason);
        }
    }

    fn lose_first(&self, waiting: &mut VecDeque<(Record, Date)>) -> bool {
        let Some((record, _)) = waiting.pop_front() else { return false };
        self.monitor.share.release(record.weight());
        self.monitor.dropped(1, NO_CLOCK);
        true
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Record, Date)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
