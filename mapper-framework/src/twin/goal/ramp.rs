//! A value that moves step by step.

use std::time::Duration;

use crate::model::Value;

/// The time from one step to the next, unless the least interval between writes is longer.
const STEP: Duration = Duration::from_secs(1);

/// The time from one step to the next: that of a whole step for an integer.
pub(super) fn interval(goal: &Value, rate: Option<f64>, least: Duration) -> Duration {
    let whole = rate.filter(|_| matches!(goal, Value::Int(_)));
    let whole = whole.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok()).unwrap_or_default();
    STEP.max(least).max(whole)
}

/// The goal, or the step towards it that is no longer than that.
pub(super) fn step(stands: &Value, goal: &Value, longest: f64) -> Value {
    let Some((from, to)) = stands.as_f64().zip(goal.as_f64()) else { return goal.clone() };
    if (to - from).abs() <= longest {
        return goal.clone();
    }
    let next = from + longest.copysign(to - from);
    let stepped = match goal {
        Value::Int(_) => Value::Int(if to > from { next.floor() as i64 } else { next.ceil() as i64 }),
        Value::Float(_) => Value::Float(next as f32),
        _ => Value::Double(next),
    };
    // At the end of a type's precision a step leads nowhere, and the ramp would never end.
    if stepped.is_close_to(stands) { goal.clone() } else { stepped }
}

/// Whether a device that reads this may be on its way from where the ramp began to the last step, and has not been put elsewhere.
pub(super) fn is_on_the_way(began: Option<&Value>, sent: &Value, read: &Value) -> bool {
    let ends = began.and_then(Value::as_f64).zip(sent.as_f64()).zip(read.as_f64());
    ends.is_some_and(|((began, sent), read)| (read - began) * (read - sent) <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_the_beginning_and_the_last_step_is_on_the_way() {
        let is_on_the_way = |read| super::is_on_the_way(Some(&Value::Int(10)), &Value::Int(16), &Value::Int(read));
        assert_eq!([9, 10, 12, 16, 17].map(is_on_the_way), [false, true, true, true, false]);
        assert!(!super::is_on_the_way(None, &Value::Int(16), &Value::Int(16)));
    }
}
