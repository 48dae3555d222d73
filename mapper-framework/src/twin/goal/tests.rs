//! The states of a desired value, one after the other.

use serde_json::{Value as Json, json};

use super::*;
use crate::{
    model::DataType,
    writes::{Outcome, Remembered},
};

fn property(access_mode: AccessMode, desired: &str, keys: &Json) -> Property {
    let visitor = keys.as_object().cloned().unwrap_or_default();
    let builder = Property::builder("level", DataType::Int).access_mode(access_mode);
    builder.minimum(0.0).maximum(100.0).desired(desired).visitor(visitor)
}

fn goal(keys: &Json) -> Goal {
    Goal::new(&property(AccessMode::ReadWrite, "5", keys), Instant::now()).expect("desired").expect("legal")
}

/// A goal of which the write has just succeeded.
fn sent(keys: &Json) -> Goal {
    let mut goal = goal(keys);
    goal.attempting(Instant::now());
    goal.taken(&Value::Int(5), Instant::now());
    goal
}

fn remembered(wish: &str, outcome: Outcome) -> Option<Remembered> {
    Some(Remembered { wish: wish.to_owned(), outcome, attempts: 1, since: SystemTime::now() })
}

#[test]
fn no_desired_value_is_no_goal() {
    assert!(Goal::new(&property(AccessMode::ReadWrite, "", &json!({})), Instant::now()).is_none());
}

#[test]
fn access_mode_type_bounds_and_rules_are_enforced() {
    let refusal = |access_mode, desired, keys: &Json| {
        Goal::new(&property(access_mode, desired, keys), Instant::now()).expect("desired").expect_err("it is refused")
    };
    let none = json!({});
    assert!(refusal(AccessMode::ReadOnly, "5", &none).contains("ReadOnly"));
    assert!(refusal(AccessMode::ReadWrite, "warm", &none).contains("not a value of type INT"));
    assert!(refusal(AccessMode::ReadWrite, "101", &none).contains("outside 0 to 100"));
    let wrong = json!({"writePolicy": "often", "writeMaxAttempts": 0});
    let refused = refusal(AccessMode::ReadWrite, "5", &wrong);
    assert!(refused.contains("writePolicy") && refused.contains("writeMaxAttempts"), "{refused}");
}

#[test]
fn a_new_wish_is_written_at_once_and_a_repetition_waits_for_a_read() {
    let (mut goal, now) = (goal(&json!({})), Instant::now());
    assert_eq!(goal.action(now), Some(Action::Write(Value::Int(5))));
    goal.attempting(now);
    assert_eq!(goal.failed(&DriverError::failed("bus busy"), false, now), None);
    assert_eq!(goal.action(now), None, "there is a pause");
    let later = goal.due().expect("it is tried again");
    assert_eq!(goal.action(later), Some(Action::Look));
    assert_eq!(goal.observe(&Value::Int(4), later), Observed::Nothing);
    assert_eq!(goal.action(later), Some(Action::Write(Value::Int(5))));
}

#[test]
fn a_value_that_the_device_has_already_is_not_written_unless_it_is_a_command() {
    let (mut setpoint, mut command) = (goal(&json!({})), goal(&json!({"writePolicy": "once"})));
    let now = Instant::now();
    assert_eq!(setpoint.observe(&Value::Int(5), now), Observed::Converged);
    assert_eq!((setpoint.phase(), setpoint.due()), (Phase::Converged, None));
    assert_eq!(command.observe(&Value::Int(5), now), Observed::Nothing);
    assert_eq!(command.action(now), Some(Action::Write(Value::Int(5))));
}

#[test]
fn a_setpoint_that_differs_by_the_least_is_another_one() {
    for (had, wanted) in [(1.7e9, "1700000100"), (2e7, "20000001"), (13.377_34, "13.37735"), (0.1, "0.1000001")] {
        let builder = Property::builder("p", DataType::Double).access_mode(AccessMode::ReadWrite).desired(wanted);
        let now = Instant::now();
        let mut goal = Goal::new(&builder.build(), now).expect("desired").expect("legal");
        assert_eq!(goal.observe(&Value::Double(had), now), Observed::Nothing, "{wanted}");
        assert!(matches!(goal.action(now), Some(Action::Write(_))), "{wanted}");
    }
}

#[test]
fn a_value_that_the_device_has_taken_is_confirmed_whenever_it_is_read() {
    let (mut goal, now) = (sent(&json!({})), Instant::now());
    assert_eq!((goal.phase(), goal.action(now)), (Phase::Written, Some(Action::Look)));
    assert_eq!(goal.observe(&Value::Int(4), now), Observed::Unconfirmed);
    assert_eq!((goal.phase(), goal.due()), (Phase::Written, None), "it is not written again by itself");
    assert_eq!(goal.observe(&Value::Int(5), now), Observed::Converged);
    assert_eq!(goal.observe(&Value::Int(4), now), Observed::Nothing, "somebody has turned the knob");
    assert_eq!(goal.phase(), Phase::Converged);
}

#[test]
fn an_enforced_value_is_written_again_when_it_is_lost_and_given_up_when_it_never_stays() {
    let (mut goal, mut now) = (sent(&json!({"writePolicy": "enforce", "writeMaxAttempts": 3})), Instant::now());
    for attempt in 2..=3 {
        assert_eq!(goal.observe(&Value::Int(5), now), Observed::Converged);
        assert_eq!(goal.observe(&Value::Int(0), now), Observed::Lost, "attempt {attempt}");
        now = goal.due().expect("it is written again");
        assert_eq!(goal.action(now), Some(Action::Write(Value::Int(5))));
        goal.attempting(now);
        goal.taken(&Value::Int(5), now);
    }
    goal.observe(&Value::Int(5), now);
    assert!(matches!(goal.observe(&Value::Int(0), now), Observed::GivenUp(_)));
    assert_eq!((goal.phase(), goal.due()), (Phase::Refused, None));
}

#[test]
fn an_enforced_value_that_was_kept_for_long_is_lost_for_the_first_time_again() {
    let (mut goal, mut now) = (sent(&json!({"writePolicy": "enforce", "writeMaxAttempts": 2})), Instant::now());
    for _ in 0..20 {
        assert_eq!(goal.observe(&Value::Int(5), now), Observed::Converged);
        now += KEPT;
        assert_eq!(goal.observe(&Value::Int(0), now), Observed::Lost);
        assert_eq!(goal.action(now), Some(Action::Write(Value::Int(5))));
        goal.attempting(now);
        goal.taken(&Value::Int(5), now);
    }
}

#[test]
fn what_the_device_refuses_is_given_up() {
    let (mut goal, now) = (goal(&json!({})), Instant::now());
    goal.attempting(now);
    let why = goal.failed(&DriverError::refused("no such register"), false, now);
    assert_eq!(why.as_deref(), Some("no such register"));
    assert_eq!((goal.phase(), goal.due()), (Phase::Refused, None));
}

#[test]
fn attempts_are_used_up() {
    let (mut goal, mut now, mut attempts) = (goal(&json!({})), Instant::now(), 0);
    while let Some(due) = goal.due() {
        now = now.max(due);
        match goal.action(now) {
            Some(Action::Look) => drop(goal.observe(&Value::Int(0), now)),
            _ => {
                attempts += 1;
                goal.attempting(now);
                drop(goal.failed(&DriverError::failed("bus busy"), false, now));
            }
        }
    }
    assert_eq!((attempts, goal.phase()), (10, Phase::Refused));
}

#[test]
fn what_was_read_before_a_session_counts_for_a_moment_only() {
    for (age, expected) in [(Duration::from_secs(1), Action::Write(Value::Int(5))), (2 * BELIEVED, Action::Look)] {
        let (mut goal, now) = (goal(&json!({})), Instant::now());
        goal.attempting(now);
        let now = goal.due().expect("it is tried again");
        goal.observe(&Value::Int(4), now);
        goal.session_begins(now + age);
        assert_eq!(goal.action(now + age), Some(expected), "{age:?}");
    }
}

#[test]
fn a_mapper_goes_on_where_the_one_before_it_has_stopped() {
    let resumed = |keys: &Json, entry, is_complete| {
        let (mut goal, now) = (goal(keys), Instant::now());
        let reason = goal.resume(entry, is_complete, now);
        (goal.phase(), goal.action(now), reason.is_some())
    };
    let (plain, enforce, once) = (json!({}), json!({"writePolicy": "enforce"}), json!({"writePolicy": "once"}));
    let write = || Some(Action::Write(Value::Int(5)));
    for (keys, entry, is_complete, expected) in [
        (&plain, None, true, (Phase::Pending, write(), false)),
        (&plain, remembered("4", Outcome::Acknowledged), true, (Phase::Pending, write(), false)),
        (&plain, remembered("5", Outcome::Acknowledged), true, (Phase::Converged, None, false)),
        (&plain, remembered("5", Outcome::Attempted), true, (Phase::Pending, Some(Action::Look), false)),
        (&plain, remembered("5", Outcome::Written), true, (Phase::Written, None, false)),
        (&plain, remembered("5", Outcome::Refused), true, (Phase::Refused, None, true)),
        (&plain, remembered("5", Outcome::Expired), true, (Phase::Expired, None, false)),
        (&plain, remembered("5", Outcome::Pending), true, (Phase::Pending, write(), false)),
        (&plain, None, false, (Phase::Held, None, true)),
        (&plain, remembered("4", Outcome::Acknowledged), false, (Phase::Pending, write(), false)),
        (&once, None, false, (Phase::Held, None, true)),
        (&once, remembered("5", Outcome::Attempted), true, (Phase::Refused, None, true)),
        (&enforce, None, false, (Phase::Pending, Some(Action::Look), false)),
        (&enforce, remembered("5", Outcome::Acknowledged), true, (Phase::Converged, Some(Action::Look), false)),
    ] {
        let case = format!("{keys} {entry:?} {is_complete}");
        assert_eq!(resumed(keys, entry, is_complete), expected, "{case}");
    }
}

#[test]
fn a_step_of_a_ramp_never_leaves_the_way_to_the_goal() {
    let steps = |from: Value, to: &str, rate: f64, data_type| {
        let keys = json!({"writeRampPerSecond": rate}).as_object().cloned().unwrap_or_default();
        let builder = Property::builder("p", data_type).access_mode(AccessMode::ReadWrite).desired(to);
        let now = Instant::now();
        let mut goal = Goal::new(&builder.visitor(keys), now).expect("desired").expect("legal");
        assert_eq!(goal.action(now), Some(Action::Look), "a ramp begins where the device stands");
        goal.observe(&from, now);
        let (mut steps, mut now) = (Vec::new(), now);
        while let Some(Action::Write(value)) = goal.action(now) {
            goal.attempting(now);
            goal.taken(&value, now);
            steps.push(value.to_string());
            now = goal.due().unwrap_or(now);
        }
        steps
    };
    assert_eq!(steps(Value::Int(10), "0", 4.0, DataType::Int), ["6", "2", "0"]);
    assert_eq!(steps(Value::Int(0), "2", 0.5, DataType::Int), ["1", "2"]);
    assert_eq!(steps(Value::Double(0.0), "1", 0.4, DataType::Double), ["0.4", "0.8", "1"]);
    // Where a step is lost in the precision of the type, the ramp ends.
    assert_eq!(steps(Value::Double(1e18), "2e18", 1e-9, DataType::Double), ["2000000000000000000"]);
}

#[test]
fn a_wish_expires_by_the_time_it_was_first_seen() {
    let keys = json!({"writeExpiresAfter": 60_000});
    let (mut goal, now) = (goal(&keys), Instant::now());
    let seen = SystemTime::now() - Duration::from_secs(50);
    goal.resume(Some(Remembered { wish: "5".into(), outcome: Outcome::Pending, attempts: 0, since: seen }), true, now);
    assert_eq!(goal.action(now + Duration::from_secs(11)), Some(Action::Expire));
    assert_eq!((goal.phase(), goal.due()), (Phase::Expired, None));
}

#[test]
fn an_enforced_value_that_was_written_before_a_restart_and_not_read_is_enforced() {
    let (mut goal, now) = (goal(&json!({"writePolicy": "enforce"})), Instant::now());
    goal.resume(remembered("5", Outcome::Written), true, now);
    assert_eq!(goal.action(now), Some(Action::Look));
    goal.observe(&Value::Int(0), now);
    assert_eq!(goal.action(goal.due().expect("it is written")), Some(Action::Write(Value::Int(5))));
}

#[test]
fn a_value_that_becomes_enforced_is_enforced_though_it_was_read_otherwise_before() {
    let (mut goal, now) = (sent(&json!({})), Instant::now());
    assert_eq!(goal.observe(&Value::Int(4), now), Observed::Unconfirmed);
    goal.adopt_rules(&WriteRules { policy: WritePolicy::Enforce, ..WriteRules::default() }, now);
    goal.observe(&Value::Int(4), now);
    assert_eq!(goal.action(goal.due().expect("it is written")), Some(Action::Write(Value::Int(5))));
}

#[test]
fn the_steps_of_a_ramp_that_fail_are_attempts() {
    let (mut goal, mut now, mut attempts) =
        (goal(&json!({"writeRampPerSecond": 1, "writeMaxAttempts": 3})), Instant::now(), 0);
    while let Some(due) = goal.due().filter(|_| attempts < 20) {
        now = now.max(due);
        match goal.action(now) {
            Some(Action::Write(_)) => {
                attempts += 1;
                goal.attempting(now);
                drop(goal.failed(&DriverError::failed("bus busy"), false, now));
            }
            _ => drop(goal.observe(&Value::Int(0), now)),
        }
    }
    assert_eq!((attempts, goal.phase()), (3, Phase::Refused));
}

#[test]
fn an_attempt_that_was_announced_and_not_made_is_taken_back_from_the_memory() {
    let mut goal = goal(&json!({}));
    assert_eq!(goal.before_attempt().outcome, Outcome::Attempted);
    let unsaved = goal.unsaved().expect("the memory has something else");
    assert_eq!((unsaved.outcome, unsaved.attempts), (Outcome::Pending, 0));
}

#[test]
fn what_is_read_before_the_device_had_its_time_confirms_nothing() {
    let (mut goal, now) = (sent(&json!({"writeReadBackDelay": 5000})), Instant::now());
    assert_eq!(goal.observe(&Value::Int(5), now), Observed::Nothing);
    assert_eq!(goal.phase(), Phase::Written);
    assert_eq!(goal.observe(&Value::Int(5), now + Duration::from_secs(6)), Observed::Converged);
}

#[test]
fn a_wish_whose_age_nobody_knows_since_the_clock_was_set_back_has_expired() {
    let keys = json!({"writeExpiresAfter": 60_000});
    for (ahead, expected) in [(3600, Some(Action::Expire)), (5, Some(Action::Write(Value::Int(5))))] {
        let (mut goal, now) = (goal(&keys), Instant::now());
        let since = SystemTime::now() + Duration::from_secs(ahead);
        goal.resume(Some(Remembered { wish: "5".into(), outcome: Outcome::Pending, attempts: 0, since }), true, now);
        assert_eq!(goal.action(now), expected, "{ahead} s");
    }
}

#[test]
fn a_ramp_looks_where_the_device_stands_after_somebody_else_has_written() {
    let (mut goal, now) = (goal(&json!({"writeRampPerSecond": 1})), Instant::now());
    goal.observe(&Value::Int(0), now);
    assert_eq!(goal.action(now), Some(Action::Write(Value::Int(1))));
    goal.written_otherwise(now);
    assert_eq!(goal.action(now), Some(Action::Look));
}
