use std::{collections::VecDeque, sync::Arc, thread};

use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;

use super::*;
use crate::model::{DeviceId, DeviceState};

fn hub() -> Arc<Hub> {
    Arc::default()
}

fn device(number: usize) -> DeviceId {
    DeviceId::new("", &format!("d{number}"))
}

fn added(number: usize) -> What {
    What::DeviceAdded { device: device(number) }
}

fn state(number: usize) -> What {
    What::State { device: device(number), state: DeviceState::Online, reason: None }
}

/// The next event, if there is one now; `Some(None)` at the end.
fn fetch(events: &mut Events) -> Option<Option<Event>> {
    events.next().now_or_never()
}

/// All that is there now.
fn fetch_all(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| fetch(events).flatten()).collect()
}

fn missed(event: &Event) -> Option<u64> {
    match event.what() {
        What::Missed { events } => Some(*events),
        _ => None,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish { device: usize, is_state: bool },
    Fetch { watch: usize },
    FetchAll { watch: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, any::<bool>()).prop_map(|(device, is_state)| Step::Publish { device, is_state }),
        2 => (0..3_usize).prop_map(|watch| Step::Fetch { watch }),
        1 => (0..3_usize).prop_map(|watch| Step::FetchAll { watch }),
    ]
}

proptest! {
    /// Each watch against a queue that never loses anything: what it gets is what was published, in order, but for gaps of exactly the
    /// announced size.
    #[test]
    fn a_watch_misses_nothing_that_it_does_not_announce(
        steps in prop::collection::vec(step(), 0..400),
        capacity in 1..8_usize,
    ) {
        let hub = hub();
        let filters = [Filter::all(), Filter::all().kinds([Kind::State]), Filter::all().device(device(1))];
        let mut watches = filters.map(|filter| {
            let events = hub.bounded_watch(filter.clone(), capacity);
            (filter, events, VecDeque::<u64>::new())
        });
        let mut sequence = 0;
        for step in steps {
            let (watch, most) = match step {
                Step::Publish { device, is_state } => {
                    sequence += 1;
                    let what = if is_state { state(device) } else { added(device) };
                    for (filter, _, expected) in &mut watches {
                        if filter.takes(&what) {
                            expected.push_back(sequence);
                        }
                    }
                    hub.publish(what);
                    continue;
                }
                Step::Fetch { watch } => (watch, 1),
                Step::FetchAll { watch } => (watch, usize::MAX),
            };
            let (_, events, expected) = &mut watches[watch];
            for event in std::iter::from_fn(|| fetch(events).flatten()).take(most) {
                let gap = missed(&event).unwrap_or(1) as usize;
                prop_assert!(gap >= 1 && gap <= expected.len());
                let last = expected.drain(..gap).next_back();
                prop_assert_eq!(last, Some(event.sequence()));
            }
            prop_assert!(most == 1 || expected.is_empty(), "all was fetched, or announced as missed");
        }
    }
}

#[test]
fn threads_that_publish_and_one_that_reads_slowly_see_one_order() {
    let hub = hub();
    let mut events = hub.bounded_watch(Filter::all(), 16);
    let producers: Vec<_> = (0..4)
        .map(|number| {
            let hub = Arc::clone(&hub);
            thread::spawn(move || (0..5_000).for_each(|_| hub.publish(added(number))))
        })
        .collect();
    let mut last = 0;
    let mut follow = |event: &Event| {
        last += missed(event).unwrap_or(1);
        assert_eq!(event.sequence(), last);
    };
    while producers.iter().any(|producer| !producer.is_finished()) {
        if let Some(event) = fetch(&mut events).flatten() {
            follow(&event);
        }
    }
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    for event in fetch_all(&mut events) {
        follow(&event);
    }
    assert_eq!(last, 20_000);
}

#[test]
fn a_leaked_watch_holds_no_more_than_its_capacity() {
    let hub = hub();
    let ring = hub.bounded_watch(Filter::all(), 10);
    let marker = Arc::<str>::from("p");
    let twin = || What::TwinStored { device: device(1), property: Arc::clone(&marker), value: String::new() };
    let leaked = std::mem::ManuallyDrop::new(ring);
    for _ in 0..10_000 {
        hub.publish(twin());
    }
    assert_eq!(Arc::strong_count(&marker), 1 + 10, "the others are freed");
    assert!(hub.wants(Kind::Twin));
    drop(std::mem::ManuallyDrop::into_inner(leaked));
    assert_eq!(Arc::strong_count(&marker), 1);
}

#[test]
fn only_what_somebody_watches_is_wanted_and_a_watch_that_is_dropped_wants_nothing() {
    let hub = hub();
    assert!(!hub.wants(Kind::Sample));
    let samples = hub.watch(Filter::all().kinds([Kind::Sample]));
    let states = hub.watch(Filter::all().kinds([Kind::State]));
    assert!(hub.wants(Kind::Sample) && hub.wants(Kind::State) && !hub.wants(Kind::Twin));
    drop(samples);
    assert!(!hub.wants(Kind::Sample) && hub.wants(Kind::State));
    drop(states);
    assert!(!hub.wants(Kind::State));
}

#[test]
fn a_filter_takes_what_all_its_parts_take() {
    let sink = What::SinkUp { target: "redis".to_owned() };
    let twin = What::TwinStored { device: device(1), property: "p".into(), value: "1".to_owned() };
    assert!(Filter::all().takes(&sink) && Filter::default().takes(&twin));
    let one = Filter::all().device(device(1));
    assert!(one.takes(&twin) && one.takes(&added(1)) && !one.takes(&added(2)) && !one.takes(&sink));
    let two = one.device(device(2));
    assert!(two.takes(&added(1)) && two.takes(&added(2)) && !two.takes(&added(3)));
    let property = Filter::all().property("p");
    assert!(property.takes(&twin) && !property.takes(&added(1)) && !Filter::all().property("q").takes(&twin));
    assert!(!Filter::all().kinds([]).takes(&twin));
    assert!(Filter::all().kinds([]).takes(&What::Missed { events: 1 }));
}

#[tokio::test]
async fn a_watch_wakes_up_for_an_event_and_ends_with_the_mapper() {
    let hub = hub();
    let mut events = hub.watch(Filter::all());
    let waiting = tokio::spawn(async move { (events.next().await, events.next().await, events.next().await) });
    tokio::task::yield_now().await;
    hub.publish(added(1));
    hub.publish(added(2));
    hub.close();
    let (first, second, end) = waiting.await.unwrap();
    assert_eq!((first.unwrap().sequence(), second.unwrap().sequence()), (1, 2));
    assert!(end.is_none());
    assert_eq!(fetch(&mut hub.watch(Filter::all())).map(|event| event.is_none()), Some(true), "it came too late");
}
