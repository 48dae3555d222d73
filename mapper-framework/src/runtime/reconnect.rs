//! When a device is connected to again.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;

/// The pause after the first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// A device that closes each connection is connected to no more often than this, however short its cycles are.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// The pauses between attempts to connect: none after a session that has worked and that the device has closed, and growing ones
/// while nothing comes of the attempts.
#[derive(Debug)]
pub(super) struct Reconnects {
    backoff: Backoff,
    longest: Duration,
    /// When the last attempt began.
    last: Option<Instant>,
}

impl Reconnects {
    pub(super) fn new(longest: Duration) -> Self {
        Self { backoff: Backoff::new(FIRST_PAUSE, longest), longest, last: None }
    }

    /// An attempt to connect begins.
    pub(super) fn begins(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// The device has answered or delivered something, or is to be connected to in another way.
    pub(super) fn start_over(&mut self) {
        self.backoff.reset();
    }

    /// How many attempts have failed since the device answered last.
    pub(super) fn failures(&self) -> u32 {
        self.backoff.attempts()
    }

    /// The pause after an attempt or a session that failed.
    pub(super) fn after_failure(&mut self) -> Duration {
        self.backoff.next()
    }

    /// The pause after a session that has worked: what is left of the shortest cycle since it was opened, so that a device which
    /// answers once on each connection is not asked more often than by its cycle.
    pub(super) fn after_success(&self, cycle: Option<Duration>, now: Instant) -> Duration {
        let interval = cycle.unwrap_or(FIRST_PAUSE).min(self.longest).max(SHORTEST_INTERVAL);
        self.last.map_or(Duration::ZERO, |last| (last + interval).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_session_that_has_lasted_for_a_cycle_is_opened_anew_at_once() {
        let (mut reconnects, start) = (Reconnects::new(10 * SECOND), Instant::now());
        reconnects.begins(start);
        let after = |cycle, passed| reconnects.after_success(cycle, start + passed);
        assert_eq!(after(Some(SECOND), SECOND), Duration::ZERO);
        assert_eq!(after(Some(2 * SECOND), SECOND), SECOND);
        assert_eq!(after(Some(Duration::MAX), SECOND), 9 * SECOND, "no longer than the longest pause");
        assert_eq!(after(Some(SECOND / 1000), Duration::ZERO), SHORTEST_INTERVAL);
        assert_eq!(after(None, Duration::ZERO), FIRST_PAUSE);
    }

    #[test]
    fn an_answer_starts_the_pauses_over() {
        let mut reconnects = Reconnects::new(10 * SECOND);
        for _ in 0..10 {
            reconnects.after_failure();
        }
        assert!(reconnects.after_failure() >= 5 * SECOND);
        reconnects.start_over();
        assert!(reconnects.after_failure() <= FIRST_PAUSE);
    }
}
