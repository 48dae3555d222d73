//! The memory that the records of all targets share.
//!
//! Half of it is anybody's, and half of it is there in equal shares: so whoever has little always finds room, and whoever has much writes to
//! disk first.
//!
//! | a target | once all together have | has to |
//! | --- | --- | --- |
//! | with more than a quarter of its equal part in its queue | a quarter | write the queue to disk |
//! | with more than half of its equal part | half | do without more |
//! | any other | all of it | do without more |

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The memory for the records of all targets.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
    shares: AtomicUsize,
}

/// What one target has of it.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    held: AtomicUsize,
}

impl Budget {
    /// So many bytes for all.
    pub(super) fn new(limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { limit, used: AtomicUsize::new(0), shares: AtomicUsize::new(0) }
    }

    /// One more target.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        self.shares.fetch_add(1, Relaxed);
        Share { budget: Arc::clone(self), held: AtomicUsize::new(0) }
    }

    /// How many bytes are in use.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// A quarter of the equal part of each target.
    fn quarter(&self) -> usize {
        self.limit / 4 / self.shares.load(Relaxed).max(1)
    }
}

impl Share {
    /// Takes so many bytes more; false if it has to do without.
    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let Budget { limit, .. } = *self.budget;
        let (held, used) = self.add(bytes);
        let is_small = held + bytes <= 2 * self.budget.quarter() || held == 0;
        let room = if is_small { limit } else { limit / 2 };
        // A single record may be larger than all that else may wait.
        let fits = used + bytes <= room || used == 0;
        if !fits {
            self.release(bytes);
        }
        fits
    }

    /// Takes so many bytes more in any case. Gives what the target and all had before.
    pub(super) fn add(&self, bytes: usize) -> (usize, usize) {
        (self.held.fetch_add(bytes, Relaxed), self.budget.used.fetch_add(bytes, Relaxed))
    }

    /// Gives so many bytes back.
    pub(super) fn release(&self, bytes: usize) {
        let left = |held: usize| Some(held.saturating_sub(bytes));
        let before = self.held.fetch_update(Relaxed, Relaxed, left).unwrap_or_default();
        self.budget.used.fetch_sub(bytes.min(before), Relaxed);
    }

    /// Gives everything back, since the target's worker has ended.
    pub(super) fn close(&self) {
        self.budget.used.fetch_sub(self.held.swap(0, Relaxed), Relaxed);
        self.budget.shares.fetch_sub(1, Relaxed);
    }

    /// Whether a queue of so many bytes is to be written to disk.
    pub(super) fn is_too_much(&self, queue: usize) -> bool {
        let Budget { limit, ref used, .. } = *self.budget;
        queue > self.budget.quarter() && used.load(Relaxed) > limit / 4
    }

    /// How many bytes may be read from disk, besides a single record, which is read in any case.
    pub(super) fn room(&self) -> usize {
        let Budget { limit, ref used, .. } = *self.budget;
        self.budget.quarter().min((limit / 2).saturating_sub(used.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_little_finds_room_however_much_others_have() {
        let budget = Arc::new(Budget::new(8_000));
        let [greedy, modest] = [(); 2].map(|()| budget.share());
        while greedy.reserve(100) {}
        assert_eq!((budget.used(), greedy.is_too_much(1_001), greedy.is_too_much(1_000)), (4_000, true, false));
        assert_eq!(greedy.room(), 0);
        while modest.reserve(100) {}
        assert_eq!(budget.used(), 6_000, "half of its equal part");
        greedy.release(3_000);
        assert!(modest.reserve(100) && budget.used() == 3_100);
    }

    #[test]
    fn with_any_number_of_targets_it_is_never_exceeded() {
        let budget = Arc::new(Budget::new(100_000));
        let shares: Vec<_> = (0..30).map(|_| budget.share()).collect();
        for round in 0..1_000 {
            for (index, share) in shares.iter().enumerate() {
                share.reserve((round * 7 + index * 13) % 900);
                assert!(budget.used() <= 100_000);
            }
        }
        shares.iter().for_each(Share::close);
        assert_eq!((budget.used(), budget.shares.load(Relaxed)), (0, 0));
    }

    #[test]
    fn a_record_larger_than_everything_goes_alone_and_a_late_release_takes_nothing_from_others() {
        let budget = Arc::new(Budget::new(1_000));
        let [one, other] = [(); 2].map(|()| budget.share());
        assert!(one.reserve(5_000) && !other.reserve(1));
        one.close();
        assert!(other.reserve(100));
        one.release(5_000);
        assert_eq!(budget.used(), 100);
    }
}
