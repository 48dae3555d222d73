//! Batches, and what becomes of their records.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    super::{Outcome, SinkError, SinkState},
    puppet::{Reaction, Rig, number, push, sample},
};

#[tokio::test(start_paused = true)]
async fn a_batch_goes_when_it_is_full_or_has_waited_long_enough() {
    let rig = Rig::new();
    let feed = rig.feed("a");
    rig.until("it is up", |status| status.state == SinkState::Up).await;
    push(&feed, 0..1_200);
    let began = Instant::now();
    rig.until_settled(1_200).await;
    assert_eq!(rig.puppet.sizes(), [500, 500, 200]);
    assert!(began.elapsed() < Duration::from_millis(100), "a full batch does not wait, nor what came with it");
    let began = Instant::now();
    feed.push(&sample(1_200));
    rig.until_settled(1_201).await;
    assert_eq!(began.elapsed(), Duration::from_millis(100), "a single record waits for others");
    assert_eq!(rig.puppet.numbers(), (0..=1_200).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_has_piled_up_goes_in_larger_batches_where_a_kind_likes_them() {
    let rig = Rig::new();
    rig.puppet.take_in_bulk(5_000);
    rig.puppet.refuse_to_open(3);
    let feed = rig.feed("a");
    for part in 0..4 {
        push(&feed, part * 2_000..(part + 1) * 2_000);
        rig.until("they are taken in", |status| status.ledger.produced == (part as u64 + 1) * 2_000).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    rig.until_settled(8_000).await;
    assert_eq!(rig.puppet.sizes(), [5_000, 3_000]);
    push(&feed, 8_000..8_100);
    rig.until_settled(8_100).await;
    assert_eq!(rig.puppet.sizes().last(), Some(&100), "what keeps up goes as it comes");
}

#[tokio::test(start_paused = true)]
async fn devices_with_the_same_target_share_a_connection_and_others_do_not() {
    let rig = Rig::new();
    let (one, two, other) = (rig.feed("a"), rig.feed("a"), rig.feed("b"));
    for feed in [&one, &two, &other] {
        feed.push(&sample(1));
    }
    rig.sinks.wait_until(|all| all.iter().map(|status| status.ledger.delivered).sum::<u64>() == 3).await;
    assert_eq!(rig.puppet.opens().len(), 2);
    let mut sizes = rig.puppet.sizes();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_refused_is_split_until_the_poison_stands_alone() {
    let rig = Rig::new();
    rig.puppet.behave(|batch| {
        let poisoned = batch.iter().any(|record| number(record) == 321);
        Reaction::Answer(if poisoned { Err(SinkError::rejected("no")) } else { Ok(Outcome::accepted(batch.len())) })
    });
    push(&rig.feed("a"), 0..1_000);
    rig.until_settled(1_000).await;
    let ledger = rig.ledger();
    assert_eq!((ledger.delivered, ledger.rejected, ledger.repeated), (999, 1, 0));
    assert_eq!(rig.puppet.numbers(), (0..1_000).filter(|number| *number != 321).collect::<Vec<_>>());
    assert!(rig.puppet.sizes().len() < 40, "{:?}", rig.puppet.sizes());
    assert_eq!(rig.stats().sinks().records_rejected(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_nothing_but_poison_costs_about_two_writes_a_record() {
    let rig = Rig::new();
    rig.puppet.fail(|| SinkError::rejected("no"));
    push(&rig.feed("a"), 0..500);
    rig.until_settled(500).await;
    assert_eq!(rig.ledger().rejected, 500);
    assert!(rig.puppet.sizes().len() < 1_100, "{}", rig.puppet.sizes().len());
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_each_record_is_settled_by_itself() {
    let rig = Rig::new();
    let mut attempts = 0;
    rig.puppet.behave(move |batch| {
        attempts += 1;
        let outcome = |record| match number(record) {
            3 => Outcome::rejected("never"),
            5 if attempts < 3 => Outcome::retry("later"),
            _ => Outcome::Accepted,
        };
        Reaction::Answer(Ok(batch.iter().map(outcome).collect()))
    });
    push(&rig.feed("a"), 0..8);
    rig.until_settled(8).await;
    assert_eq!(rig.puppet.numbers(), [0, 1, 2, 4, 6, 7, 5]);
    assert_eq!(rig.puppet.sizes(), [8, 1, 1]);
    let ledger = rig.ledger();
    assert_eq!((ledger.delivered, ledger.rejected, ledger.repeated), (7, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn why_a_record_comes_again_is_reported() {
    let rig = Rig::new();
    rig.puppet.behave(|batch| Reaction::Answer(Ok(vec![Outcome::retry("the table is locked"); batch.len()])));
    push(&rig.feed("a"), 0..3);
    let reason = "3 of 3 records are to be tried again: the table is locked";
    rig.until("the reason is reported", |status| status.reason.as_deref() == Some(reason)).await;
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_missing_counts_as_one_to_retry() {
    let rig = Rig::new();
    rig.puppet.behave(|_| Reaction::Answer(Ok(Outcome::accepted(1))));
    push(&rig.feed("a"), 0..3);
    rig.until_settled(3).await;
    assert_eq!(rig.ledger().delivered, 3);
}
