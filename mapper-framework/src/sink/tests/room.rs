//! What all targets share, and who pays when it is used up.

use std::{path::PathBuf, time::Duration};

use tokio::time::{advance, sleep};

use super::{
    super::{Outcome, SinkError, SinkState, SinkStatus},
    puppet::{Reaction, Rig, push, push_texts},
};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn of<'a>(all: &'a [SinkStatus], host: &str) -> &'a SinkStatus {
    all.iter().find(|status| status.target.settings::<String>().unwrap() == host).expect("it is a target")
}

fn folder(rig: &Rig, host: &str) -> PathBuf {
    rig.folder().join("spool").join(super::super::Target::new("puppet", &host).id())
}

#[tokio::test(start_paused = true)]
async fn the_spools_of_all_targets_stay_within_their_room_and_the_largest_pays() {
    let rig = Rig::with_spool(|spool| {
        (spool.max_bytes, spool.total_bytes) = (1_000_000, 1_500_000);
        spool.linger = Duration::ZERO;
    });
    rig.puppet.fail(|| SinkError::failed("no"));
    let feeds = ["large", "small", "medium"].map(|host| rig.feed(host));
    for (feed, texts) in feeds.iter().zip([45, 10, 30]) {
        for _ in 0..texts {
            push_texts(feed, 1, 20_000);
            sleep(Duration::from_millis(1)).await;
        }
    }
    let is_on_disk = |all: &[SinkStatus]| all.iter().all(|it| it.spooled_records == it.ledger.in_flight);
    rig.sinks.wait_until(is_on_disk).await;
    let all = rig.sinks.statuses();
    let bytes: u64 = all.iter().map(|status| status.spooled_bytes).sum();
    assert!((1_300_000..=1_500_000).contains(&bytes), "{bytes}: {all:?}");
    assert_eq!((of(&all, "small").ledger.dropped, of(&all, "medium").ledger.dropped), (0, 0), "{all:?}");
    assert!(of(&all, "large").ledger.dropped >= 6, "{all:?}");
    rig.puppet.obey();
    rig.sinks.wait_until(|all| all.iter().all(|status| status.ledger.in_flight == 0)).await;
    let all = rig.sinks.statuses();
    assert!(all.iter().all(|status| status.ledger.adds_up()), "{all:?}");
    assert_eq!(of(&all, "small").ledger.delivered, 10);
    let lost = of(&all, "large").ledger.dropped;
    assert_eq!((rig.puppet.texts(), rig.stats().sinks().records_dropped()), (85 - lost, lost));
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_with_more_room_makes_some_at_the_start_and_the_rest_is_delivered() {
    let rig = Rig::with_spool(|spool| spool.linger = Duration::ZERO);
    rig.puppet.fail(|| SinkError::failed("no"));
    for host in ["a", "b"] {
        push_texts(&rig.feed(host), 40, 20_000);
    }
    rig.sinks.wait_until(|all| all.iter().all(|status| status.spooled_records == 40)).await;
    rig.stop().await;

    let next = rig.reborn_with(|spool| spool.total_bytes = 1_000_000);
    next.puppet.fail(|| SinkError::failed("no"));
    let _feeds = ["a", "b"].map(|host| next.feed(host));
    let fits = |all: &[SinkStatus]| all.iter().map(|it| it.spooled_bytes).sum::<u64>() < 1_000_000;
    next.sinks.wait_until(|all| fits(all) && all.iter().map(|it| it.ledger.produced).sum::<u64>() == 80).await;
    next.stop().await;
    let all = next.sinks.statuses();
    assert!(fits(&all) && all.iter().all(|it| it.ledger.adds_up()), "{all:?}");
    // One may have had its records in hand already when the other one was opened, and writes them again at the end.
    let left: u64 = all.iter().map(|it| it.ledger.in_flight).sum();
    assert_eq!(all.iter().map(|it| it.ledger.dropped).sum::<u64>(), 80 - left);

    let last = next.reborn();
    let _feeds = ["a", "b"].map(|host| last.feed(host));
    let delivered = |all: &[SinkStatus]| all.iter().map(|it| it.ledger.delivered).sum::<u64>();
    last.sinks.wait_until(|all| delivered(all) == left).await;
    last.stop().await;
    assert_eq!(delivered(&last.sinks.statuses()), left);
}

/// The batch that is being tried is no longer on disk when its segment had to make room.
#[tokio::test(start_paused = true)]
async fn what_made_room_while_it_was_being_tried_is_kept_at_the_end() {
    let rig = Rig::with_spool(|spool| (spool.max_bytes, spool.linger) = (1_000_000, Duration::ZERO));
    rig.puppet.fail(|| SinkError::failed("no"));
    let feed = rig.feed("a");
    push_texts(&feed, 4, 20_000);
    rig.until("the first ones are on disk", |status| status.spooled_records == 4).await;
    rig.stop().await;

    let next = rig.reborn_with(|spool| (spool.max_bytes, spool.linger) = (1_000_000, Duration::ZERO));
    next.puppet.fail(|| SinkError::failed("no"));
    let feed = next.feed("a");
    next.until("the first ones are being tried", |status| status.state == SinkState::Down).await;
    for _ in 0..100 {
        push_texts(&feed, 1, 20_000);
        sleep(Duration::from_millis(1)).await;
    }
    next.until("the oldest make room", |status| status.ledger.dropped > 40).await;
    next.stop().await;
    let ledger = next.ledger();
    assert_eq!(ledger.produced, 104);

    let last = next.reborn();
    let _feed = last.feed("a");
    last.until_settled(ledger.in_flight).await;
    assert_eq!(last.ledger().delivered, ledger.in_flight);
}

#[tokio::test(start_paused = true)]
async fn the_records_of_many_targets_that_are_away_stay_within_the_memory_and_none_is_lost() {
    const MEMORY: u64 = 2_000_000;
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let rig = Rig::with_all(|sinks| sinks.memory_bytes = MEMORY, |spool| spool.linger = 3600 * SECOND, folder);
    rig.puppet.fail(|| SinkError::failed("no"));
    let feeds: Vec<_> = (0..40).map(|number| rig.feed(&number.to_string())).collect();
    let mut most = 0;
    for _ in 0..40 {
        for feed in &feeds {
            push_texts(feed, 1, 5_000);
            most = most.max(rig.sinks.memory());
        }
        sleep(Duration::from_millis(1)).await;
        // The first ones wait for the disk to be opened.
        while rig.sinks.memory() > MEMORY as usize / 2 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    rig.sinks.wait_until(|all| all.iter().all(|status| status.state == SinkState::Down)).await;
    assert!(most > MEMORY as usize / 8 && most <= MEMORY as usize, "{most}");
    sleep(600 * SECOND).await;
    assert!(
        rig.sinks.memory() <= MEMORY as usize / 2,
        "each has its part in hand, and no more: {}",
        rig.sinks.memory()
    );
    rig.puppet.obey();
    rig.sinks.wait_until(|all| all.iter().all(|status| status.ledger.in_flight == 0)).await;
    let all = rig.sinks.statuses();
    assert!(all.iter().all(|it| it.ledger.adds_up() && it.ledger.delivered == 40 && it.ledger.dropped == 0), "{all:?}");
    assert_eq!(rig.sinks.memory(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_disk_a_target_with_much_loses_its_own_records_and_not_those_of_others() {
    let rig = Rig::without_disk(|sinks| sinks.memory_bytes = 1_000_000);
    rig.puppet.fail(|| SinkError::failed("no"));
    let (greedy, modest) = (rig.feed("greedy"), rig.feed("modest"));
    for _ in 0..100 {
        push_texts(&greedy, 2, 10_000);
        push_texts(&modest, 1, 1_000);
        sleep(Duration::from_millis(1)).await;
        assert!(rig.sinks.memory() <= 1_000_000);
    }
    let all = rig.sinks.statuses();
    assert_eq!((of(&all, "modest").ledger.dropped, of(&all, "modest").ledger.in_flight), (0, 100));
    let greedy = of(&all, "greedy").ledger;
    assert!(greedy.adds_up() && greedy.dropped > 100 && greedy.in_flight > 10, "{greedy}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_target_that_no_device_names_is_given_up_when_it_is_old() {
    let rig = Rig::new();
    rig.puppet.fail(|| SinkError::failed("no"));
    let (feed, _other) = (rig.feed("a"), rig.feed("b"));
    push(&feed, 0..10);
    rig.sinks.resume();
    rig.sinks.wait_until(|all| of(all, "a").spooled_records == 10).await;
    let (marker, spool) = (folder(&rig, "a").join("orphaned"), folder(&rig, "a"));
    sleep(Duration::from_secs(200)).await;
    assert!(!marker.exists(), "a device names it");
    drop(feed);
    sleep(Duration::from_secs(200)).await;
    let noted = marker.metadata().unwrap().modified().unwrap();
    assert!(!folder(&rig, "b").join("orphaned").exists());
    rig.stop().await;
    std::fs::File::options().write(true).open(&marker).unwrap().set_modified(noted - 6 * DAY).unwrap();

    let next = rig.reborn();
    next.puppet.fail(|| SinkError::failed("no"));
    let _other = next.feed("b");
    next.sinks.resume();
    sleep(Duration::from_secs(200)).await;
    assert_eq!(of(&next.sinks.statuses(), "a").ledger.in_flight, 10, "six days are not too old");
    next.stop().await;
    std::fs::File::options().write(true).open(&marker).unwrap().set_modified(noted - 8 * DAY).unwrap();

    let last = next.reborn();
    last.puppet.fail(|| SinkError::failed("no"));
    last.sinks.resume();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(of(&last.sinks.statuses(), "a").ledger.in_flight, 10, "nobody knows which targets are named");
    let _other = last.feed("b");
    last.sinks.wait_until(|all| all.len() == 1).await;
    // It is counted when the folder is gone, which a thread of its own sees to.
    while last.stats().spool().targets_purged() == 0 {
        advance(Duration::from_millis(1)).await;
        tokio::task::yield_now().await;
    }
    assert!(!spool.exists());
    assert_eq!((last.stats().spool().targets_purged(), last.stats().sinks().records_dropped()), (1, 10));
    let feed = last.feed("a");
    last.puppet.obey();
    push(&feed, 10..20);
    last.sinks.wait_until(|all| of(all, "a").ledger.delivered == 10).await;
    assert_eq!(last.puppet.numbers(), (10..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_named_again_in_time_is_kept() {
    let rig = Rig::new();
    rig.puppet.fail(|| SinkError::failed("no"));
    let (feed, _other) = (rig.feed("a"), rig.feed("b"));
    push(&feed, 0..10);
    rig.sinks.resume();
    drop(feed);
    let marker = folder(&rig, "a").join("orphaned");
    sleep(Duration::from_secs(200)).await;
    assert!(marker.exists());
    let _feed = rig.feed("a");
    sleep(Duration::from_secs(200)).await;
    assert!(!marker.exists());
    assert_eq!(of(&rig.sinks.statuses(), "a").ledger.in_flight, 10);
}

#[tokio::test(start_paused = true)]
async fn a_lone_suspect_does_not_keep_a_worker_for_ever() {
    let rig = Rig::with_spool(|spool| spool.orphan_age = Duration::from_nanos(1));
    rig.puppet.behave(|batch| Reaction::Answer(Ok(vec![Outcome::refused("no such column"); batch.len()])));
    let feed = rig.feed("a");
    push(&feed, 0..1);
    rig.until("it is at fault", |status| status.state == SinkState::Down).await;
    rig.sinks.resume();
    drop(feed);
    rig.sinks.wait_until(<[_]>::is_empty).await;
    assert_eq!((rig.stats().spool().targets_purged(), rig.stats().sinks().records_dropped()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_stays_of_a_target_that_is_empty_and_that_nobody_names() {
    let rig = Rig::new();
    let feed = rig.feed("a");
    push(&feed, 0..10);
    rig.until_settled(10).await;
    let spool = folder(&rig, "a");
    assert!(spool.exists());
    drop(feed);
    while spool.exists() {
        advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
    let feed = rig.feed("a");
    push(&feed, 10..20);
    rig.until_settled(10).await;
    assert!(spool.exists());
}
