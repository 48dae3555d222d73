//! The desired value of a property: a goal, and the states that it goes through. No clock, no device and no disk: what happens comes in
//! by methods, and what is to be done goes out by [`Goal::due`] and [`Goal::action`]. ARCHITECTURE.md has the table of the states.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use crate::{
    backoff::Backoff,
    driver::DriverError,
    model::{AccessMode, Confirm, Property, Value, WritePolicy, WriteRules},
};

use super::Phase;

/// The pause before a failed write is repeated, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// How long a device must have kept an enforced value before its next loss counts as the first again.
const KEPT: Duration = PAUSES.1;

/// For how long it is believed, over the end of a session, that the device has another value.
const BELIEVED: Duration = Duration::from_secs(10);

/// How far into the future the clock may put what was seen before a restart, as one does that was corrected meanwhile.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// Reads a value that somebody wants a property to have, and checks that the property may have it.
///
/// # Errors
///
/// The property is read-only, or the value is not of its type or outside its bounds.
pub(crate) fn check<V>(property: &Property<V>, text: &str) -> Result<Value, String> {
    if property.access_mode() != AccessMode::ReadWrite {
        return Err("the property is ReadOnly in its device model".to_owned());
    }
    check_value(property, text)
}

/// Reads a value for a property, whether or not it may be written.
///
/// # Errors
///
/// The value is not of the property's type or outside its bounds.
pub(crate) fn check_value<V>(property: &Property<V>, text: &str) -> Result<Value, String> {
    let value = Value::parse(text, property.data_type()).map_err(|error| error.to_string())?;
    property.check_bounds(&value).map_err(|error| error.to_string())?;
    Ok(value)
}

/// The desired value of one property, and how far it has come.
#[derive(Debug)]
pub(crate) struct Goal {
    /// As the manifest has it.
    wish: Arc<str>,
    value: Value,
    rules: WriteRules,
    state: State,
    /// How often it was written, or may have been.
    attempts: u32,
    /// When the wish was first seen.
    since: SystemTime,
    expires: Option<Instant>,
    /// The time before which nothing is written.
    due: Instant,
    backoff: Backoff,
    /// Where the device stood when a ramp began.
    began: Option<Value>,
    /// Whether the state is another one than the memory has.
    is_unsaved: bool,
}

#[derive(Debug)]
enum State {
    /// No device was asked for it yet.
    New,
    /// It was attempted, and a read comes before the next write. `has_failed`: the driver said so; else nobody knows what came of it.
    Doubtful { has_failed: bool },
    /// The device was read to have another value, or a ramp stands there: the next write may go out.
    Wanting { stands: Value, seen: Instant },
    /// The device has taken it, and shows it from then on. When to read it back; `None` when that was done, and something else was read.
    Sent { shows: Instant, look: Option<Instant> },
    /// The device has it since then. `look`: whether that is to be read once more.
    Converged { at: Instant, look: bool },
    /// Given up.
    Refused,
    /// Too late.
    Expired,
    /// Not written until it changes. `is_known`: it is known what came of it before, and only now nothing may be written.
    Held { is_known: bool },
}

/// What is to be done about a goal now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Write this: the goal, or a step on the way there.
    Write(Value),
    /// Read the property.
    Look,
    /// Report that the wish has expired.
    Expire,
}

/// What an observation has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Observed {
    /// Nothing that anybody needs to know.
    Nothing,
    /// The device has the value now.
    Converged,
    /// The device has taken the value, and reads otherwise.
    Unconfirmed,
    /// The device has lost the value, which is enforced.
    Lost,
    /// The attempts are used up.
    GivenUp(String),
}

impl Goal {
    /// The goal that a property's desired value sets, as if nobody had seen it before; `None` if it has none.
    ///
    /// # Errors
    ///
    /// As for [`check`], or its keys or its policy forbid every write.
    pub(crate) fn new(property: &Property, now: Instant) -> Option<Result<Self, String>> {
        let wish = property.desired()?;
        Some(Self::of(property, wish, now))
    }

    fn of(property: &Property, wish: &str, now: Instant) -> Result<Self, String> {
        let value = check(property, wish)?;
        let rules = WriteRules::of(property).map_err(|misfits| {
            let misfits = misfits.into_iter().map(|misfit| format!("{}: {}", misfit.key, misfit.message));
            let misfits: Vec<_> = misfits.collect();
            format!("visitors.configData: {}", misfits.join("; "))
        })?;
        if rules.policy == WritePolicy::Never {
            return Err("its writePolicy is never".to_owned());
        }
        let mut goal = Self {
            wish: wish.into(),
            value,
            rules,
            state: State::New,
            attempts: 0,
            since: SystemTime::now(),
            expires: None,
            due: now,
            backoff: Backoff::new(PAUSES.0, PAUSES.1),
            began: None,
            // That it was seen is remembered, with its age.
            is_unsaved: true,
        };
        goal.set_since(goal.since, now);
        Ok(goal)
    }

    /// Takes on other rules for the same wish. Returns why the goal is given up, if it is.
    pub(crate) fn adopt_rules(&mut self, rules: &WriteRules, now: Instant) -> Option<String> {
        if self.rules == *rules {
            return None;
        }
        let was_rehearsed = self.rules.dry_run && !rules.dry_run;
        self.rules = rules.clone();
        self.set_since(self.since, now);
        match self.state {
            State::Held { is_known: true } if was_rehearsed => {
                self.state = if self.attempts == 0 { State::New } else { State::Doubtful { has_failed: false } };
            }
            State::Doubtful { .. } | State::Wanting { .. }
                if rules.policy == WritePolicy::Once && self.attempts > 0 =>
            {
                self.set(State::Refused);
                return Some(
                    "it was attempted before its writePolicy became once, which allows one attempt".to_owned(),
                );
            }
            _ => {}
        }
        None
    }

    fn set_since(&mut self, since: SystemTime, now: Instant) {
        self.since = since;
        let age = SystemTime::now().duration_since(since).or_else(|error| {
            // Of what was seen in the future nobody knows how old it is.
            if error.duration() > CLOCK_SLACK { Err(()) } else { Ok(Duration::ZERO) }
        });
        let rest = |after: Duration| age.map_or(Duration::ZERO, |age| after.saturating_sub(age));
        self.expires = self.rules.expires_after.and_then(|after| now.checked_add(rest(after)));
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.state {
            State::New | State::Doubtful { .. } | State::Wanting { .. } => Phase::Pending,
            State::Sent { .. } => Phase::Written,
            State::Converged { .. } => Phase::Converged,
            State::Refused => Phase::Refused,
            State::Expired => Phase::Expired,
            State::Held { .. } => Phase::Held,
        }
    }

    /// The desired value, as the manifest has it.
    pub(crate) fn wish(&self) -> &Arc<str> {
        &self.wish
    }

    pub(crate) fn rules(&self) -> &WriteRules {
        &self.rules
    }

    fn set(&mut self, state: State) {
        self.state = state;
        self.is_unsaved = true;
    }

    // ---- what is to be done ----

    /// When there is something to do; `None` if nothing but an observation or a change moves the goal on.
    pub(crate) fn due(&self) -> Option<Instant> {
        match &self.state {
            State::New | State::Doubtful { .. } | State::Wanting { .. } => {
                Some(self.expires.map_or(self.due, |expires| expires.min(self.due)))
            }
            State::Sent { look, .. } => *look,
            State::Converged { look: true, .. } => Some(self.due),
            State::Converged { look: false, .. } | State::Refused | State::Expired | State::Held { .. } => None,
        }
    }

    /// What is to be done now. A wish that has expired does so by this call.
    pub(crate) fn action(&mut self, now: Instant) -> Option<Action> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        if self.phase() == Phase::Pending && self.is_expired(now) {
            self.set(State::Expired);
            return Some(Action::Expire);
        }
        match &self.state {
            State::New if self.rules.ramp.is_none() => Some(Action::Write(self.value.clone())),
            State::Wanting { stands, .. } => Some(Action::Write(self.step_from(stands))),
            _ => Some(Action::Look),
        }
    }

    /// Whether it is too late to write it.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// The goal, or the next step of its ramp.
    fn step_from(&self, stands: &Value) -> Value {
        let Some(rate) = self.rules.ramp else { return self.value.clone() };
        ramp::step(stands, &self.value, rate * self.step_interval().as_secs_f64())
    }

    fn step_interval(&self) -> Duration {
        ramp::interval(&self.value, self.rules.ramp, self.rules.min_interval)
    }

    // ---- what happens ----

    /// A session begins. What was known of the device is known no more.
    pub(crate) fn session_begins(&mut self, now: Instant) {
        match &mut self.state {
            State::Wanting { seen, .. } if now - *seen > BELIEVED => {
                self.state = State::Doubtful { has_failed: true };
            }
            State::Converged { look, .. } => *look = self.rules.policy == WritePolicy::Enforce,
            _ => {}
        }
    }

    /// The property was read, and the value is to be trusted.
    pub(crate) fn observe(&mut self, read: &Value, now: Instant) -> Observed {
        let is_met = self.rules.is_met(read, &self.value);
        match &mut self.state {
            // A command is given whatever the device reads.
            State::New if is_met && self.rules.policy == WritePolicy::Once => Observed::Nothing,
            State::Converged { at, look } => {
                *look = false;
                if is_met || self.rules.policy != WritePolicy::Enforce {
                    return Observed::Nothing;
                }
                if now - *at >= KEPT {
                    self.attempts = 0;
                    self.backoff.reset();
                }
                self.wants(read, now, Observed::Lost)
            }
            // The device has not had its time yet.
            State::Sent { shows, .. } if now < *shows => Observed::Nothing,
            _ if is_met => {
                self.converge(now);
                Observed::Converged
            }
            State::New => {
                if self.rules.ramp.is_some() {
                    self.began = Some(read.clone());
                    self.state = State::Wanting { stands: read.clone(), seen: now };
                }
                Observed::Nothing
            }
            State::Doubtful { .. } => self.wants(read, now, Observed::Nothing),
            State::Wanting { stands, seen } => {
                // A ramp goes on from where it was sent to, since the device may be slow to follow.
                let follows = self.rules.ramp.is_some() && ramp::is_on_the_way(self.began.as_ref(), stands, read);
                if !follows {
                    *stands = read.clone();
                    self.began = Some(read.clone());
                }
                *seen = now;
                Observed::Nothing
            }
            State::Sent { .. } if self.rules.policy == WritePolicy::Enforce => {
                self.wants(read, now, Observed::Unconfirmed)
            }
            State::Sent { look: look @ Some(_), .. } => {
                *look = None;
                Observed::Unconfirmed
            }
            State::Sent { look: None, .. } | State::Refused | State::Expired | State::Held { .. } => Observed::Nothing,
        }
    }

    /// The device has another value: it is written again, unless that was done too often.
    fn wants(&mut self, read: &Value, now: Instant, observed: Observed) -> Observed {
        if self.attempts >= self.rules.max_attempts {
            self.set(State::Refused);
            return Observed::GivenUp(format!("given up after {} attempts: the device reads {read}", self.attempts));
        }
        self.began = Some(read.clone());
        // The memory makes no difference between the two.
        self.is_unsaved |= !matches!(self.state, State::Doubtful { .. });
        self.state = State::Wanting { stands: read.clone(), seen: now };
        observed
    }

    fn converge(&mut self, at: Instant) {
        self.set(State::Converged { at, look: false });
        if self.rules.policy != WritePolicy::Enforce {
            self.backoff.reset();
        }
    }

    /// A read was refused for good: the property can only be written. Returns whether the goal counts as reached by that, since that
    /// the device took the write is all that can be known.
    pub(crate) fn unreadable(&mut self, now: Instant) -> Observed {
        match self.state {
            State::Sent { .. } => {
                self.converge(now);
                Observed::Converged
            }
            State::Doubtful { has_failed: false } => {
                self.set(State::Refused);
                let why = "it is not known whether the device has taken it, and the property cannot be read";
                Observed::GivenUp(why.to_owned())
            }
            State::Doubtful { .. } if self.attempts >= self.rules.max_attempts => {
                self.set(State::Refused);
                Observed::GivenUp(format!("given up after {} attempts, and the property cannot be read", self.attempts))
            }
            State::New | State::Doubtful { .. } if self.rules.ramp.is_some() => {
                self.set(State::Refused);
                Observed::GivenUp(
                    "writeRampPerSecond begins where the device stands, and the property cannot be read".into(),
                )
            }
            State::Doubtful { .. } => {
                self.state = State::Wanting { stands: self.value.clone(), seen: now };
                Observed::Nothing
            }
            State::Converged { ref mut look, .. } => {
                *look = false;
                Observed::Nothing
            }
            _ => Observed::Nothing,
        }
    }

    /// A read failed: it is tried again later, and nothing is written before.
    pub(crate) fn look_failed(&mut self, now: Instant) {
        self.postpone(now);
        if let State::Sent { look: look @ Some(_), .. } = &mut self.state {
            *look = Some(self.due);
        }
    }

    /// Something stands in the way of a write: it is tried again after a pause.
    pub(crate) fn postpone_by(&mut self, pause: Duration, now: Instant) {
        self.due = self.due.max(now + pause);
        self.interrupt_ramp();
    }

    /// A ramp goes on from where the device stands then.
    fn interrupt_ramp(&mut self) {
        if self.rules.ramp.is_some() && matches!(self.state, State::Wanting { .. }) {
            self.state = State::Doubtful { has_failed: true };
        }
    }

    fn postpone(&mut self, now: Instant) {
        self.due = now + self.backoff.next().max(self.rules.min_interval);
    }

    /// Nothing is written until the wish changes, or may be written.
    pub(crate) fn hold(&mut self) {
        self.state = State::Held { is_known: true };
    }

    /// The value was written by somebody else: the least interval counts from there.
    pub(crate) fn written_otherwise(&mut self, now: Instant) {
        self.due = self.due.max(now + self.rules.min_interval);
        self.interrupt_ramp();
    }

    /// A write begins, which the memory has.
    pub(crate) fn attempting(&mut self, now: Instant) {
        self.attempts += 1;
        self.is_unsaved = false;
        self.state = State::Doubtful { has_failed: false };
        self.postpone(now);
    }

    /// The device has taken a value. Returns whether the goal counts as reached by that.
    pub(crate) fn taken(&mut self, value: &Value, now: Instant) -> bool {
        if *value != self.value {
            // Steps that succeed are not counted.
            self.attempts = self.attempts.saturating_sub(1);
            self.backoff.reset();
            self.state = State::Wanting { stands: value.clone(), seen: now };
            self.due = now + self.step_interval();
            return false;
        }
        if self.rules.confirm == Confirm::None {
            self.converge(now);
            return true;
        }
        let shows = now + self.rules.read_back_delay;
        self.set(State::Sent { shows, look: Some(shows) });
        false
    }

    /// The write failed. `on_stale` says that the connection had served before: a device may have closed it since, and so gets the write
    /// as the first thing on the next one. Returns why the goal is given up, if it is.
    pub(crate) fn failed(&mut self, error: &DriverError, on_stale: bool, now: Instant) -> Option<String> {
        let is_once = self.rules.policy == WritePolicy::Once;
        let why = if is_once && error.is_retryable() {
            format!("its only attempt has failed: {error}")
        } else if !error.is_retryable() {
            error.to_string()
        } else if self.attempts >= self.rules.max_attempts {
            format!("given up after {} attempts: {error}", self.attempts)
        } else {
            self.state = State::Doubtful { has_failed: !error.is_disconnected() };
            if on_stale && error.is_disconnected() && self.rules.ramp.is_none() {
                self.state = State::Wanting { stands: self.value.clone(), seen: now };
                self.due = now + self.rules.min_interval;
            }
            return None;
        };
        self.set(State::Refused);
        Some(why)
    }

    /// The session ended while the write was under way: nobody knows what came of it. Returns why the goal is given up, if it is.
    pub(crate) fn interrupted(&mut self, reason: &str) -> Option<String> {
        let why = if self.rules.policy == WritePolicy::Once {
            format!("its only attempt was interrupted, and it is not known what came of it: {reason}")
        } else if self.attempts >= self.rules.max_attempts {
            format!("given up after {} attempts: {reason}", self.attempts)
        } else {
            return None;
        };
        self.set(State::Refused);
        Some(why)
    }
}

mod memory;
mod ramp;
#[cfg(test)]
mod tests;
