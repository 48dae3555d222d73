//! Thins the samples of one property for one consumer. It knows no clock but the time that it is given.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::model::{Quality, ReportRules, Sample, Strategy, Value};

/// What a consumer has, and what is held back from it.
#[derive(Debug)]
pub(super) struct Thinner {
    rules: ReportRules,
    /// Whether it keeps what it got, so that others draw lines between: a sink does, and a twin has the latest only.
    keeps_history: bool,
    /// What the consumer has got last. Without it, the next sample goes in any case.
    sent: Option<Sent>,
    held: Option<Held>,
    thinned: u64,
}

/// What goes to a consumer of a sample that is offered.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Passed {
    /// An earlier sample, before it.
    pub(super) earlier: Option<Sample>,
    /// Whether the sample goes itself.
    pub(super) itself: bool,
}

#[derive(Debug)]
struct Sent {
    value: Value,
    quality: Quality,
    /// The time of the sample, in the milliseconds that sinks get.
    millis: i128,
    at: Instant,
    door: Door,
}

/// The last of the samples that were not let through since.
#[derive(Debug)]
struct Held {
    sample: Sample,
    /// Whether it goes when the least interval is over.
    is_change: bool,
}

/// The slopes of the lines from the last sample that went which pass all samples since by no more than the bound.
#[derive(Clone, Copy, Debug)]
struct Door {
    least: f64,
    greatest: f64,
}

enum Verdict {
    /// It goes, and after the sample before it if that shows where the change began.
    Goes { with_held: bool },
    /// The sample before it goes, and it may be the end of the next line.
    Turns,
    /// It is held back.
    Waits { is_change: bool },
}

impl Thinner {
    pub(super) fn of_twin(rules: ReportRules) -> Self {
        Self { rules, keeps_history: false, sent: None, held: None, thinned: 0 }
    }

    pub(super) fn of_sink(rules: ReportRules) -> Self {
        Self { keeps_history: true, ..Self::of_twin(rules) }
    }

    /// Takes in the next sample, and returns what goes to the consumer now.
    pub(super) fn offer(&mut self, sample: &Sample, now: Instant) -> Passed {
        if self.rules.take_all() {
            self.start_over();
            return Passed { earlier: None, itself: true };
        }
        match self.judge(sample, now) {
            Verdict::Goes { with_held } => {
                let is_marker = |held: &Held| with_held && self.keeps_history && !held.is_change;
                let (marker, dropped) = match self.held.take() {
                    Some(held) if is_marker(&held) => (Some(held.sample), false),
                    held => (None, held.is_some()),
                };
                self.thinned += u64::from(dropped);
                self.sent = Some(Sent::new(sample, now));
                Passed { earlier: marker, itself: true }
            }
            Verdict::Turns => {
                let turn = self.release_held(now);
                self.hold(sample, false);
                Passed { earlier: turn, itself: false }
            }
            Verdict::Waits { is_change } => {
                self.hold(sample, is_change);
                Passed::default()
            }
        }
    }

    /// When something that is held back goes.
    pub(super) fn due(&self) -> Option<Instant> {
        let (sent, held) = (self.sent.as_ref()?, self.held.as_ref()?);
        let after = |time: Duration| sent.at.checked_add(time);
        let change = held.is_change.then(|| after(self.rules.min_interval)).flatten();
        change.into_iter().chain(self.rules.max_silence.and_then(after)).min()
    }

    /// What is due of that which is held back.
    pub(super) fn release(&mut self, now: Instant) -> Option<Sample> {
        self.due().filter(|due| *due <= now)?;
        self.release_held(now)
    }

    /// What is held back and may go along with others, since it would go soon: half of the longest silence is over.
    pub(super) fn go_along(&mut self, now: Instant) -> Option<Sample> {
        let (sent, held) = (self.sent.as_ref()?, self.held.as_ref()?);
        let is_half_over = sent.at.checked_add(self.rules.max_silence? / 2).is_some_and(|half| half <= now);
        if is_half_over && !held.is_change { self.release_held(now) } else { None }
    }

    /// No more is to be expected for a while: returns what the consumer would miss, and lets the next sample go in any case.
    pub(super) fn break_off(&mut self, now: Instant) -> Option<Sample> {
        let is_missed = self.held.as_ref().is_some_and(|held| held.is_change || self.keeps_history);
        let last = if is_missed { self.release_held(now) } else { None };
        self.start_over();
        last
    }

    /// Goes by other rules. The next sample goes in any case, unless a change is held back, which goes when it is due.
    pub(super) fn change_rules(&mut self, rules: ReportRules) {
        self.rules = rules;
        if !self.held.as_ref().is_some_and(|held| held.is_change) {
            self.start_over();
        }
    }

    /// Lets the next sample go in any case.
    pub(super) fn start_over(&mut self) {
        self.sent = None;
        self.thinned += u64::from(self.held.take().is_some());
    }

    /// How many samples were thinned since this was asked last.
    pub(super) fn take_thinned(&mut self) -> u64 {
        std::mem::take(&mut self.thinned)
    }

    fn judge(&mut self, sample: &Sample, now: Instant) -> Verdict {
        let rules = &self.rules;
        let Some(sent) = &mut self.sent else { return Verdict::Goes { with_held: false } };
        if sample.quality != sent.quality {
            return Verdict::Goes { with_held: true };
        }
        let has_passed = |time: Duration| now.saturating_duration_since(sent.at) >= time;
        let is_silent = rules.max_silence.is_some_and(has_passed);
        match rules.strategy {
            Strategy::Always if has_passed(rules.min_interval) => Verdict::Goes { with_held: false },
            Strategy::Always => Verdict::Waits { is_change: true },
            Strategy::OnChange if !rules.is_change(&sent.value, &sample.value) => {
                if is_silent {
                    Verdict::Goes { with_held: false }
                } else {
                    Verdict::Waits { is_change: false }
                }
            }
            Strategy::OnChange if has_passed(rules.min_interval) => Verdict::Goes { with_held: true },
            Strategy::OnChange => Verdict::Waits { is_change: true },
            Strategy::SwingingDoor => {
                let before = self.held.as_ref().map_or(sent.millis, |held| millis(held.sample.timestamp));
                if millis(sample.timestamp) <= before {
                    return Verdict::Goes { with_held: true };
                }
                match sent.lets_through(sample) {
                    true if is_silent => Verdict::Goes { with_held: false },
                    true => Verdict::Waits { is_change: false },
                    false if is_silent => Verdict::Goes { with_held: true },
                    false => Verdict::Turns,
                }
            }
        }
    }

    fn hold(&mut self, sample: &Sample, is_change: bool) {
        if self.rules.strategy == Strategy::SwingingDoor
            && let Some(sent) = &mut self.sent
        {
            sent.narrow(sample, self.rules.error_bound);
        }
        self.thinned += u64::from(self.held.replace(Held { sample: sample.clone(), is_change }).is_some());
    }

    fn release_held(&mut self, now: Instant) -> Option<Sample> {
        let Held { sample, .. } = self.held.take()?;
        self.sent = Some(Sent::new(&sample, now));
        Some(sample)
    }
}

impl Sent {
    fn new(sample: &Sample, at: Instant) -> Self {
        let Sample { value, quality, timestamp, .. } = sample;
        let door = Door { least: f64::NEG_INFINITY, greatest: f64::INFINITY };
        Self { value: value.clone(), quality: *quality, millis: millis(*timestamp), at, door }
    }

    /// The slope of the line to a sample that is `off` from where it is.
    fn slope(&self, sample: &Sample, off: f64) -> Option<f64> {
        let rise = sample.value.decimal()? + off - self.value.decimal()?;
        Some(rise / (millis(sample.timestamp) - self.millis) as f64)
    }

    /// Whether the line to a later sample passes all samples between by no more than the bound.
    fn lets_through(&self, sample: &Sample) -> bool {
        self.slope(sample, 0.0).is_some_and(|slope| (self.door.least..=self.door.greatest).contains(&slope))
    }

    /// From now on, lines have to pass this sample, too.
    fn narrow(&mut self, sample: &Sample, bound: f64) {
        if let (Some(least), Some(greatest)) = (self.slope(sample, -bound), self.slope(sample, bound)) {
            self.door.least = self.door.least.max(least);
            self.door.greatest = self.door.greatest.min(greatest);
        }
    }
}

/// Milliseconds from 1970 UTC, rounded as sinks get them.
fn millis(time: SystemTime) -> i128 {
    let millis = |duration: Duration| i128::try_from(duration.as_millis()).unwrap_or(i128::MAX);
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -millis(before.duration()), millis)
}

#[cfg(test)]
mod tests;
