//! The pace of calls to edgecore.
//!
//! edgecore (v1.15 to v1.23) has one limiter for MapperRegister, ReportDeviceStatus and ReportDeviceStates of all mappers of a
//! node together: 100 calls at once, then one a second. How much of that the other mappers use cannot be known, so the pacer
//! learns it: a refusal halves its rate, and each accepted call raises it a little.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// The slowest rate, as a part of the full one: with 32 greedy mappers on a node, each still gets its share.
const SLOWEST: f64 = 1.0 / 32.0;

/// What an accepted call adds to the rate, as a part of the full one. At equilibrium one call in about a hundred is refused.
const RECOVERY: f64 = 0.005;

/// A token bucket that adapts. Shared by the reporter and the registration; the lock is held for a few instructions.
#[derive(Debug)]
pub(crate) struct Pacer {
    bucket: Mutex<Bucket>,
}

impl Pacer {
    /// `burst` calls at once, then `per_second`.
    pub(crate) fn new(per_second: f64, burst: u32) -> Self {
        Self { bucket: Mutex::new(Bucket::new(per_second, f64::from(burst.max(1)), Instant::now())) }
    }

    /// Waits until a call may be made, without spending it.
    pub(crate) async fn ready(&self) {
        loop {
            let wait = self.bucket().wait(Instant::now());
            if wait.is_zero() {
                return;
            }
            sleep(wait).await;
        }
    }

    /// Spends a call.
    pub(crate) fn spend(&self) {
        self.bucket().tokens -= 1.0;
    }

    /// Spends many at once, such as the twins of one message: those that come after wait for all of them.
    pub(crate) fn spend_many(&self, calls: usize) {
        self.bucket().tokens -= calls as f64;
    }

    /// edgecore took a call.
    pub(crate) fn accepted(&self) {
        self.bucket().accepted();
    }

    /// edgecore's limiter refused a call.
    pub(crate) fn refused(&self) {
        self.bucket().refused(Instant::now());
    }

    /// How many calls a second are made at present.
    pub(crate) fn rate(&self) -> f64 {
        self.bucket().rate
    }

    /// How many calls may be made at once.
    pub(crate) fn available(&self) -> f64 {
        let mut bucket = self.bucket();
        bucket.refill(Instant::now());
        bucket.tokens.max(0.0)
    }

    /// A new edgecore has a full limiter.
    pub(crate) fn reset(&self) {
        let mut bucket = self.bucket();
        *bucket = Bucket::new(bucket.full_rate, bucket.burst, Instant::now());
    }

    /// How many calls may be made within `time`, if edgecore takes them all.
    pub(crate) fn calls_within(&self, time: Duration) -> u64 {
        let mut bucket = self.bucket();
        bucket.refill(Instant::now());
        // Whole calls: saturates, and takes what is below zero for none.
        (bucket.tokens + time.as_secs_f64() * bucket.rate) as u64
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Bucket {
    full_rate: f64,
    burst: f64,
    rate: f64,
    tokens: f64,
    updated: Instant,
}

impl Bucket {
    fn new(full_rate: f64, burst: f64, now: Instant) -> Self {
        Self { full_rate, burst, rate: full_rate, tokens: burst, updated: now }
    }

    /// How long until there is a token.
    fn wait(&mut self, now: Instant) -> Duration {
        self.refill(now);
        if self.tokens >= 1.0 {
            return Duration::ZERO;
        }
        // A timer's grain is a millisecond: a wait that is cut to zero would spin.
        let wait = Duration::try_from_secs_f64((1.0 - self.tokens) / self.rate).unwrap_or(Duration::MAX);
        wait.max(Duration::from_millis(1))
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.updated).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.burst);
        self.updated = now;
    }

    fn accepted(&mut self) {
        self.rate = (self.rate + self.full_rate * RECOVERY).min(self.full_rate);
    }

    fn refused(&mut self, now: Instant) {
        self.refill(now);
        self.tokens = 0.0;
        self.rate = (self.rate / 2.0).max(self.full_rate * SLOWEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many calls pass within `time`.
    async fn calls_within(pacer: &Pacer, time: Duration) -> u32 {
        let end = Instant::now() + time;
        let mut calls = 0;
        while tokio::time::timeout_at(end, pacer.ready()).await.is_ok() {
            pacer.spend();
            calls += 1;
        }
        calls
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_followed_by_the_rate() {
        let pacer = Pacer::new(1.0, 90);
        assert_eq!(calls_within(&pacer, Duration::from_millis(500)).await, 90);
        let calls = calls_within(&pacer, Duration::from_secs(10)).await;
        assert!((10..=11).contains(&calls), "{calls}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_calls_within_a_time_are_the_tokens_and_what_the_rate_adds() {
        let pacer = Pacer::new(2.0, 90);
        assert_eq!(pacer.calls_within(Duration::from_secs(10)), 110);
        pacer.refused();
        assert_eq!(pacer.calls_within(Duration::from_secs(10)), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_next_to_nothing_waits_for_ever_and_does_not_panic() {
        let pacer = Pacer::new(1e-300, 1);
        assert_eq!(calls_within(&pacer, Duration::from_secs(3600)).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_ends_the_burst_and_halves_the_rate() {
        let pacer = Pacer::new(1.0, 90);
        pacer.refused();
        assert_eq!(calls_within(&pacer, Duration::from_millis(1900)).await, 0);
        let calls = calls_within(&pacer, Duration::from_secs(20)).await;
        assert!((10..=11).contains(&calls), "{calls}");
    }

    #[tokio::test(start_paused = true)]
    async fn beside_a_greedy_mapper_few_calls_are_refused() {
        // Another mapper leaves four calls in ten seconds.
        let pacer = Pacer::new(1.0, 90);
        let mut left = Bucket::new(0.4, 1.0, Instant::now());
        let (mut accepted, mut refused) = (0_u32, 0_u32);
        let end = Instant::now() + Duration::from_secs(3600);
        while Instant::now() < end {
            pacer.ready().await;
            pacer.spend();
            if left.wait(Instant::now()).is_zero() {
                left.tokens -= 1.0;
                pacer.accepted();
                accepted += 1;
            } else {
                pacer.refused();
                refused += 1;
            }
        }
        assert!(accepted > 900, "{accepted} of 1440 possible calls were made");
        assert!(refused * 25 < accepted, "{refused} refused, {accepted} accepted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_edgecore_has_a_full_limiter() {
        let pacer = Pacer::new(1.0, 90);
        pacer.refused();
        pacer.reset();
        assert_eq!(calls_within(&pacer, Duration::from_millis(500)).await, 90);
    }
}
