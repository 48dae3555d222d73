//! Who gets the samples of a property, and which of them.

use tokio::time::Instant;

use crate::{
    model::{Property, Sample},
    sink::Feed,
    twin::Echo,
};

use super::{bound::BoundProperty, slot::Origin, thinning::Thinner};

/// The consumers of one property, each with what it was given.
pub(super) struct Outlets {
    twin: Thinner,
    /// What the twin says of the desired value, as it was reported last.
    echo: Option<Echo>,
    sinks: Vec<(Feed, Thinner)>,
    /// When the next sample that was read goes to the sinks.
    push_due: Instant,
}

/// How many samples were thinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Thinned {
    pub(super) twins: u64,
    pub(super) records: u64,
}

impl Outlets {
    pub(super) fn new(bound: &BoundProperty, now: Instant) -> Self {
        let sinks = bound.feeds.iter().map(|feed| (feed.clone(), Thinner::of_sink(feed.rules().clone())));
        Self { twin: Thinner::of_twin(bound.twin.clone()), echo: None, sinks: sinks.collect(), push_due: now }
    }

    /// Takes in another manifest of the property. What sinks have of it stays known to those that are to get the same as before.
    pub(super) fn change(&mut self, before: &Property, bound: &BoundProperty, now: Instant) {
        let push_due = if before.report_cycle() == bound.property.report_cycle() { self.push_due } else { now };
        let mut former = std::mem::replace(self, Self { push_due, ..Self::new(bound, now) });
        for (feed, thinner) in &mut self.sinks {
            let same = former.sinks.iter().position(|(other, _)| other.delivers_like(feed));
            if let Some(index) = same {
                (_, *thinner) = former.sinks.swap_remove(index);
            }
        }
        std::mem::swap(&mut self.twin, &mut former.twin);
        if before == &*bound.property {
            self.echo = former.echo.take();
        } else {
            self.twin.change_rules(bound.twin.clone());
            if !bound.property.report_to_cloud() {
                self.twin.start_over();
            }
        }
        former.break_off(now);
    }

    /// Hands a sample on to the sinks. One that was read waits for its report cycle; one that the device delivered by itself is
    /// an event, and is due at once.
    pub(super) fn push(&mut self, property: &Property, sample: &Sample, origin: Origin, now: Instant) {
        if self.sinks.is_empty() || (origin == Origin::Read && !self.take_push_due(property, now)) {
            return;
        }
        for (feed, thinner) in &mut self.sinks {
            let passed = thinner.offer(sample, now);
            passed.earlier.iter().for_each(|earlier| feed.push(earlier));
            if passed.itself {
                feed.push(sample);
            }
        }
    }

    /// Whether a read made now is the one for the report cycle: of those that the collect cycle gives, the nearest to it.
    fn take_push_due(&mut self, property: &Property, now: Instant) -> bool {
        if now + property.collect_cycle() / 2 < self.push_due {
            return false;
        }
        let next = self.push_due + property.report_cycle();
        self.push_due = if next > now { next } else { now + property.report_cycle() };
        true
    }

    /// Whether a sample is to be reported. What the twin says of the desired value is, when that has changed.
    pub(super) fn reports(&mut self, sample: &Sample, echo: Echo, now: Instant) -> bool {
        if !sample.property.report_to_cloud() {
            return false;
        }
        if self.echo.replace(echo) != self.echo {
            self.twin.start_over();
        }
        self.twin.offer(sample, now).itself
    }

    /// When something that is held back goes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.sinks.iter().map(|(_, thinner)| thinner).chain([&self.twin]).filter_map(Thinner::due).min()
    }

    /// Pushes what is due of that which is held back, and returns what is to be reported.
    pub(super) fn release(&mut self, now: Instant) -> Option<Sample> {
        for (feed, thinner) in &mut self.sinks {
            thinner.release(now).iter().for_each(|sample| feed.push(sample));
        }
        self.twin.release(now)
    }

    /// What may be reported along with others.
    pub(super) fn go_along(&mut self, now: Instant) -> Option<Sample> {
        self.twin.go_along(now)
    }

    /// Nothing more is to be expected of the device for a while: pushes what the sinks would miss, and returns what is to be reported. The
    /// next sample goes everywhere.
    pub(super) fn break_off(&mut self, now: Instant) -> Option<Sample> {
        for (feed, thinner) in &mut self.sinks {
            thinner.break_off(now).iter().for_each(|sample| feed.push(sample));
        }
        self.twin.break_off(now)
    }

    /// How many samples were thinned since this was asked last.
    pub(super) fn take_thinned(&mut self) -> Thinned {
        let records = self.sinks.iter_mut().map(|(_, thinner)| thinner.take_thinned()).sum();
        Thinned { twins: self.twin.take_thinned(), records }
    }
}
