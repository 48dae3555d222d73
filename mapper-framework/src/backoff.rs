//! Capped exponential backoff with jitter.

use std::time::Duration;

/// The pauses between attempts: each twice as long as the one before up to a cap, and each cut by a random part of up to a
/// half, so that many devices behind one gateway do not come back in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    base: Duration,
    max: Duration,
    attempt: u32,
}

impl Backoff {
    pub(crate) fn new(base: Duration, max: Duration) -> Self {
        Self { base, max: max.max(base), attempt: 0 }
    }

    /// The pause before the next attempt.
    pub(crate) fn next(&mut self) -> Duration {
        let factor = 2_u32.saturating_pow(self.attempt);
        self.attempt = self.attempt.saturating_add(1);
        let whole = self.base.saturating_mul(factor).min(self.max);
        whole.mul_f64(1.0 - fastrand::f64() / 2.0)
    }

    /// How many pauses there were since the last success.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempt
    }

    /// Starts over after a success.
    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_millis(100);
    const MAX: Duration = Duration::from_secs(5);

    #[test]
    fn pauses_grow_to_the_cap_and_stay_there() {
        let mut backoff = Backoff::new(BASE, MAX);
        let mut whole = BASE;
        for _ in 0..100 {
            let pause = backoff.next();
            assert!(pause <= whole && pause >= whole / 2, "{pause:?} is not within half of {whole:?}");
            whole = (whole * 2).min(MAX);
        }
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::new(BASE, MAX);
        for _ in 0..10 {
            backoff.next();
        }
        backoff.reset();
        assert!(backoff.next() <= BASE);
        assert_eq!(backoff.attempts(), 1);
    }
}
