//! How long things take: histograms of the whole mapper.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The upper ends of the buckets of what takes moments, in seconds; the last one has none.
const MOMENTS: [f64; BOUNDS] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

/// Those of what takes as long as edgecore's budget makes it.
const MINUTES: [f64; BOUNDS] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86_400.0];

const BOUNDS: usize = 12;

/// Times by how long they are.
#[derive(Debug)]
pub(crate) struct Latency {
    bounds: [f64; BOUNDS],
    /// How many are in each bucket and in none of those before, and then those that are longer than all bounds.
    counts: [AtomicU64; BOUNDS + 1],
    nanos: AtomicU64,
}

/// What a [`Latency`] has at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Times {
    /// How many there are.
    pub(crate) count: u64,
    /// Their sum, in seconds.
    pub(crate) sum: f64,
    /// The upper end of each bucket, and how many are in it and in none of those before.
    pub(crate) buckets: Vec<(f64, u64)>,
}

/// All that is measured.
#[derive(Debug)]
pub(crate) struct Latencies {
    /// Rounds of reads, each of which is one call of the driver.
    pub(crate) reads: Latency,
    /// Writes and calls of methods.
    pub(crate) writes: Latency,
    /// By how much rounds of reads begin late.
    pub(crate) lag: Latency,
    /// How old the values of twins are when edgecore accepts them.
    pub(crate) staleness: Latency,
}

impl Default for Latencies {
    fn default() -> Self {
        let moments = || Latency::new(MOMENTS);
        Self { reads: moments(), writes: moments(), lag: moments(), staleness: Latency::new(MINUTES) }
    }
}

impl Latency {
    fn new(bounds: [f64; BOUNDS]) -> Self {
        Self { bounds, counts: Default::default(), nanos: AtomicU64::new(0) }
    }

    pub(crate) fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = self.bounds.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.nanos.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn read(&self) -> Times {
        let ends = self.bounds.into_iter().chain([f64::MAX]);
        let buckets: Vec<_> = ends.zip(&self.counts).map(|(end, count)| (end, count.load(Relaxed))).collect();
        Times {
            count: buckets.iter().map(|(_, count)| count).sum(),
            sum: Duration::from_nanos(self.nanos.load(Relaxed)).as_secs_f64(),
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_the_first_bucket_that_holds_it() {
        let latency = Latency::new(MOMENTS);
        for millis in [1, 2, 10_000, 60_000] {
            latency.observe(Duration::from_millis(millis));
        }
        let times = latency.read();
        assert_eq!((times.count, times.sum), (4, 70.003));
        let filled: Vec<_> = times.buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.001, 1), (0.0025, 1), (10.0, 1), (f64::MAX, 1)]);
    }
}
