//! Targets that refuse, and do not say whether a record or they are at fault.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{
    super::{Outcome, Record, SinkError, SinkState},
    puppet::{Reaction, Rig, number, push, sample},
};

/// How a target refuses what it does not like.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// The whole batch, for one record in it.
    Whole,
    /// Each record by itself.
    Each,
}

const WAYS: [Way; 2] = [Way::Whole, Way::Each];

fn answer(way: Way, batch: &[Record], is_refused: impl Fn(&Record) -> bool) -> Reaction {
    Reaction::Answer(match way {
        Way::Whole if batch.iter().any(&is_refused) => Err(SinkError::refused("bad request")),
        Way::Whole => Ok(Outcome::accepted(batch.len())),
        Way::Each => {
            let outcome = |record| if is_refused(record) { Outcome::refused("no right") } else { Outcome::Accepted };
            Ok(batch.iter().map(outcome).collect())
        }
    })
}

/// Holds two long lists against each other, and shows where they differ first.
fn assert_same(arrived: &[i64], sent: &[i64], at: &str) {
    let differ = arrived.iter().zip(sent).position(|(arrived, sent)| arrived != sent);
    assert_eq!((arrived.len(), differ), (sent.len(), None), "{at}");
}

fn all_but(numbers: std::ops::Range<i64>, poison: &[i64]) -> Vec<i64> {
    numbers.filter(|number| !poison.contains(number)).collect()
}

#[tokio::test(start_paused = true)]
async fn poison_among_good_records_costs_itself() {
    for way in WAYS {
        for poison in [vec![321], vec![0], vec![999], vec![0, 1, 2, 500, 501, 998]] {
            let (rig, bad) = (Rig::new(), poison.clone());
            rig.puppet.behave(move |batch| answer(way, batch, |record| bad.contains(&number(record))));
            let feed = rig.feed("a");
            push(&feed, 0..1_000);
            let began = Instant::now();
            rig.until("all but suspects", |status| status.ledger.delivered >= 1_000 - poison.len() as u64).await;
            assert!(began.elapsed() < Duration::from_secs(1), "{way:?} {poison:?}: {:?}", began.elapsed());
            // What was refused last has no later record yet that would be accepted.
            push(&feed, 1_000..1_001);
            rig.until("one more", |status| status.ledger.delivered > 1_000 - poison.len() as u64).await;
            push(&feed, 1_001..1_002);
            rig.until_settled(1_002).await;
            assert_eq!(rig.ledger().rejected, poison.len() as u64, "{way:?} {poison:?}");
            assert_same(&rig.puppet.numbers(), &all_but(0..1_002, &poison), &format!("{way:?} {poison:?}"));
            let requests = rig.puppet.sizes().len();
            assert!(requests < 20 + 30 * poison.len(), "{way:?} {poison:?}: {requests}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_alike_waits_until_the_target_is_put_right() {
    for way in WAYS {
        let rig = Rig::new();
        rig.puppet.behave(move |batch| answer(way, batch, |_| true));
        let feed = rig.feed("a");
        for second in 0..30 {
            push(&feed, second * 1_000..(second + 1) * 1_000);
            sleep(Duration::from_secs(1)).await;
        }
        let status = rig.status();
        assert_eq!(status.state, SinkState::Down);
        let reason = status.reason.unwrap();
        assert!(reason.starts_with("it refuses all that it is given") && reason.contains("no"), "{reason}");
        assert_eq!((status.ledger.rejected, status.ledger.in_flight), (0, 30_000), "{way:?}");
        let requests = rig.puppet.sizes().len();
        assert!(requests < 250, "a pause follows each search: {requests} requests");
        rig.puppet.obey();
        rig.until_settled(30_000).await;
        assert_same(&rig.puppet.numbers(), &all_but(0..30_000, &[]), &format!("{way:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn poison_that_fills_the_front_of_a_fresh_target_is_found_in_the_end() {
    for way in WAYS {
        let rig = Rig::new();
        rig.puppet.behave(move |batch| answer(way, batch, |record| number(record) < 100));
        let feed = rig.feed("a");
        push(&feed, 0..500);
        let began = Instant::now();
        rig.until("the good ones", |status| status.ledger.delivered == 400).await;
        assert!(began.elapsed() < Duration::from_secs(1_800), "{way:?}: {:?}", began.elapsed());
        push(&feed, 500..501);
        rig.until_settled(501).await;
        assert_eq!((rig.ledger().rejected, rig.ledger().delivered), (100, 401), "{way:?}");
        assert_same(&rig.puppet.numbers(), &all_but(100..501, &[]), &format!("{way:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn poison_that_comes_alone_waits_for_others_to_be_accepted() {
    for way in WAYS {
        let rig = Rig::new();
        rig.puppet.behave(move |batch| answer(way, batch, |record| number(record) == 0));
        let feed = rig.feed("a");
        feed.push(&sample(0));
        sleep(Duration::from_secs(120)).await;
        assert_eq!((rig.status().state, rig.ledger().in_flight), (SinkState::Down, 1), "nothing else was accepted");
        for number in 1..4 {
            feed.push(&sample(number));
            rig.until("it is accepted", |status| status.ledger.delivered == number.unsigned_abs()).await;
        }
        rig.until_settled(4).await;
        assert_eq!((rig.ledger().rejected, rig.puppet.numbers()), (1, vec![1, 2, 3]), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_single_change_of_the_target_costs_a_record_in_whatever_moment() {
    for way in WAYS {
        for change in 0..60 {
            for wrong_first in [false, true] {
                let rig = Rig::new();
                let (requests, mended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
                let (count, is_mended) = (Arc::clone(&requests), Arc::clone(&mended));
                rig.puppet.behave(move |batch| {
                    let changed = count.fetch_add(1, Relaxed) >= change;
                    let is_wrong = changed != wrong_first && !is_mended.load(Relaxed);
                    answer(way, batch, |_| is_wrong)
                });
                let feed = rig.feed("a");
                for part in 0..40 {
                    push(&feed, part * 50..(part + 1) * 50);
                    sleep(Duration::from_millis(300)).await;
                }
                if !wrong_first {
                    mended.store(true, Relaxed);
                }
                rig.until("nothing is on its way", |status| status.ledger.in_flight == 0).await;
                let at = format!("{way:?} {change} {wrong_first}");
                assert_eq!((rig.ledger().rejected, rig.ledger().delivered), (0, 2_000), "{at}");
                // What is refused while the target is put right may be overtaken by the next attempt, and by no other.
                let mut arrived = rig.puppet.numbers();
                let turns = arrived.windows(2).filter(|pair| pair[0] > pair[1]).count();
                assert!(turns <= 1, "{at}: {turns} times out of order");
                arrived.sort_unstable();
                assert_same(&arrived, &all_but(0..2_000, &[]), &at);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_batch_that_is_refused_after_the_target_has_gone_wrong_is_kept() {
    let rig = Rig::new();
    let wrong = Arc::new(AtomicBool::new(true));
    let is_wrong = Arc::clone(&wrong);
    rig.puppet.behave(move |batch| {
        // It goes wrong in the middle of the first batch.
        answer(Way::Each, batch, |record| number(record) >= 50 && is_wrong.load(Relaxed))
    });
    let feed = rig.feed("a");
    push(&feed, 0..100);
    rig.until("it is down", |status| status.state == SinkState::Down).await;
    assert_eq!((rig.ledger().delivered, rig.ledger().in_flight), (50, 50));
    wrong.store(false, Relaxed);
    rig.until_settled(100).await;
    assert_eq!(rig.ledger().rejected, 0);
    assert_same(&rig.puppet.numbers(), &all_but(0..100, &[]), "what was refused comes later");
}

#[tokio::test(start_paused = true)]
async fn a_stop_keeps_what_is_suspected() {
    for way in WAYS {
        let rig = Rig::new();
        rig.puppet.behave(move |batch| answer(way, batch, |record| number(record) % 10 == 0));
        let feed = rig.feed("a");
        push(&feed, 0..11);
        rig.until("the good ones", |status| status.ledger.delivered == 9).await;
        rig.stop().await;
        let ledger = rig.ledger();
        assert_eq!(ledger.rejected + ledger.in_flight, 2, "{way:?}: {ledger}");
        let kept = ledger.in_flight;
        assert!(kept > 0, "{way:?}: the last one has no later record that was accepted");
        let next = rig.reborn();
        let feed = next.feed("a");
        next.until("they are delivered", |status| status.ledger.delivered == kept).await;
        drop(feed);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_knows_to_be_misconfigured_is_not_split() {
    let rig = Rig::new();
    rig.puppet.fail(|| SinkError::misconfigured("no such user"));
    push(&rig.feed("a"), 0..500);
    rig.until("it is down", |status| status.state == SinkState::Down).await;
    sleep(Duration::from_secs(60)).await;
    assert!(rig.puppet.sizes().iter().all(|size| *size == 500), "{:?}", rig.puppet.sizes());
    assert!(rig.puppet.opens().len() > 3, "each attempt is made on another connection");
    assert_eq!(rig.ledger().in_flight, 500);
    rig.puppet.obey();
    rig.until_settled(500).await;
    assert_eq!(rig.ledger().delivered, 500);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_costs_the_connection_each_time_costs_no_other() {
    let rig = Rig::new();
    // As a broker that closes the connection over a message that is too large.
    rig.puppet.behave(|batch| {
        let poison = batch.iter().position(|record| number(record) == 3);
        Reaction::Answer(Ok((0..batch.len())
            .map(|index| match poison {
                Some(poison) if index == poison => Outcome::refused("too large"),
                Some(poison) if index > poison => Outcome::retry("the connection is lost"),
                _ => Outcome::Accepted,
            })
            .collect()))
    });
    let feed = rig.feed("a");
    push(&feed, 0..10);
    rig.until("the others", |status| status.ledger.delivered == 9).await;
    for more in 10..13 {
        feed.push(&sample(more));
        rig.until("it arrives", |status| status.ledger.delivered == more.unsigned_abs()).await;
    }
    rig.until_settled(13).await;
    assert_eq!((rig.ledger().rejected, rig.puppet.numbers()), (1, all_but(0..13, &[3])));
}

#[tokio::test(start_paused = true)]
async fn what_lies_on_disk_is_acknowledged_though_each_batch_brings_poison() {
    let rig = Rig::new();
    rig.puppet.refuse_to_open(6);
    let feed = rig.feed("a");
    for part in 0..10 {
        push(&feed, part * 1_000..(part + 1) * 1_000);
        rig.until("they are taken in", |status| status.ledger.produced == (part.unsigned_abs() + 1) * 1_000).await;
        sleep(Duration::from_millis(10)).await;
    }
    rig.puppet.behave(|batch| answer(Way::Each, batch, |record| number(record) % 250 == 100));
    rig.until("a part is delivered", |status| status.ledger.delivered >= 2_000).await;
    let status = rig.status();
    assert!(status.spooled_records < 9_500, "what is done with is let go of: {status}, {}", status.spooled_records);
    push(&feed, 10_000..10_050);
    rig.until_settled(10_050).await;
    assert_eq!((rig.ledger().rejected, rig.status().spooled_records), (40, 0));
}

#[tokio::test(start_paused = true)]
async fn suspects_are_tried_once_more_in_batches_of_the_usual_size() {
    let rig = Rig::new();
    rig.puppet.take_in_bulk(5_000);
    rig.puppet.refuse_to_open(3);
    let mut writes = 0;
    rig.puppet.behave(move |batch| {
        writes += 1;
        let outcome = |index| match writes {
            1 if index + 1 < batch.len() => Outcome::refused("no"),
            _ => Outcome::Accepted,
        };
        Reaction::Answer(Ok((0..batch.len()).map(outcome).collect()))
    });
    push(&rig.feed("a"), 0..3_000);
    rig.until_settled(3_000).await;
    assert_eq!(rig.puppet.sizes(), [3_000, 500, 500, 500, 500, 500, 499]);
    assert_eq!(rig.ledger().delivered, 3_000);
}
