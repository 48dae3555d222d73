//! Clocks that show what cannot be.

use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::{
    super::{Record, SinkError},
    puppet::{Rig, push, sample},
};
use crate::model::Sample;

const SECOND: Duration = Duration::from_secs(1);

/// A moment in 2026.
fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_780_000_000)
}

/// A sample that was taken so long after 1970 began, or at some other time.
fn taken(number: i64, timestamp: SystemTime) -> Sample {
    Sample { timestamp, ..sample(number) }
}

fn times(rig: &Rig) -> Vec<SystemTime> {
    rig.puppet.accepted().iter().map(Record::timestamp).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_read_before_the_clock_is_set_gets_its_time_when_it_is() {
    let rig = Rig::new();
    let boot = SystemTime::UNIX_EPOCH;
    rig.sinks.clock().set(boot + 100 * SECOND);
    let feed = rig.feed("a");
    // The second was read some seconds before it was pushed.
    feed.push(&taken(0, boot + 100 * SECOND));
    sleep(50 * SECOND).await;
    feed.push(&taken(1, boot + 143 * SECOND));
    feed.push(&taken(2, noon() + 55 * SECOND));
    sleep(10 * SECOND).await;
    assert_eq!((rig.puppet.accepted().len(), rig.ledger().in_flight), (0, 3));
    rig.sinks.clock().set(noon() + 60 * SECOND);
    feed.push(&taken(3, noon() + 60 * SECOND));
    rig.until_settled(4).await;
    assert_eq!(rig.puppet.numbers(), [0, 1, 2, 3], "in order");
    let offsets = [0, 43, 55, 60].map(|seconds| noon() + seconds * SECOND);
    let late = times(&rig).iter().zip(offsets).map(|(time, meant)| time.duration_since(meant).unwrap()).max();
    assert!(late.is_some_and(|late| late < SECOND), "{late:?}");
    let sinks = rig.stats().sinks();
    assert_eq!((sinks.clock_unset(), sinks.times_replaced(), rig.sinks.memory()), (3, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn where_too_many_wait_for_the_clock_the_oldest_go_and_at_the_end_all() {
    let rig = Rig::with(|sinks| sinks.queue_records = 100, std::sync::Arc::new(tempfile::tempdir().unwrap()));
    rig.sinks.clock().set(SystemTime::UNIX_EPOCH + 100 * SECOND);
    let feed = rig.feed("a");
    push(&feed, 0..250);
    assert_eq!((rig.ledger().in_flight, rig.ledger().dropped), (100, 150));
    rig.sinks.clock().set(noon());
    rig.until_settled(250).await;
    assert_eq!(rig.puppet.numbers(), (150..250).collect::<Vec<_>>());
    rig.sinks.clock().set(SystemTime::UNIX_EPOCH + 100 * SECOND);
    push(&feed, 250..260);
    rig.stop().await;
    assert_eq!((rig.ledger().in_flight, rig.ledger().dropped, rig.sinks.memory()), (0, 160, 0));
}

#[tokio::test(start_paused = true)]
async fn more_than_a_channel_holds_waits_for_the_clock_and_comes_in_order() {
    let rig = Rig::new();
    rig.puppet.fail(|| SinkError::failed("no"));
    rig.sinks.clock().set(SystemTime::UNIX_EPOCH);
    let feed = rig.feed("a");
    push(&feed, 0..9_000);
    rig.sinks.clock().set(noon());
    push(&feed, 9_000..10_000);
    rig.until("all are on disk", |status| status.spooled_records == 10_000).await;
    rig.puppet.obey();
    rig.until_settled(10_000).await;
    assert_eq!(rig.puppet.numbers(), (0..10_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_devices_own_time_counts_as_far_as_it_can_be_right() {
    let rig = Rig::new();
    rig.sinks.clock().set(noon());
    let feed = rig.feed("a");
    let hour = 3600 * SECOND;
    let ahead = noon() + 23 * hour;
    for (number, time) in
        [ahead, noon() + 25 * hour, SystemTime::UNIX_EPOCH, noon() - 20 * 365 * 24 * hour].iter().enumerate()
    {
        feed.push(&taken(number as i64, *time));
    }
    rig.until_settled(4).await;
    assert_eq!(times(&rig), [ahead, noon(), noon(), noon() - 20 * 365 * 24 * hour]);
    assert_eq!(rig.stats().sinks().times_replaced(), 2);
}
