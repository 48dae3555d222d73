use std::sync::Arc;

use proptest::{prelude::*, strategy::Strategy as _};

use super::*;
use crate::model::{DataType, DeviceId, Property, Strategy};

const SECOND: Duration = Duration::from_secs(1);

fn on_change() -> ReportRules {
    ReportRules { strategy: Strategy::OnChange, ..ReportRules::default() }
}

fn door(error_bound: f64) -> ReportRules {
    ReportRules { strategy: Strategy::SwingingDoor, error_bound, ..ReportRules::default() }
}

/// A consumer of one property that offers a sample each second.
struct Rig {
    thinner: Thinner,
    begin: Instant,
    property: Arc<Property>,
    offered: Vec<(f64, f64)>,
    /// The times in seconds and the values of what went.
    got: Vec<(f64, f64)>,
    thinned: u64,
}

impl Rig {
    fn new(thinner: Thinner) -> Self {
        let property = Arc::new(Property::builder("level", DataType::Double).build());
        Self { thinner, begin: Instant::now(), property, offered: Vec::new(), got: Vec::new(), thinned: 0 }
    }

    fn sample(&self, second: f64, value: f64) -> Sample {
        let timestamp = UNIX_EPOCH + Duration::from_secs(1_700_000_000) + Duration::from_secs_f64(second);
        let (device, property) = (DeviceId::new("", "a"), Arc::clone(&self.property));
        Sample { device, property, value: Value::Double(value), timestamp, quality: Quality::Good }
    }

    fn offer(&mut self, second: f64, value: f64) -> &mut Self {
        self.offer_sample(second, &self.sample(second, value))
    }

    fn offer_sample(&mut self, second: f64, sample: &Sample) -> &mut Self {
        self.offered.push((second, sample.value.as_f64().unwrap()));
        let passed = self.thinner.offer(sample, self.begin + Duration::from_secs_f64(second));
        let went = passed.earlier.iter().chain(passed.itself.then_some(sample));
        self.got.extend(went.map(point));
        self.thinned += self.thinner.take_thinned();
        self
    }

    fn offer_all(&mut self, values: &[f64]) -> &mut Self {
        for value in values {
            self.offer(self.offered.len() as f64, *value);
        }
        self
    }

    fn release(&mut self, second: f64) -> &mut Self {
        self.got.extend(self.thinner.release(self.begin + Duration::from_secs_f64(second)).as_ref().map(point));
        self
    }

    fn break_off(&mut self, second: f64) -> &mut Self {
        self.got.extend(self.thinner.break_off(self.begin + Duration::from_secs_f64(second)).as_ref().map(point));
        self.thinned += self.thinner.take_thinned();
        self
    }

    fn due(&self) -> Option<f64> {
        self.thinner.due().map(|due| (due - self.begin).as_secs_f64())
    }

    fn values(&self) -> Vec<f64> {
        self.got.iter().map(|(_, value)| *value).collect()
    }
}

fn point(sample: &Sample) -> (f64, f64) {
    let since = sample.timestamp.duration_since(UNIX_EPOCH).unwrap() - Duration::from_secs(1_700_000_000);
    (since.as_millis() as f64 / 1_000.0, sample.value.as_f64().unwrap())
}

/// What somebody reads at a time who draws lines between what the consumer got.
fn drawn(got: &[(f64, f64)], time: f64) -> f64 {
    let after = got.iter().position(|(at, _)| *at >= time).unwrap_or(got.len() - 1);
    let ((t1, v1), (t0, v0)) = (got[after], got[after.saturating_sub(1)]);
    if t1 <= t0 { v1 } else { v0 + (v1 - v0) * (time - t0) / (t1 - t0) }
}

#[test]
fn a_twin_on_change_gets_what_differs() {
    let mut rig = Rig::new(Thinner::of_twin(on_change()));
    rig.offer_all(&[1.0, 1.0, 1.0, 2.0, 2.0, 1.0]);
    assert_eq!((rig.got.clone(), rig.thinned), (vec![(0.0, 1.0), (3.0, 2.0), (5.0, 1.0)], 3));
}

#[test]
fn small_steps_add_up_to_a_change() {
    let mut rig = Rig::new(Thinner::of_twin(ReportRules { deadband: 1.0, ..on_change() }));
    rig.offer_all(&[0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4]);
    assert_eq!(rig.values(), [0.0, 1.2, 2.4]);
}

#[test]
fn what_has_not_changed_goes_after_the_longest_silence() {
    let rules = ReportRules { max_silence: Some(3 * SECOND), ..on_change() };
    let mut rig = Rig::new(Thinner::of_twin(rules));
    rig.offer_all(&[1.0; 8]);
    assert_eq!(rig.got, [(0.0, 1.0), (3.0, 1.0), (6.0, 1.0)]);
    // Nothing more is offered: what is held goes by the clock.
    assert_eq!(rig.due(), Some(9.0));
    rig.release(8.9);
    assert_eq!(rig.got.len(), 3);
    rig.release(9.0);
    assert_eq!((rig.got.last(), rig.due()), (Some(&(7.0, 1.0)), None));
}

#[test]
fn a_change_waits_for_the_least_interval_and_is_not_lost() {
    let rules = ReportRules { min_interval: 5 * SECOND, ..on_change() };
    let mut rig = Rig::new(Thinner::of_twin(rules.clone()));
    rig.offer_all(&[0.0, 1.0, 2.0, 3.0]);
    assert_eq!((rig.values(), rig.due()), (vec![0.0], Some(5.0)));
    rig.release(5.0);
    assert_eq!((rig.got.clone(), rig.due(), rig.thinned), (vec![(0.0, 0.0), (3.0, 3.0)], None, 2));
    // One that has come back to what the consumer has is no change any more.
    let mut rig = Rig::new(Thinner::of_twin(rules));
    rig.offer_all(&[0.0, 1.0, 0.0]);
    assert_eq!((rig.values(), rig.due()), (vec![0.0], None));
}

#[test]
fn always_with_a_least_interval_sends_the_last_of_each() {
    let mut rig = Rig::new(Thinner::of_sink(ReportRules { min_interval: 3 * SECOND, ..ReportRules::default() }));
    rig.offer_all(&[0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!((rig.values(), rig.due()), (vec![0.0, 3.0], Some(6.0)));
    rig.release(6.0);
    assert_eq!(rig.values(), [0.0, 3.0, 4.0]);
}

#[test]
fn another_quality_goes_whatever_the_strategy() {
    for rules in [ReportRules { min_interval: 60 * SECOND, deadband: 5.0, ..on_change() }, door(5.0)] {
        let mut rig = Rig::new(Thinner::of_sink(rules));
        rig.offer_all(&[1.0, 1.0]);
        let bad = Sample { quality: Quality::Bad, ..rig.sample(2.0, 1.0) };
        rig.offer_sample(2.0, &bad).offer(3.0, 1.0);
        assert_eq!(rig.got.last_chunk(), Some(&[(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)]));
    }
}

#[test]
fn a_sink_gets_the_end_of_a_plateau_before_the_step_and_a_twin_does_not() {
    let plateau_and_step: Vec<_> = std::iter::repeat_n(10.0, 3600).chain([20.0, 20.0]).collect();
    for rules in [on_change(), ReportRules { deadband: 0.5, ..on_change() }] {
        let mut sink = Rig::new(Thinner::of_sink(rules.clone()));
        sink.offer_all(&plateau_and_step);
        assert_eq!(sink.got, [(0.0, 10.0), (3599.0, 10.0), (3600.0, 20.0)]);
        assert!((drawn(&sink.got, 1800.0) - 10.0).abs() < 1e-9, "no slope over an hour");
        let mut twin = Rig::new(Thinner::of_twin(rules));
        twin.offer_all(&plateau_and_step);
        assert_eq!(twin.got, [(0.0, 10.0), (3600.0, 20.0)]);
    }
}

#[test]
fn a_door_keeps_the_corners() {
    let mut rig = Rig::new(Thinner::of_sink(door(0.1)));
    rig.offer_all(&[0.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 2.0, 1.0]).break_off(9.0);
    assert_eq!(rig.got, [(0.0, 0.0), (3.0, 3.0), (6.0, 3.0), (8.0, 1.0)]);
    assert_eq!(rig.thinned, 5);
}

#[test]
fn a_door_is_silent_no_longer_than_it_may() {
    let mut rig = Rig::new(Thinner::of_sink(ReportRules { max_silence: Some(4 * SECOND), ..door(1.0) }));
    rig.offer_all(&[0.0; 10]);
    assert_eq!(rig.got, [(0.0, 0.0), (4.0, 0.0), (8.0, 0.0)]);
    assert_eq!(rig.due(), Some(12.0));
}

#[test]
fn a_clock_that_goes_back_ends_the_line() {
    let mut rig = Rig::new(Thinner::of_sink(door(1.0)));
    rig.offer_all(&[0.0, 0.1, 0.2]);
    let back = rig.sample(1.0, 0.3);
    rig.offer_sample(3.0, &back);
    assert_eq!(rig.got, [(0.0, 0.0), (2.0, 0.2), (1.0, 0.3)]);
}

#[test]
fn what_is_half_silent_goes_along_with_others() {
    let rules = ReportRules { max_silence: Some(10 * SECOND), ..on_change() };
    let mut rig = Rig::new(Thinner::of_twin(rules));
    rig.offer_all(&[1.0; 5]);
    assert_eq!(rig.thinner.go_along(rig.begin + 4 * SECOND), None);
    let along = rig.thinner.go_along(rig.begin + 5 * SECOND);
    assert_eq!(along.as_ref().map(point), Some((4.0, 1.0)));
    assert_eq!(rig.thinner.go_along(rig.begin + 60 * SECOND), None, "nothing is held");
}

#[test]
fn after_a_break_the_next_goes_in_any_case() {
    let mut rig = Rig::new(Thinner::of_twin(ReportRules { min_interval: 60 * SECOND, ..on_change() }));
    rig.offer_all(&[1.0, 1.0]).break_off(1.5).offer(2.0, 1.0);
    assert_eq!(rig.got, [(0.0, 1.0), (2.0, 1.0)], "what the twin has already is not repeated");
    let mut rig = Rig::new(Thinner::of_twin(ReportRules { min_interval: 60 * SECOND, ..on_change() }));
    rig.offer_all(&[1.0, 2.0]).break_off(1.5);
    assert_eq!(rig.got, [(0.0, 1.0), (1.0, 2.0)], "a change that waits is not lost");
}

/// Steps, ramps, noise and plateaus.
fn signal() -> impl proptest::strategy::Strategy<Value = Vec<f64>> {
    let piece = prop_oneof![
        (-100.0..100.0_f64, 1..40_usize).prop_map(|(level, length)| vec![level; length]),
        (-100.0..100.0_f64, -5.0..5.0_f64, 1..40_usize)
            .prop_map(|(from, slope, length)| (0..length).map(|at| from + slope * at as f64).collect()),
        proptest::collection::vec(-2.0..2.0_f64, 1..40),
    ];
    proptest::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_a_door_drops_lies_within_its_bound(values in signal(), bound in 0.0..10.0_f64, silence in 0..30_u64) {
        let max_silence = (silence > 0).then(|| silence * 2).map(Duration::from_secs);
        let mut rig = Rig::new(Thinner::of_sink(ReportRules { max_silence, ..door(bound) }));
        rig.offer_all(&values).break_off(values.len() as f64);
        prop_assert!(rig.got.is_sorted_by(|a, b| a.0 < b.0), "in order, each once: {:?}", rig.got);
        for (time, value) in &rig.offered {
            let off = (drawn(&rig.got, *time) - value).abs();
            prop_assert!(off <= bound + 1e-9 * value.abs().max(1.0), "{value} at {time} is off by {off}, of {bound}");
        }
    }

    #[test]
    fn whatever_a_deadband_drops_lies_within_twice_of_it(values in signal(), deadband in 0.0..10.0_f64) {
        let mut rig = Rig::new(Thinner::of_sink(ReportRules { deadband, ..on_change() }));
        rig.offer_all(&values).break_off(values.len() as f64);
        prop_assert!(rig.got.is_sorted_by(|a, b| a.0 < b.0), "in order, each once: {:?}", rig.got);
        for (time, value) in &rig.offered {
            let off = (drawn(&rig.got, *time) - value).abs();
            prop_assert!(off <= 2.0 * deadband + 1e-9, "{value} at {time} is off by {off}, of {deadband}");
        }
    }

    #[test]
    fn the_account_is_complete_and_the_last_value_is_known(
        values in signal(), kind in 0..3_usize, interval in 0..5_u64, keeps_history: bool,
    ) {
        let min_interval = Duration::from_secs(interval);
        let rules = [ReportRules::default(), on_change(), door(0.5)][kind].clone();
        let rules = ReportRules { min_interval: if kind == 2 { Duration::ZERO } else { min_interval }, ..rules };
        let mut rig = Rig::new(if keeps_history { Thinner::of_sink(rules) } else { Thinner::of_twin(rules) });
        rig.offer_all(&values).break_off(values.len() as f64);
        let (offered, got) = (values.len() as u64, rig.got.len() as u64);
        prop_assert_eq!(offered, got + rig.thinned);
        if kind < 2 {
            prop_assert_eq!(rig.values().last().copied(), values.last().copied());
        }
    }
}
