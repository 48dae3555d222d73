//! What a device's task keeps of each property.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use crate::{
    model::{DeviceId, Property, WriteRules},
    telemetry::{
        Damper, Telemetry,
        writes::{DesiredHeld, DesiredPending, DesiredRefused, DesiredResumed, DesiredWithdrawn},
    },
    twin::{Echo, Goal, Phase},
    writes::{Outcome, Remembered, Writes},
};

use super::{
    bound::{BoundDevice, BoundProperty},
    outlets::Outlets,
};

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
    /// Whether it is read by its cycle; not if the device delivers it by itself.
    pub(super) polled: bool,
    /// In which way it fails at present: its last read has failed, or what was delivered of it could not be used.
    pub(super) failing: Option<Origin>,
    /// When its failures are logged.
    pub(super) failures: Damper,
    /// Whether the device has delivered it by itself, and was not given up since.
    pub(super) delivers: bool,
    /// Whether it failed together with others by one error, which was logged for the device.
    pub(super) failing_together: bool,
    /// How it is written; `None` if that is wrong in the manifest.
    pub(super) rules: Option<Arc<WriteRules>>,
    /// The desired value, unless there is none.
    pub(super) goal: Option<Goal>,
    /// Whether there is one that was refused before it became a goal.
    refused: bool,
    /// The last desired value that the device was found to have, as the manifest has it: that is what the twin echoes.
    acknowledged: Option<Arc<str>>,
    /// When the property was written, the last time.
    pub(super) written: Option<Instant>,
    /// Why a write waits, as far as it was logged.
    pub(super) waits: Option<String>,
    /// Who gets its samples.
    pub(super) outlets: Outlets,
}

impl Slot {
    fn new(bound: BoundProperty, now: Instant) -> Self {
        let outlets = Outlets::new(&bound, now);
        Self {
            rules: rules_of(&bound),
            bound,
            fresh: true,
            polled: true,
            failing: None,
            failures: Damper::default(),
            failing_together: false,
            delivers: false,
            goal: None,
            refused: false,
            acknowledged: None,
            written: None,
            waits: None,
            outlets,
        }
    }

    /// Takes up the property's desired value.
    fn aim(&mut self, device: &DeviceId, telemetry: &Telemetry, now: Instant) {
        let property = Arc::clone(self.property());
        let (name, desired) = (property.name(), property.desired().unwrap_or_default());
        (self.goal, self.refused, self.waits) = (None, false, None);
        // The Go framework's may be writable, and nothing comes of it.
        if self.is_of_stream() {
            return;
        }
        match Goal::new(&property, now) {
            None => self.acknowledged = None,
            Some(Ok(mut goal)) => {
                telemetry.emit(DesiredPending { device, property: name, desired, reason: None });
                self.written.iter().for_each(|&written| goal.written_otherwise(written));
                self.goal = Some(goal);
            }
            Some(Err(reason)) => {
                telemetry.emit(DesiredRefused { device, property: name, desired, reason: &reason });
                self.refused = true;
            }
        }
    }

    /// Takes up the property's desired value where it was left, perhaps by a mapper that ran before.
    fn resume(&mut self, device: &DeviceId, writes: &Writes, telemetry: &Telemetry, now: Instant) {
        self.aim(device, telemetry, now);
        let property = Arc::clone(self.property());
        let Some(desired) = property.desired() else { return };
        let remembered = writes.memory.recall(device, property.name());
        let was_acknowledged = |remembered: &Remembered| remembered.outcome == Outcome::Acknowledged;
        self.acknowledged = remembered.clone().filter(was_acknowledged).map(|remembered| remembered.wish.into());
        if remembered.is_some() {
            // When it was written is not remembered: now is the latest that it can have been.
            self.written = self.written.or(Some(now));
        }
        let Some(goal) = &mut self.goal else { return };
        self.written.iter().for_each(|&written| goal.written_otherwise(written));
        let reason = goal.resume(remembered, writes.memory.is_complete(), now);
        let (property, phase) = (property.name(), goal.phase());
        match &reason {
            Some(reason) => telemetry.emit(DesiredHeld { device, property, desired, phase, reason }),
            None => telemetry.emit(DesiredResumed { device, property, desired, phase }),
        }
    }

    /// Whether it shows something of the device's stream, so that the driver does not know it.
    pub(super) fn is_of_stream(&self) -> bool {
        self.bound.stream.is_some()
    }

    pub(super) fn property(&self) -> &Arc<Property> {
        &self.bound.property
    }

    /// Where the desired value stands; `None` if there is none.
    pub(super) fn phase(&self) -> Option<Phase> {
        self.goal.as_ref().map(Goal::phase).or(self.refused.then_some(Phase::Refused))
    }

    /// What the twin says of the desired value.
    pub(super) fn echo(&self) -> Echo {
        Echo { phase: self.phase(), acknowledged: self.acknowledged.clone() }
    }

    /// The device was found to have the desired value.
    pub(super) fn acknowledge(&mut self) {
        self.acknowledged = self.goal.as_ref().map(|goal| Arc::clone(goal.wish()));
    }

    /// The slots of a device that was changed, or is new here: then there was none `before`. A property that has not changed keeps all
    /// that is known of it. One that is asked for the same value in the same place keeps its goal, whatever else of it has changed.
    pub(super) fn adopt(
        slots: Vec<Self>,
        before: Option<&BoundDevice>,
        device: &BoundDevice,
        writes: &Writes,
        telemetry: &Telemetry,
        now: Instant,
    ) -> Vec<Self> {
        let mut slots: HashMap<_, _> = slots.into_iter().map(|slot| (slot.property().shared_name(), slot)).collect();
        let id = device.device.id();
        let was_wished = |name: &str| before.is_none_or(|before| before.wishes.get(name) == device.wishes.get(name));
        let adopt = |bound: &BoundProperty| match slots.remove(bound.property.name()) {
            Some(mut slot) if slot.property().is_found_like(&bound.property) => {
                slot.change(bound.clone(), id, writes, telemetry, now);
                slot
            }
            mut other => {
                other.iter_mut().for_each(|other| drop(other.outlets.break_off(now)));
                let mut slot = Self::new(bound.clone(), now);
                // It may have been left out for a while, since something was wrong with it.
                if other.is_none() && was_wished(bound.property.name()) {
                    slot.resume(id, writes, telemetry, now);
                } else {
                    slot.aim(id, telemetry, now);
                }
                slot
            }
        };
        let adopted = device.properties.iter().map(adopt).collect();
        // What the sinks would miss of the others goes to them now; their twins are gone.
        slots.into_values().for_each(|mut slot| drop(slot.outlets.break_off(now)));
        adopted
    }

    /// Takes in another manifest for the same place of the device.
    fn change(
        &mut self,
        bound: BoundProperty,
        device: &DeviceId,
        writes: &Writes,
        telemetry: &Telemetry,
        now: Instant,
    ) {
        let (before, after) = (Arc::clone(self.property()), Arc::clone(&bound.property));
        self.rules = rules_of(&bound);
        self.bound = bound;
        self.outlets.change(&before, &self.bound, now);
        let is_same_wish = before.desired() == after.desired();
        match (&mut self.goal, Goal::new(&after, now)) {
            (Some(goal), Some(Ok(new))) if is_same_wish => {
                let phase = goal.phase();
                let (property, desired) = (after.name(), after.desired().unwrap_or_default());
                match goal.adopt_rules(new.rules(), now) {
                    Some(reason) => telemetry.emit(DesiredRefused { device, property, desired, reason: &reason }),
                    None if goal.phase() == phase => return,
                    None => telemetry.emit(DesiredPending { device, property, desired, reason: None }),
                }
                // Its twin shows where it stands.
                self.fresh = true;
            }
            // What was refused for the same reason is no news.
            (None, Some(Err(reason))) if Goal::new(&before, now).and_then(Result::err) == Some(reason.clone()) => {}
            (None, None) if is_same_wish => {}
            // What was wrong with it is right again, which makes no wish a new one.
            (None, Some(Ok(_))) if is_same_wish => {
                self.fresh = true;
                self.resume(device, writes, telemetry, now);
            }
            _ => {
                if let (Some(desired), None) = (before.desired(), after.desired()) {
                    telemetry.emit(DesiredWithdrawn { device, property: after.name(), desired });
                }
                self.fresh = true;
                self.aim(device, telemetry, now);
            }
        }
    }
}

/// How a property is written. What is wrong with it was reported with the device.
fn rules_of(bound: &BoundProperty) -> Option<Arc<WriteRules>> {
    WriteRules::of(&bound.property).ok().map(Arc::new)
}
