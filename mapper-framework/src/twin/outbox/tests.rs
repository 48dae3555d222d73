use super::*;
use crate::model::DataType;

fn device(name: &str) -> DeviceId {
    DeviceId::new("", name)
}

fn twin(name: &str, value: i64) -> TwinUpdate {
    let property = Arc::new(Property::builder(name, DataType::Int).build());
    TwinUpdate { property, value: value.into(), timestamp: SystemTime::UNIX_EPOCH, desired: Echo::default() }
}

/// An outbox, and what these tests say of it in few words.
#[derive(Default)]
struct Bench(Outbox);

impl Bench {
    fn values(&self, name: &str, twins: &[(&str, i64)]) {
        let twins: Vec<_> = twins.iter().map(|(name, value)| twin(name, *value)).collect();
        self.0.post_twins(&device(name), twins, Urgency::Ordinary);
    }

    fn settled(&self, name: &str, value: i64) {
        self.0.post_twins(&device(name), [twin("x", value)], Urgency::Urgent);
    }

    fn state(&self, name: &str, state: DeviceState, urgency: Urgency) {
        self.0.post_state(&device(name), state, urgency);
    }

    fn take(&self) -> Report {
        self.0.take().expect("something is pending")
    }

    /// The device whose turn it is, and in words what was reported of it and accepted.
    fn report(&self) -> String {
        self.reports(1).pop().expect("something is pending")
    }

    /// As many reports as there are, and at most so many.
    fn reports(&self, most: usize) -> Vec<String> {
        let report = |report: Report| {
            let words = words(&report);
            self.0.accepted(report);
            words
        };
        (0..most).map_while(|_| self.0.take().map(report)).collect()
    }

    fn is_empty(&self) -> bool {
        self.0.take().is_none() && self.0.len() == 0
    }

    /// Devices of which every twin and the state were reported, so that nothing of theirs is a first time.
    async fn known(names: &[&str]) -> Self {
        let bench = Self::default();
        for name in names {
            bench.values(name, &[("x", 0), ("y", 0)]);
            bench.state(name, DeviceState::Online, Urgency::Urgent);
        }
        while bench.0.len() > 0 {
            bench.report();
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        bench
    }
}

fn words(report: &Report) -> String {
    let content = match &report.content {
        Content::State(state) => state.to_string(),
        Content::Twins(twins) => {
            let twins: Vec<_> = twins.iter().map(|twin| format!("{}={}", twin.property.name(), twin.value)).collect();
            twins.join(" ")
        }
    };
    format!("{} {content}", report.device.name())
}

#[tokio::test(start_paused = true)]
async fn all_twins_of_a_device_go_in_one_report_with_their_latest_values() {
    let bench = Bench::known(&["a"]).await;
    bench.values("a", &[("x", 1), ("y", 1)]);
    bench.values("a", &[("x", 2)]);
    assert_eq!(bench.report(), "a x=2 y=1");
    assert!(bench.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_device_that_waits_longest_comes_first_and_waits_no_longer_for_a_newer_value() {
    let bench = Bench::known(&["a", "b", "c"]).await;
    for name in ["a", "b", "a", "c", "a"] {
        bench.values(name, &[("x", 1)]);
    }
    assert_eq!(bench.reports(9), ["a x=1", "b x=1", "c x=1"]);
}

#[tokio::test(start_paused = true)]
async fn cloudcore_loses_the_first_report_of_a_twin_and_gets_it_once_more() {
    let bench = Bench::default();
    bench.values("a", &[("x", 1), ("y", 1)]);
    bench.values("b", &[("x", 1)]);
    assert_eq!(bench.report(), "a x=1 y=1");
    bench.values("a", &[("y", 2)]);
    assert_eq!(bench.reports(9), ["b x=1", "a x=1 y=2", "b x=1"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_values_come_before_the_first_states_and_both_before_anything_is_repeated() {
    let bench = Bench::default();
    for name in ["a", "b"] {
        bench.state(name, DeviceState::Online, Urgency::Urgent);
        bench.values(name, &[("x", 1)]);
    }
    assert_eq!(bench.reports(4), ["a x=1", "b x=1", "a online", "b online"]);
    assert_eq!(bench.reports(9), ["a x=1", "b x=1"]);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_comes_later_is_not_kept_waiting_for_its_first_values() {
    let bench = Bench::known(&["a", "b"]).await;
    bench.values("a", &[("x", 1)]);
    bench.values("b", &[("x", 1)]);
    bench.values("c", &[("x", 1)]);
    assert_eq!(bench.report(), "c x=1");
}

#[tokio::test(start_paused = true)]
async fn a_changed_state_and_a_settled_desired_value_go_ahead_once_in_a_round() {
    let bench = Bench::known(&["a", "b", "c", "d"]).await;
    for name in ["a", "b", "c"] {
        bench.values(name, &[("x", 1)]);
    }
    bench.state("d", DeviceState::Disconnected, Urgency::Urgent);
    assert_eq!(bench.report(), "d disconnected");
    bench.settled("c", 2);
    assert_eq!(bench.report(), "c x=2");
    // Both have had their exception: whoever waited then comes first.
    bench.state("d", DeviceState::Online, Urgency::Urgent);
    bench.settled("c", 3);
    assert_eq!(bench.reports(9), ["a x=1", "b x=1", "d online", "c x=3"]);
    tokio::time::advance(Duration::from_secs(1)).await;
    bench.values("a", &[("x", 4)]);
    bench.state("d", DeviceState::Disconnected, Urgency::Urgent);
    assert_eq!(bench.report(), "d disconnected", "in the next round again");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_state_waits_its_turn_and_a_changed_one_stays_ahead_when_it_is_repeated() {
    let bench = Bench::known(&["a", "b"]).await;
    bench.values("b", &[("x", 1)]);
    bench.state("a", DeviceState::Online, Urgency::Ordinary);
    assert_eq!(bench.reports(9), ["b x=1", "a online"]);
    bench.values("b", &[("x", 2)]);
    bench.state("a", DeviceState::Disconnected, Urgency::Urgent);
    bench.state("a", DeviceState::Disconnected, Urgency::Ordinary);
    assert_eq!(bench.reports(9), ["a disconnected", "b x=2"]);
}

#[tokio::test(start_paused = true)]
async fn a_device_whose_state_changes_all_the_time_takes_one_call_ahead_of_each_round() {
    let bench = Bench::known(&["flapper", "a", "b"]).await;
    let mut served = Vec::new();
    for round in 0..30 {
        let state = if round % 2 == 0 { DeviceState::Disconnected } else { DeviceState::Online };
        bench.state("flapper", state, Urgency::Urgent);
        bench.values("a", &[("x", round)]);
        bench.values("b", &[("x", round)]);
        served.push(bench.report());
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let count = |name: &str| served.iter().filter(|served| served.starts_with(name)).count();
    assert_eq!((count("flapper"), count("a"), count("b")), (10, 10, 10), "{served:?}");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_comes_back_keeps_its_turn_and_yields_to_newer_values() {
    let bench = Bench::known(&["a", "b"]).await;
    bench.values("a", &[("x", 1), ("y", 1)]);
    bench.values("b", &[("x", 1)]);
    for _ in 0..3 {
        let report = bench.take();
        assert_eq!(report.device.name(), "a");
        bench.values("a", &[("x", 2)]);
        assert_eq!(bench.0.len(), 2);
        bench.0.put_back(report);
    }
    assert_eq!(bench.reports(9), ["a x=2 y=1", "b x=1"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_device_is_taken_while_a_report_of_it_is_under_way() {
    let bench = Bench::known(&["a"]).await;
    bench.values("a", &[("x", 1)]);
    let report = bench.take();
    bench.values("a", &[("x", 2)]);
    bench.state("a", DeviceState::Disconnected, Urgency::Urgent);
    assert!(bench.0.take().is_none(), "an old report that came back would overtake a new one");
    bench.0.accepted(report);
    assert_eq!(bench.reports(9), ["a disconnected", "a x=2"]);
}

#[tokio::test(start_paused = true)]
async fn what_an_older_value_may_have_overwritten_is_reported_once_more() {
    let bench = Bench::known(&["a"]).await;
    let doubt = |names: &[&str]| bench.0.doubt(&device("a"), names.iter().copied());
    bench.values("a", &[("x", 1), ("y", 1)]);
    assert_eq!(bench.report(), "a x=1 y=1");
    doubt(&["x", "z"]);
    assert_eq!(bench.reports(9), ["a x=1"], "what was never accepted has no value");

    bench.values("a", &[("x", 2)]);
    doubt(&["x"]);
    assert_eq!(bench.reports(9), ["a x=2"], "what waits is newer");

    bench.values("a", &[("x", 3)]);
    let report = bench.take();
    doubt(&["x"]);
    bench.0.accepted(report);
    assert_eq!(bench.reports(9), ["a x=3"], "nobody knows which was stored last");
    bench.0.doubt(&device("nobody"), ["x"].into_iter());
    assert!(bench.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_device_rests_twice_as_long_each_time_and_keeps_its_latest_value() {
    let bench = Bench::known(&["a", "b"]).await;
    bench.values("a", &[("x", 0)]);
    let mut pauses = Vec::new();
    for round in 1..=11 {
        bench.0.filled().await;
        pauses.push(bench.0.refused(bench.take()).as_secs());
        bench.values("a", &[("x", i64::from(round))]);
        bench.values("b", &[("x", 1)]);
        assert_eq!(bench.reports(9), ["b x=1"], "the others go on");
        assert_eq!(bench.0.len(), 1, "nothing is lost");
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    bench.0.filled().await;
    assert_eq!(bench.report(), "a x=11");
    bench.values("a", &[("x", 12)]);
    assert_eq!(bench.0.refused(bench.take()), Duration::from_secs(1), "what was accepted ends the row");
}

#[tokio::test(start_paused = true)]
async fn many_twins_are_split_into_calls_that_edgecore_can_take_and_the_others_come_between() {
    let bench = Bench::known(&["b"]).await;
    let twins = (0..5000).map(|n| twin(&format!("p{n:04}"), n));
    bench.0.post_twins(&device("a"), twins, Urgency::Urgent);
    bench.values("b", &[("x", 1)]);
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let report = bench.take();
        sizes.push(match &report.content {
            Content::Twins(twins) => twins.len(),
            Content::State(_) => 0,
        });
        bench.0.accepted(report);
    }
    assert_eq!(sizes, [2000, 1, 2000, 2000]);
}

#[tokio::test(start_paused = true)]
async fn twins_beyond_what_a_call_carries_have_their_turn_though_the_others_come_anew() {
    let bench = Bench::default();
    let mut reported = HashSet::new();
    for _ in 0..3 {
        bench.0.post_twins(&device("a"), (0..5000).map(|n| twin(&format!("p{n:04}"), n)), Urgency::Ordinary);
        let report = bench.take();
        reported.extend(report.content.names());
        bench.0.accepted(report);
    }
    assert_eq!(reported.len(), 5000);
}

#[tokio::test(start_paused = true)]
async fn a_changed_state_goes_ahead_though_a_repeated_one_waits_already() {
    let bench = Bench::known(&["a", "b", "c"]).await;
    bench.state("a", DeviceState::Online, Urgency::Ordinary);
    bench.values("a", &[("x", 1)]);
    for name in ["b", "c"] {
        bench.values(name, &[("x", 1)]);
    }
    tokio::time::advance(Duration::from_secs(60)).await;
    bench.state("a", DeviceState::Disconnected, Urgency::Urgent);
    assert_eq!(bench.report(), "a disconnected");
    bench.values("a", &[("x", 2)]);
    bench.state("a", DeviceState::Online, Urgency::Urgent);
    assert_eq!(bench.reports(2), ["b x=1", "c x=1"], "it has had its exception");
}

#[tokio::test(start_paused = true)]
async fn a_report_in_which_there_was_nothing_to_send_was_no_turn() {
    let bench = Bench::known(&["b"]).await;
    bench.values("a", &[("x", 1)]);
    bench.0.spare(bench.take());
    bench.values("b", &[("x", 1)]);
    bench.values("a", &[("x", 2)]);
    assert_eq!(bench.report(), "a x=2", "these are its first values");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_never_runs_empty_lets_the_others_have_their_turn() {
    let bench = Bench::known(&["a", "b"]).await;
    let refill = || bench.0.post_twins(&device("a"), (0..5000).map(|n| twin(&format!("p{n}"), n)), Urgency::Urgent);
    refill();
    bench.values("b", &[("x", 1)]);
    bench.report();
    refill();
    bench.state("a", DeviceState::Disconnected, Urgency::Urgent);
    assert_eq!(bench.report(), "b x=1");
}

#[tokio::test(start_paused = true)]
async fn all_states_go_before_all_twins_where_the_calls_are_not_enough() {
    let bench = Bench::known(&["a", "b", "c", "d"]).await;
    bench.settled("c", 1);
    for name in ["a", "b"] {
        bench.values(name, &[("x", 1)]);
        bench.state(name, DeviceState::Offline, Urgency::Ordinary);
    }
    bench.0.prefer_states(4);
    assert_eq!(bench.reports(2), ["a offline", "b offline"]);
    let report = bench.take();
    bench.state("d", DeviceState::Offline, Urgency::Ordinary);
    bench.0.put_back(report);
    assert_eq!(bench.report(), "d offline", "even twins that come back wait");
    assert_eq!(bench.0.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_last_values_still_go_before_the_last_state_where_the_calls_are_enough() {
    let bench = Bench::known(&["a"]).await;
    bench.values("a", &[("x", 1)]);
    bench.state("a", DeviceState::Offline, Urgency::Ordinary);
    bench.0.prefer_states(2);
    assert_eq!(bench.reports(9), ["a x=1", "a offline"]);
}

#[tokio::test(start_paused = true)]
async fn several_posts_and_a_wait_that_is_given_up_lose_no_wake_up() {
    let bench = Bench::default();
    // One wait is given up in the moment in which it is woken.
    let mut given_up = Box::pin(bench.0.filled());
    assert!(futures_util::poll!(&mut given_up).is_pending());
    bench.values("a", &[("x", 1)]);
    bench.values("b", &[("x", 1)]);
    drop(given_up);
    bench.0.filled().await;
    bench.reports(9);
    let (mut one, mut other) = (Box::pin(bench.0.filled()), Box::pin(bench.0.filled()));
    assert!(futures_util::poll!(&mut one).is_pending() && futures_util::poll!(&mut other).is_pending());
    bench.values("a", &[("x", 1)]);
    drop(one);
    other.await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_forgotten_device() {
    let bench = Bench::default();
    bench.values("a", &[("x", 1)]);
    bench.0.forget(&device("a"));
    assert!(bench.is_empty());
    bench.values("a", &[("x", 1)]);
    bench.0.refused(bench.take());
    bench.0.forget(&device("a"));
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(bench.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_twin_that_is_dropped_is_not_reported_even_if_its_report_comes_back_or_was_the_first() {
    let bench = Bench::default();
    bench.values("a", &[("x", 1), ("y", 1)]);
    let report = bench.take();
    bench.values("a", &[("z", 1)]);
    bench.0.retain(&device("a"), |name| name == "x");
    bench.0.put_back(report);
    let report = bench.take();
    assert_eq!(words(&report), "a x=1");
    bench.0.retain(&device("a"), |_| false);
    bench.0.accepted(report);
    assert!(bench.is_empty());

    bench.values("a", &[("x", 1), ("y", 1)]);
    bench.0.retain(&device("a"), |_| false);
    assert!(bench.is_empty());

    bench.values("a", &[("x", 1)]);
    let report = bench.take();
    bench.0.forget(&device("a"));
    bench.0.refused(report);
    assert!(bench.is_empty(), "the device is gone");
}
