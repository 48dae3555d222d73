//! What has become of every record.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What has become of the records for one target. At every instant
/// `produced = delivered + rejected + dropped + in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub(super) produced: u64,
    pub(super) delivered: u64,
    pub(super) rejected: u64,
    pub(super) dropped: u64,
    pub(super) in_flight: u64,
    pub(super) repeated: u64,
}

impl Ledger {
    /// Records handed over by devices, and those found in the spool at the start.
    pub fn produced(&self) -> u64 {
        self.produced
    }

    /// Records that the target has.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Records that the target will never take. The log says why.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Records lost: no room was left for them in the queue and in the spool, or they were damaged on disk.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Records in the queue, in the spool, or being written.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Records that were written again since nobody knows whether the target has them. Up to this many may be there twice, and up to
    /// a batch more after each restart.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Whether every record is accounted for.
    pub fn adds_up(&self) -> bool {
        self.produced == self.delivered + self.rejected + self.dropped + self.in_flight
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { produced, delivered, rejected, dropped, in_flight, repeated } = self;
        write!(
            f,
            "produced={produced} delivered={delivered} rejected={rejected} dropped={dropped} in_flight={in_flight} \
             repeated={repeated}"
        )
    }
}

/// A ledger that is being kept. The lock is held for a few additions, so that whoever reads sees each change whole.
#[derive(Debug, Default)]
pub(super) struct Account(Mutex<Ledger>);

impl Account {
    pub(super) fn read(&self) -> Ledger {
        *self.lock()
    }

    /// New records are under way.
    pub(super) fn produce(&self, records: usize) {
        let mut ledger = self.lock();
        ledger.produced += records as u64;
        ledger.in_flight += records as u64;
    }

    /// Records under way have come to their end.
    pub(super) fn settle(&self, delivered: usize, rejected: usize) {
        let mut ledger = self.lock();
        ledger.delivered += delivered as u64;
        ledger.rejected += rejected as u64;
        ledger.in_flight -= (delivered + rejected) as u64;
    }

    /// Records under way are lost.
    pub(super) fn drop(&self, records: usize) {
        let mut ledger = self.lock();
        ledger.dropped += records as u64;
        ledger.in_flight -= records as u64;
    }

    /// Records will be written once more.
    pub(super) fn repeat(&self, records: usize) {
        self.lock().repeated += records as u64;
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_misses_a_record_does_not_add_up() {
        let account = Account::default();
        account.produce(10);
        account.settle(4, 1);
        account.drop(2);
        let ledger = account.read();
        assert!(ledger.adds_up());
        assert_eq!(ledger.in_flight, 3);
        assert!(!Ledger { delivered: 3, ..ledger }.adds_up());
        assert_eq!(ledger.to_string(), "produced=10 delivered=4 rejected=1 dropped=2 in_flight=3 repeated=0");
    }
}
