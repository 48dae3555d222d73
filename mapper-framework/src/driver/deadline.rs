//! The moment at which a call into the driver is given up.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// The deadline of one call. A call that consists of several steps moves it on with each of them.
#[derive(Debug)]
pub(crate) struct Deadline {
    began: Instant,
    patience: Duration,
    /// When the step that is under way began, in nanoseconds after the call.
    step: AtomicU64,
}

impl Deadline {
    /// A deadline that is missed after this time, unless it is moved on.
    pub(crate) fn after(patience: Duration) -> Self {
        Self { began: Instant::now(), patience, step: AtomicU64::new(0) }
    }

    /// The time that the call has, or each of its steps.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Gives the step that begins now the whole time.
    pub(crate) fn next_step(&self) {
        let nanos = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.step.store(nanos, Relaxed);
    }

    /// Returns when the deadline is missed.
    pub(crate) async fn missed(&self) {
        loop {
            let time = Duration::from_nanos(self.step.load(Relaxed)).saturating_add(self.patience);
            match self.began.checked_add(time) {
                Some(due) if due <= Instant::now() => return,
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_step_has_the_whole_time() {
        let (deadline, began) = (Deadline::after(10 * SECOND), Instant::now());
        advance(9 * SECOND).await;
        deadline.next_step();
        deadline.missed().await;
        assert_eq!(began.elapsed().as_secs(), 19);
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_beyond_all_measure_is_never_over() {
        assert!(timeout(3600 * SECOND, Deadline::after(Duration::MAX).missed()).await.is_err());
    }
}
