//! How targets come and go, and what is left of them.

use std::{fs, time::Duration};

use tokio::time::advance;

use super::{
    super::{SinkError, SinkState},
    puppet::{Reaction, Rig, push},
};

#[tokio::test(start_paused = true)]
async fn a_stop_delivers_what_waits_and_closes_the_connection() {
    let rig = Rig::new();
    let feed = rig.feed("a");
    rig.until("it is up", |status| status.state == SinkState::Up).await;
    push(&feed, 0..1_700);
    rig.stop().await;
    assert_eq!(rig.puppet.numbers(), (0..1_700).collect::<Vec<_>>());
    assert_eq!((rig.ledger().delivered, rig.puppet.closes()), (1_700, 1));
}

#[tokio::test(start_paused = true)]
async fn what_a_stop_leaves_is_delivered_by_the_next_life_without_any_device() {
    let rig = Rig::new();
    let feed = rig.feed("a");
    rig.puppet.fail(|| SinkError::failed("no"));
    push(&feed, 0..700);
    rig.until("it is down", |status| status.state == SinkState::Down).await;
    push(&feed, 700..1_000);
    rig.stop().await;
    let ledger = rig.ledger();
    assert_eq!((ledger.in_flight, ledger.dropped), (1_000, 0), "kept on disk");
    let next = rig.reborn();
    next.sinks.resume();
    next.until_settled(1_000).await;
    assert_eq!(next.puppet.numbers(), (0..1_000).collect::<Vec<_>>());
    assert_eq!(next.stats().spool().records_recovered(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_goes_by_another_name_is_reported_and_delivered_when_it_has_its_own() {
    let rig = Rig::new();
    let feed = rig.feed("a");
    rig.puppet.fail(|| SinkError::failed("no"));
    push(&feed, 0..10);
    rig.until("it is down", |status| status.state == SinkState::Down).await;
    rig.stop().await;
    let spool = rig.folder().join("spool");
    let own = spool.join(rig.status().target.id());
    let other = spool.join("puppet-0123456789abcdef");
    std::fs::rename(&own, &other).unwrap();
    let next = rig.reborn();
    next.sinks.resume();
    assert_eq!((next.sinks.statuses().len(), next.stats().spool().failed()), (0, 1));
    next.stop().await;
    std::fs::rename(&other, &own).unwrap();
    let last = next.reborn();
    last.sinks.resume();
    last.until_settled(10).await;
    assert_eq!(last.puppet.numbers(), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn damage_that_is_found_at_the_start_is_in_the_ledger_and_the_others_are_delivered() {
    let rig = Rig::new();
    let feed = rig.feed("a");
    rig.puppet.fail(|| SinkError::failed("no"));
    push(&feed, 0..100);
    rig.stop().await;
    let mut segments = rig.segments();
    let content = segments[0].1.len();
    // The middle of some record, and the size of the first one.
    segments[0].1[content / 2] ^= 4;
    segments[0].1[25] ^= 1;
    fs::write(&segments[0].0, &segments[0].1).unwrap();
    let next = rig.reborn();
    next.sinks.resume();
    next.until_settled(100).await;
    let ledger = next.ledger();
    assert_eq!((ledger.produced, ledger.delivered, ledger.dropped), (100, 98, 2));
    let numbers = next.puppet.numbers();
    assert!(numbers.is_sorted() && numbers.len() == 98 && !numbers.contains(&0), "{numbers:?}");
    assert_eq!((next.stats().spool().segments_damaged(), next.stats().sinks().records_dropped()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_a_write_hangs_keeps_the_batch_on_disk() {
    let rig = Rig::new();
    let feed = rig.feed("a");
    rig.puppet.behave(|_| Reaction::Hang);
    push(&feed, 0..10);
    rig.stop().await;
    assert_eq!(rig.ledger().in_flight, 10);
    let next = rig.reborn();
    let feed = next.feed("a");
    push(&feed, 10..20);
    next.until_settled(20).await;
    assert_eq!(next.puppet.numbers(), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn without_a_disk_what_a_stop_leaves_is_counted_as_dropped() {
    let rig = Rig::without_disk(|_| {});
    let feed = rig.feed("a");
    rig.puppet.behave(|_| Reaction::Hang);
    push(&feed, 0..10);
    rig.stop().await;
    let ledger = rig.ledger();
    assert_eq!((ledger.dropped, ledger.in_flight), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_nobody_asks_for_any_more_is_closed_and_can_come_back() {
    let rig = Rig::new();
    let feed = rig.feed("a");
    push(&feed, 0..10);
    drop(feed);
    rig.sinks.wait_until(|all| all.first().is_some_and(|status| status.ledger.delivered == 10)).await;
    while !rig.sinks.statuses().is_empty() {
        advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
    let feed = rig.feed("a");
    push(&feed, 10..20);
    rig.until_settled(10).await;
    assert_eq!(rig.puppet.numbers(), (0..20).collect::<Vec<_>>());
    assert_eq!((rig.puppet.opens().len(), rig.puppet.closes()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_mapper_that_is_dropped_takes_its_workers_along() {
    let rig = Rig::new();
    let guard = rig.sinks.abort_guard();
    let feed = rig.feed("a");
    push(&feed, 0..10);
    rig.until_settled(10).await;
    drop(guard);
    let next = rig.reborn();
    push(&next.feed("a"), 0..10);
    next.until("its spool is free", |status| status.ledger.delivered == 10).await;
    assert_eq!(next.stats().spool().failed(), 0, "nobody else has the spool");
}

#[tokio::test(start_paused = true)]
async fn a_changed_credential_is_in_force_on_another_connection() {
    let rig = Rig::new();
    let secret = rig.folder().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("password"), "old").unwrap();
    let feed = rig.feed("a");
    push(&feed, 0..1);
    rig.until_settled(1).await;
    fs::write(secret.join("password"), "new").unwrap();
    advance(Duration::from_secs(6)).await;
    push(&feed, 1..2);
    rig.until_settled(2).await;
    let passwords: Vec<_> = rig.puppet.opens().iter().map(|it| it.password().unwrap().expose().to_owned()).collect();
    assert_eq!((passwords, rig.puppet.closes()), (vec!["old".to_owned(), "new".to_owned()], 1));
}
