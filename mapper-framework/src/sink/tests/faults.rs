//! Sinks that are away, hang, panic and come back.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    super::{Outcome, SinkError, SinkState},
    puppet::{Reaction, Rig, push, push_texts},
};

#[tokio::test(start_paused = true)]
async fn a_device_may_come_before_its_database() {
    let rig = Rig::new();
    rig.puppet.refuse_to_open(10);
    push(&rig.feed("a"), 0..100);
    rig.until("it is down", |status| status.state == SinkState::Down).await;
    assert_eq!(rig.status().reason.as_deref(), Some("nobody is there"));
    rig.until_settled(100).await;
    assert_eq!(rig.puppet.numbers(), (0..100).collect::<Vec<_>>());
    assert_eq!((rig.status().state, rig.stats().sinks().attempts_failed()), (SinkState::Up, 10));
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_the_connection_and_a_loss_opens_another() {
    let rig = Rig::new();
    let feed = rig.feed("a");
    rig.puppet.fail(|| SinkError::failed("busy"));
    push(&feed, 0..1);
    rig.until("the reason is known", |status| status.reason.as_deref() == Some("busy")).await;
    rig.puppet.obey();
    rig.until_settled(1).await;
    assert_eq!(rig.puppet.opens().len(), 1);
    rig.puppet.fail(|| SinkError::disconnected("gone"));
    push(&feed, 1..2);
    rig.until("the reason is known", |status| status.reason.as_deref() == Some("gone")).await;
    rig.puppet.obey();
    rig.until_settled(2).await;
    assert!(rig.puppet.opens().len() > 1);
    assert_eq!(rig.puppet.numbers(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_hangs_ends_at_its_deadline_and_the_batch_comes_again() {
    let rig = Rig::new();
    rig.puppet.behave(|_| Reaction::Hang);
    push(&rig.feed("a"), 0..2);
    rig.until("it is down", |status| status.state == SinkState::Down).await;
    assert!(rig.status().reason.is_some_and(|reason| reason.contains("took longer than 10s")));
    rig.puppet.obey();
    rig.until_settled(2).await;
    assert_eq!((rig.puppet.numbers(), rig.puppet.opens().len()), (vec![0, 1], 2));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_too_much_for_the_deadline_goes_in_parts() {
    let rig = Rig::new();
    rig.puppet.behave(|batch| {
        if batch.len() > 60 { Reaction::Hang } else { Reaction::Answer(Ok(Outcome::accepted(batch.len()))) }
    });
    push(&rig.feed("a"), 0..500);
    rig.until_settled(500).await;
    assert_eq!(rig.puppet.numbers(), (0..500).collect::<Vec<_>>());
    let hung: usize = rig.puppet.sizes().iter().filter(|size| **size > 60).sum();
    assert!(hung < 2_000, "a batch is halved, and grows again by doubling: {:?}", rig.puppet.sizes());
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_is_opened_anew() {
    let rig = Rig::new();
    rig.puppet.behave(|_| Reaction::Panic);
    push(&rig.feed("a"), 0..2);
    rig.until("it is down", |status| status.state == SinkState::Down).await;
    assert_eq!(rig.status().reason.as_deref(), Some("the sink panicked: as the test wants"));
    rig.puppet.obey();
    rig.until_settled(2).await;
    assert_eq!(rig.puppet.numbers(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_says_how_long_to_wait_is_waited_for() {
    let rig = Rig::new();
    rig.puppet.fail(|| SinkError::failed("too many requests").retry_after(Duration::from_secs(60)));
    push(&rig.feed("a"), 0..1);
    rig.until("it is down", |status| status.state == SinkState::Down).await;
    rig.puppet.obey();
    rig.until_settled(1).await;
    let times = rig.puppet.times();
    assert_eq!(times.len(), 2);
    assert!(times[1] - times[0] >= Duration::from_secs(60), "{:?}", times[1] - times[0]);
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_to_their_cap() {
    let rig = Rig::new();
    rig.puppet.fail(|| SinkError::failed("no"));
    push(&rig.feed("a"), 0..1);
    rig.until("it has failed often", |status| status.ledger.repeated >= 20).await;
    let times = rig.puppet.times();
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses[0] <= Duration::from_millis(201), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_millis(30_001)), "{pauses:?}");
    assert!(pauses.iter().skip(12).all(|pause| *pause >= Duration::from_secs(15)), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_delays_no_other() {
    let rig = Rig::new();
    let (hangs, works) = (rig.feed("hangs"), rig.feed("works"));
    rig.puppet.behave(|batch| {
        let target: String = batch[0].series().target().settings().unwrap();
        if target == "hangs" { Reaction::Hang } else { Reaction::Answer(Ok(Outcome::accepted(batch.len()))) }
    });
    push(&hangs, 0..10);
    push(&works, 0..10);
    let began = Instant::now();
    rig.sinks.wait_until(|all| all.iter().any(|status| status.ledger.delivered == 10)).await;
    assert!(began.elapsed() <= Duration::from_millis(101), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_memory_has_no_room_for_goes_to_disk_and_comes_back_in_order() {
    let rig = Rig::with(|config| config.queue_records = 100, Arc::new(tempfile::tempdir().unwrap()));
    let feed = rig.feed("a");
    rig.puppet.behave(|_| Reaction::Hang);
    push(&feed, 0..1_000);
    rig.until("most of it is on disk", |status| status.spooled_records >= 500).await;
    push(&feed, 1_000..1_100);
    rig.puppet.obey();
    rig.until_settled(1_100).await;
    assert_eq!(rig.puppet.numbers(), (0..1_100).collect::<Vec<_>>());
    let status = rig.status();
    assert_eq!((status.spooled_records, status.ledger.dropped), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_goes_to_disk_gathers_first_so_that_a_write_has_many_records() {
    // Ten records a second for as many writes a second as that linger allows.
    for (linger, most) in [(Duration::from_secs(1), 25), (Duration::from_secs(5), 7), (Duration::ZERO, 201)] {
        let rig = Rig::with_spool(|spool| spool.linger = linger);
        let feed = rig.feed("a");
        rig.puppet.fail(|| SinkError::failed("no"));
        for number in 0..201 {
            push(&feed, number..number + 1);
            sleep(Duration::from_millis(100)).await;
        }
        rig.until("all are on disk", |status| status.spooled_records >= 200).await;
        let appends = rig.stats().spool().appends();
        assert!(appends <= most && appends >= most / 2, "{appends} writes with {linger:?}");
        rig.stop().await;
        let next = rig.reborn();
        next.sinks.resume();
        next.until_settled(201).await;
        assert_eq!(next.puppet.numbers(), (0..201).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_mebibyte_does_not_wait_for_more() {
    let rig = Rig::with_spool(|spool| spool.linger = Duration::from_secs(3600));
    let feed = rig.feed("a");
    rig.puppet.fail(|| SinkError::failed("no"));
    push(&feed, 0..1);
    rig.until("it is down", |status| status.state == SinkState::Down).await;
    assert_eq!(rig.status().spooled_records, 0);
    let large = (1 << 20) / push_texts(&feed, 1, 1000);
    push_texts(&feed, large, 1000);
    rig.until("they are on disk", |status| status.spooled_records > 0).await;
    assert_eq!(rig.stats().spool().appends(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_gathers_is_delivered_from_memory_if_the_target_comes_back_meanwhile() {
    let rig = Rig::with_spool(|spool| spool.linger = Duration::from_secs(3600));
    let feed = rig.feed("a");
    rig.puppet.fail(|| SinkError::failed("no"));
    push(&feed, 0..10);
    rig.until("it is down", |status| status.state == SinkState::Down).await;
    push(&feed, 10..20);
    rig.puppet.obey();
    rig.until_settled(20).await;
    assert_eq!((rig.puppet.numbers(), rig.stats().spool().appends()), ((0..20).collect(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_comes_later_is_taken_into_use() {
    let rig = Rig::without_disk(|config| config.queue_records = 100);
    let feed = rig.feed("a");
    rig.puppet.fail(|| SinkError::failed("no"));
    push(&feed, 0..50);
    rig.until("it is down", |status| status.state == SinkState::Down).await;
    assert_eq!(rig.status().spooled_records, 0);
    std::fs::remove_file(rig.folder().join("spool")).unwrap();
    rig.until("the disk has them", |status| status.spooled_records == 50).await;
    push(&feed, 50..1_000);
    rig.until("all are on disk", |status| status.spooled_records == 1_000).await;
    rig.puppet.obey();
    rig.until_settled(1_000).await;
    assert_eq!((rig.puppet.numbers(), rig.ledger().dropped), ((0..1_000).collect::<Vec<_>>(), 0));
}

#[tokio::test(start_paused = true)]
async fn without_a_disk_the_oldest_records_go_and_are_counted() {
    let rig = Rig::without_disk(|config| config.queue_records = 100);
    let feed = rig.feed("a");
    rig.puppet.refuse_to_open(5);
    push(&feed, 0..1_000);
    rig.until_settled(1_000).await;
    let (numbers, ledger) = (rig.puppet.numbers(), rig.ledger());
    assert_eq!((ledger.dropped, ledger.delivered), (900, 100));
    assert_eq!(numbers, (900..1_000).collect::<Vec<_>>());
    assert_eq!(rig.stats().sinks().records_dropped(), 900);
    assert!(rig.stats().spool().failed() >= 1);
}
