//! What a device's task keeps of each property.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use crate::{
    model::{DeviceId, Property, Sample},
    telemetry::Telemetry,
    twin::{Goal, Phase},
};

use super::bound::{BoundDevice, BoundProperty};

/// How a sample came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The framework has read it.
    Read,
    /// The device has delivered it by itself.
    Delivered,
}

/// One property of a device, and how it fares.
pub(super) struct Slot {
    pub(super) bound: BoundProperty,
    /// Whether it is new or changed, and has not been read since: then it is read without waiting for its cycle.
    pub(super) fresh: bool,
    /// Whether the last read failed.
    pub(super) failing: bool,
    /// The desired value, unless there is none.
    pub(super) goal: Option<Goal>,
    /// Whether there is one that was refused before it became a goal.
    refused: bool,
    /// When the next sample goes to the sinks.
    push_due: Instant,
}

impl Slot {
    fn new(bound: BoundProperty, device: &DeviceId, telemetry: &Telemetry, now: Instant) -> Self {
        let property = &bound.property;
        let (goal, refused) = match Goal::new(property, now) {
            None => (None, false),
            Some(Ok(goal)) => (Some(goal), false),
            Some(Err(reason)) => {
                let desired = property.desired().unwrap_or_default();
                telemetry.desired_refused(device, property.name(), desired, &reason);
                (None, true)
            }
        };
        Self { bound, fresh: true, failing: false, goal, refused, push_due: now }
    }

    pub(super) fn property(&self) -> &Arc<Property> {
        &self.bound.property
    }

    /// Where the desired value stands; `None` if there is none.
    pub(super) fn phase(&self) -> Option<Phase> {
        self.goal.as_ref().map(Goal::phase).or(self.refused.then_some(Phase::Refused))
    }

    /// Hands a sample on to the sinks. One that was read waits for its report cycle; one that the device delivered by itself is
    /// an event, and goes at once.
    pub(super) fn push(&mut self, sample: &Sample, origin: Origin, now: Instant) {
        if self.bound.feeds.is_empty() || (origin == Origin::Read && !self.take_push_due(now)) {
            return;
        }
        for feed in self.bound.feeds.iter() {
            feed.push(sample);
        }
    }

    /// Whether a read made now is the one for the report cycle: of those that the collect cycle gives, the nearest to it.
    fn take_push_due(&mut self, now: Instant) -> bool {
        let property = &self.bound.property;
        if now + property.collect_cycle() / 2 < self.push_due {
            return false;
        }
        let next = self.push_due + property.report_cycle();
        self.push_due = if next > now { next } else { now + property.report_cycle() };
        true
    }

    /// The slots of a changed device. A property that has not changed keeps all that is known of it; one whose cycles only have
    /// changed keeps its goal.
    pub(super) fn adopt(before: Vec<Self>, device: &BoundDevice, telemetry: &Telemetry, now: Instant) -> Vec<Self> {
        let mut before: HashMap<_, _> = before.into_iter().map(|slot| (slot.property().shared_name(), slot)).collect();
        let adopt = |bound: &BoundProperty| match before.remove(bound.property.name()) {
            Some(slot) if slot.property().is_set_like(&bound.property) => {
                let same_cycle = slot.property().report_cycle() == bound.property.report_cycle();
                let push_due = if same_cycle { slot.push_due } else { now };
                Self { bound: bound.clone(), push_due, ..slot }
            }
            _ => Self::new(bound.clone(), device.device.id(), telemetry, now),
        };
        device.properties.iter().map(adopt).collect()
    }
}
