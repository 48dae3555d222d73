//! The budget that all calls of all mappers share.

use tokio::time::Instant;

use super::quirks::Limit;

/// A token bucket that starts full, as the one in edgecore (`golang.org/x/time/rate`).
///
/// It goes by tokio's clock, so that a test may pause the time.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: Option<Limit>,
    tokens: f64,
    refilled: Instant,
}

impl Limiter {
    pub(super) fn new(limit: Option<Limit>) -> Self {
        let tokens = limit.map_or(0.0, |limit| f64::from(limit.burst));
        Self { limit, tokens, refilled: Instant::now() }
    }

    /// Takes a token if there is one. A refused call costs nothing.
    pub(super) fn allow(&mut self) -> bool {
        let Some(limit) = self.limit else { return true };
        let now = Instant::now();
        let earned = now.duration_since(self.refilled).as_secs_f64() * limit.per_second;
        self.tokens = (self.tokens + earned).min(f64::from(limit.burst));
        self.refilled = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::local_edge::quirks::Quirks;

    fn allowed(limiter: &mut Limiter, calls: usize) -> usize {
        (0..calls).filter(|_| limiter.allow()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_calls_pass_at_once_and_then_one_each_second() {
        let mut limiter = Limiter::new(Quirks::default().limit);
        assert_eq!(allowed(&mut limiter, 150), 100);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert!(!limiter.allow());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(allowed(&mut limiter, 5), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_earns_no_more_than_the_burst() {
        let mut limiter = Limiter::new(Quirks::default().limit);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(allowed(&mut limiter, 150), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn the_reports_of_the_field_observation_are_counted_alike() {
        // 250 reports sent 20 ms apart: a real edgecore accepted 104 of them.
        let mut limiter = Limiter::new(Quirks::default().limit);
        let mut accepted = 0;
        for _ in 0..250 {
            accepted += allowed(&mut limiter, 1);
            tokio::time::advance(Duration::from_millis(20)).await;
        }
        assert_eq!(accepted, 104);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_everything_passes() {
        assert_eq!(allowed(&mut Limiter::new(None), 1000), 1000);
    }
}
