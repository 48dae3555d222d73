//! A target's account and condition, seen from outside of its worker.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::watch, time::Instant};

use crate::telemetry::{
    Occurrence, Telemetry,
    sinks::{LossEnded, RecordsDropped, SinkFailed, SinkMisconfigured, SinkUp},
};

use super::{
    Ledger, SinkError, Target,
    budget::Share,
    ledger::Account,
    spell::{Loss, Outages},
};

/// Whether a target can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SinkState {
    /// The first connection is being made.
    Connecting,
    /// The last attempt has succeeded.
    Up,
    /// The last attempt has failed, and others follow.
    Down,
}

impl SinkState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// A target at one moment.
#[derive(Clone, Debug)]
pub struct SinkStatus {
    pub(super) target: Target,
    pub(super) state: SinkState,
    pub(super) reason: Option<String>,
    pub(super) ledger: Ledger,
    pub(super) spooled_records: u64,
    pub(super) spooled_bytes: u64,
}

impl SinkStatus {
    /// The target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether it can be written to.
    pub fn state(&self) -> SinkState {
        self.state
    }

    /// Why it cannot be written to, if so.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What has become of its records.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How many of the records under way lie on disk.
    pub fn spooled_records(&self) -> u64 {
        self.spooled_records
    }

    /// In how many bytes these lie on disk.
    pub fn spooled_bytes(&self) -> u64 {
        self.spooled_bytes
    }
}

impl fmt::Display for SinkStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.target, self.state.as_str(), self.ledger)?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

/// A target's account and condition. Written by its worker and by those who produce for it, read by whoever asks.
#[derive(Debug)]
pub(super) struct Monitor {
    pub(super) target: Target,
    account: Account,
    /// What its records take of the memory for all.
    pub(super) share: Share,
    pub(super) telemetry: Telemetry,
    condition: Mutex<Condition>,
    /// Wakes those who wait for a change of any target.
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct Condition {
    state: SinkState,
    reason: Option<String>,
    /// How many records lie on disk, in how many bytes.
    on_disk: (u64, u64),
    /// What is being lost.
    loss: Option<Loss>,
    /// Why it could not be written to, lately.
    outages: Outages,
}

impl Monitor {
    pub(super) fn new(target: Target, share: Share, telemetry: Telemetry, changes: watch::Sender<()>) -> Self {
        telemetry.track_target(&target);
        let condition = Condition {
            state: SinkState::Connecting,
            reason: None,
            on_disk: (0, 0),
            loss: None,
            outages: Outages::default(),
        };
        Self { target, account: Account::default(), share, telemetry, condition: Mutex::new(condition), changes }
    }

    pub(super) fn status(&self) -> SinkStatus {
        let condition = self.lock();
        SinkStatus {
            target: self.target.clone(),
            state: condition.state,
            reason: condition.reason.clone(),
            ledger: self.account.read(),
            spooled_records: condition.on_disk.0,
            spooled_bytes: condition.on_disk.1,
        }
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.account.read()
    }

    /// Changes the account.
    pub(super) fn count(&self, change: impl FnOnce(&Account)) {
        change(&self.account);
        self.changes.send_replace(());
    }

    /// Counts records that are lost, and logs why and how many: at once, at intervals, and at the end.
    pub(super) fn dropped(&self, records: usize, reason: &'static str) {
        self.count(|account| account.drop(records));
        let now = Instant::now();
        let mut condition = self.lock();
        if condition.loss.as_ref().is_some_and(|loss| loss.is_over(reason, now)) {
            self.end_loss(&mut condition);
        }
        let loss = condition.loss.get_or_insert_with(|| Loss::new(reason));
        let (total, is_due) = loss.add(records as u64, now);
        let occurrence = Occurrence::first_if(is_due);
        self.telemetry.emit(RecordsDropped { target: &self.target, records, total, reason, occurrence });
    }

    /// The target has accepted something, or has said that it would.
    pub(super) fn up(&self) {
        let now = Instant::now();
        let mut condition = self.lock();
        if condition.loss.as_ref().is_some_and(|loss| loss.is_quiet(now)) {
            self.end_loss(&mut condition);
        }
        condition.reason = None;
        let before = std::mem::replace(&mut condition.state, SinkState::Up);
        if before != SinkState::Up {
            let occurrence = condition.outages.end();
            self.telemetry.emit(SinkUp { target: &self.target, occurrence });
            self.changes.send_replace(());
        }
    }

    /// An attempt has failed.
    pub(super) fn down(&self, error: &SinkError) {
        let waiting = self.account.read().in_flight;
        let reason = error.to_string();
        let mut condition = self.lock();
        let begins = std::mem::replace(&mut condition.state, SinkState::Down) != SinkState::Down;
        let is_new = begins || condition.reason.as_ref() != Some(&reason);
        let occurrence = condition.outages.begins(&reason);
        let (target, reason_text) = (&self.target, reason.as_str());
        if error.is_misconfigured() {
            self.telemetry.emit(SinkMisconfigured { target, reason: reason_text, waiting, is_new, occurrence });
        } else {
            self.telemetry.emit(SinkFailed { target, reason: reason_text, is_new, occurrence });
        }
        condition.reason = Some(reason);
        self.changes.send_replace(());
    }

    /// The worker stops: the total of what was lost is logged.
    pub(super) fn stopped(&self) {
        self.end_loss(&mut self.lock());
    }

    fn end_loss(&self, condition: &mut Condition) {
        if let Some(total) = condition.loss.take().and_then(|loss| loss.unlogged_total()) {
            self.telemetry.emit(LossEnded { target: &self.target, records: total });
        }
    }

    pub(super) fn set_on_disk(&self, on_disk: (u64, u64)) {
        self.lock().on_disk = on_disk;
    }

    fn lock(&self) -> MutexGuard<'_, Condition> {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
