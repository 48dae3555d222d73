//! The desired value of a property: a goal to be reached, and not an event to be handled once.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    backoff::Backoff,
    driver::DriverError,
    model::{AccessMode, Property, Value},
};

/// The pause before a failed write is repeated, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// Where a desired value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not yet written, or not yet confirmed.
    Pending,
    /// The device has it.
    Converged,
    /// It will not be written: the property, its type, its bounds or the device forbid it.
    Refused,
}

impl Phase {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Converged => "converged",
            Self::Refused => "refused",
        }
    }
}

/// Reads a value that somebody wants a property to have, and checks that the property may have it.
///
/// # Errors
///
/// The property is read-only, or the value is not of its type or outside its bounds.
pub(crate) fn check<V>(property: &Property<V>, text: &str) -> Result<Value, String> {
    if property.access_mode() != AccessMode::ReadWrite {
        return Err("the property is ReadOnly in its device model".to_owned());
    }
    let value = Value::parse(text, property.data_type()).map_err(|error| error.to_string())?;
    property.check_bounds(&value).map_err(|error| error.to_string())?;
    Ok(value)
}

/// The desired value of one property, and how far it has come.
#[derive(Debug)]
pub(crate) struct Goal {
    value: Value,
    phase: Phase,
    /// When to write next, while pending.
    due: Instant,
    backoff: Backoff,
}

impl Goal {
    /// The goal that a property's desired value sets; `None` if it has none.
    ///
    /// # Errors
    ///
    /// As for [`check`].
    pub(crate) fn new(property: &Property, now: Instant) -> Option<Result<Self, String>> {
        let value = check(property, property.desired()?);
        let backoff = Backoff::new(PAUSES.0, PAUSES.1);
        Some(value.map(|value| Self { value, phase: Phase::Pending, due: now, backoff }))
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// When the goal wants to be written; `None` if it does not.
    pub(crate) fn due(&self) -> Option<Instant> {
        (self.phase == Phase::Pending).then_some(self.due)
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// The device was read: tells whether the goal has been reached by it just now.
    pub(crate) fn observe(&mut self, read: &Value) -> bool {
        let reached = self.phase == Phase::Pending && read.is_close_to(&self.value);
        if reached {
            self.reached();
        }
        reached
    }

    /// The value was written, and cannot be read back: that is all that can be known.
    pub(crate) fn reached(&mut self) {
        self.phase = Phase::Converged;
        self.backoff.reset();
    }

    /// The write failed, or the device reads otherwise after it. Tells whether the goal is given up.
    pub(crate) fn failed(&mut self, error: &DriverError, now: Instant) -> bool {
        if error.is_retryable() {
            self.postpone(now);
        } else {
            self.phase = Phase::Refused;
        }
        self.phase == Phase::Refused
    }

    /// Writes again later.
    pub(crate) fn postpone(&mut self, now: Instant) {
        self.due = now + self.backoff.next();
    }

    /// The device may have forgotten the value: the next read shows whether it must be written again.
    pub(crate) fn reconsider(&mut self, now: Instant) {
        if self.phase == Phase::Converged {
            self.phase = Phase::Pending;
            self.due = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataType;

    fn property(access_mode: AccessMode, desired: &str) -> Property {
        Property::builder("level", DataType::Int)
            .access_mode(access_mode)
            .minimum(0.0)
            .maximum(10.0)
            .desired(desired)
            .build()
    }

    fn goal(desired: &str) -> Goal {
        Goal::new(&property(AccessMode::ReadWrite, desired), Instant::now()).expect("desired").expect("legal")
    }

    #[test]
    fn no_desired_value_is_no_goal() {
        assert!(Goal::new(&property(AccessMode::ReadWrite, ""), Instant::now()).is_none());
    }

    #[test]
    fn access_mode_type_and_bounds_are_enforced() {
        let refusal = |access_mode, desired| check(&property(access_mode, ""), desired).unwrap_err();
        assert!(refusal(AccessMode::ReadOnly, "5").contains("ReadOnly"));
        assert!(refusal(AccessMode::ReadWrite, "warm").contains("not a value of type INT"));
        assert!(refusal(AccessMode::ReadWrite, "11").contains("outside 0 to 10"));
        assert_eq!(check(&property(AccessMode::ReadWrite, ""), "10"), Ok(Value::Int(10)));
    }

    #[test]
    fn a_goal_converges_when_the_device_has_the_value() {
        let mut goal = goal("5");
        assert!(goal.due().is_some());
        assert!(!goal.observe(&Value::Int(4)));
        assert!(goal.observe(&Value::Int(5)));
        assert_eq!((goal.phase(), goal.due()), (Phase::Converged, None));
    }

    #[test]
    fn a_change_at_the_device_itself_does_not_bring_a_reached_goal_back() {
        let mut goal = goal("5");
        goal.observe(&Value::Int(5));
        assert!(!goal.observe(&Value::Int(6)));
        assert_eq!(goal.phase(), Phase::Converged);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_write_is_repeated_with_growing_pauses() {
        let mut goal = goal("5");
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            let now = Instant::now();
            assert!(!goal.failed(&DriverError::failed("bus busy"), now));
            longest = longest.max(goal.due().expect("still pending") - now);
        }
        assert!(longest > PAUSES.1 / 2 && longest <= PAUSES.1, "{longest:?}");
    }

    #[test]
    fn what_the_device_refuses_is_given_up() {
        let mut goal = goal("5");
        assert!(goal.failed(&DriverError::refused("no such register"), Instant::now()));
        assert_eq!((goal.phase(), goal.due()), (Phase::Refused, None));
    }

    #[test]
    fn a_reached_goal_is_confirmed_after_a_reconnect() {
        let mut goal = goal("5");
        goal.reached();
        goal.reconsider(Instant::now());
        assert_eq!(goal.phase(), Phase::Pending);
        assert!(goal.observe(&Value::Int(5)), "a device that kept the value needs no write");
    }
}
