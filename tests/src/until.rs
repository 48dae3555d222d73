//! Waiting for a mapper's one sink.

use std::time::Duration;

use mapper_framework::{sink::SinkStatus, testing::TestBed};
use tokio::time::timeout;

/// Waits until the one sink fits, and sees to it that its ledger adds up all the time.
///
/// # Panics
///
/// If it does not fit in time, or a ledger does not add up.
pub async fn until_sink(bed: &TestBed, patience: Duration, what: &str, fits: impl Fn(&SinkStatus) -> bool) {
    let handle = bed.handle();
    let wait = handle.wait_for_sinks(|sinks| {
        sinks.iter().for_each(|sink| assert!(sink.ledger().adds_up(), "{sink}"));
        sinks.first().is_some_and(&fits)
    });
    if timeout(patience, wait).await.is_err() {
        panic!("not within {patience:?}: {what}; {:?}", handle.sinks());
    }
}
