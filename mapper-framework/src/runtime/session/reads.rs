//! What a session reads, and what the device delivers by itself.

use std::{sync::Arc, time::SystemTime};

use tokio::time::Instant;

use crate::{
    driver::{Change, DriverError, Results, forgotten},
    model::{Quality, Reading, Sample},
    telemetry::{
        Occurrence,
        reads::{ReadFailed, ReadRecovered, ReadingUnknown, RoundFailed, RoundRecovered},
        writes::{DesiredConverged, DesiredLost, DesiredRefused, DesiredUnconfirmed},
    },
    twin::{Observed, Urgency},
};

use super::{
    super::slot::{Origin, Slot},
    End, LiveSession,
    health::Round,
};

/// How many names of unknown properties are logged for a session.
const MAX_STRANGERS: usize = 100;

impl LiveSession<'_> {
    /// Reads properties and hands on what they gave, even if the session ends with it.
    pub(super) async fn read(&mut self, indices: &[usize]) -> Result<(), End> {
        if !self.task.bound.has_stream() {
            return self.read_of_driver(indices).await;
        }
        let (of_stream, of_driver) = self.apart(indices);
        self.show_stream(&of_stream);
        if of_driver.is_empty() { Ok(()) } else { self.read_of_driver(&of_driver).await }
    }

    async fn read_of_driver(&mut self, indices: &[usize]) -> Result<(), End> {
        let (results, ended) = self.collect(indices).await;
        let (mut samples, mut lost, mut is_retryable) = (Vec::with_capacity(indices.len()), None, false);
        let mut last_error = None;
        for (index, result) in results {
            self.task.slots[index].fresh = false;
            let has_come = result.is_ok();
            match result.and_then(|reading| self.sample(index, reading)) {
                Ok(sample) => samples.push((index, sample)),
                Err(error) => {
                    self.failed(index, &error, Origin::Read, has_come);
                    is_retryable |= error.is_retryable();
                    lost = lost.or(error.is_disconnected().then(|| error.to_string()));
                    last_error = Some(error);
                }
            }
        }
        self.publish(&samples, Origin::Read);
        ended?;
        if let Some(reason) = lost {
            return Err(End::Closed(reason));
        }
        match last_error {
            Some(last) if samples.is_empty() => self.judge(Round::Failed { last: &last, is_retryable }),
            _ => self.judge(Round::Fruitful),
        }
    }

    /// Has the driver read properties, and returns what came of each. Those that it did not come to are left out if the session has
    /// ended.
    pub(super) async fn collect(
        &mut self,
        indices: &[usize],
    ) -> (Vec<(usize, Result<Reading, DriverError>)>, Result<(), End>) {
        let properties: Vec<_> = indices.iter().map(|&index| self.erased(index)).collect();
        let (mut results, deadline) = (Results::new(indices.len()), self.task.context.fence.new_deadline());
        let call = self.session.read_many(&properties, &mut results, &deadline);
        let begun = Instant::now();
        let outcome = self.task.call_until("read", &deadline, call).await;
        self.task.context.telemetry.latencies().reads.observe(begun.elapsed());
        let (mut there, mut missing) = (Vec::with_capacity(indices.len()), Vec::new());
        for (&index, result) in indices.iter().zip(results.into_vec()) {
            match result {
                Some(result) => there.push((index, result)),
                None => missing.push(index),
            }
        }
        match outcome {
            Err(end) => return (there, Err(end)),
            Ok(Err(error)) => {
                self.round_failed(&missing, &error);
                there.extend(missing.into_iter().map(|index| (index, Err(error.clone()))));
            }
            Ok(Ok(())) => {
                let forgot = |index: usize| forgotten(self.task.slots[index].property().name());
                there.extend(missing.into_iter().map(|index| (index, Err(forgot(index)))));
            }
        }
        (there, Ok(()))
    }

    /// These properties fail by one error, which is logged once for the device and not for each of them.
    fn round_failed(&mut self, indices: &[usize], error: &DriverError) {
        if error.is_disconnected() || indices.is_empty() {
            return;
        }
        let slots = &mut self.task.slots;
        let is_known = slots.iter().any(|slot| slot.failing_together);
        let mut is_new = false;
        for &index in indices {
            let slot = &mut slots[index];
            if slot.failing.replace(Origin::Read).is_none() {
                slot.failing_together = true;
                is_new = true;
            }
        }
        if is_new && !is_known {
            let (device, properties) = (self.task.id(), indices.len());
            self.task.context.telemetry.emit(RoundFailed { device, properties, error });
        }
    }

    /// A reading in the property's type.
    pub(super) fn sample(&self, index: usize, reading: Reading) -> Result<Sample, DriverError> {
        let property = self.task.slots[index].property();
        let timestamp = reading.get_time().unwrap_or_else(SystemTime::now);
        let quality = reading.get_quality();
        let value = reading.into_value().conform(property.data_type()).map_err(DriverError::refused)?;
        Ok(Sample { device: self.task.id().clone(), property: Arc::clone(property), value, timestamp, quality })
    }

    /// Hands on samples, after the goals have seen them.
    pub(super) fn publish(&mut self, samples: &[(usize, Sample)], origin: Origin) {
        let mut urgency = Urgency::Ordinary;
        let failing_together = |slots: &[Slot]| slots.iter().any(|slot| slot.failing_together);
        let failed_together = failing_together(&self.task.slots);
        for (index, sample) in samples {
            let slot = &mut self.task.slots[*index];
            slot.delivers |= origin == Origin::Delivered;
            // A delivered value does not prove that the property can be read; where it is not polled, that does not matter.
            let polled = slot.polled;
            let is_over = |failing: &mut Origin| origin == Origin::Read || *failing == origin || !polled;
            let was_failing = slot.failing.take_if(is_over).is_some();
            // One that failed together with others recovers together with them, as far as the log goes.
            let recovered = was_failing && !std::mem::take(&mut slot.failing_together);
            // A value that is not to be trusted proves nothing.
            let goal = slot.goal.as_mut().filter(|_| sample.quality == Quality::Good);
            let observed = goal.map_or(Observed::Nothing, |goal| goal.observe(&sample.value, Instant::now()));
            let (telemetry, device, property) = (&self.task.context.telemetry, &sample.device, sample.property.name());
            if recovered {
                telemetry.emit(ReadRecovered { device, property, occurrence: slot.failures.ends() });
            }
            let (desired, reads) = (sample.property.desired().unwrap_or_default(), sample.value.to_string());
            if matches!(observed, Observed::Converged | Observed::GivenUp(_)) {
                urgency = Urgency::Urgent;
            }
            match &observed {
                Observed::Nothing => {}
                Observed::Converged => {
                    slot.acknowledge();
                    telemetry.emit(DesiredConverged { device, property, desired });
                }
                Observed::Unconfirmed => {
                    telemetry.emit(DesiredUnconfirmed { device, property, desired, reads: &reads });
                }
                Observed::Lost => telemetry.emit(DesiredLost { device, property, desired, reads: &reads }),
                Observed::GivenUp(reason) => telemetry.emit(DesiredRefused { device, property, desired, reason }),
            }
        }
        if failed_together && !failing_together(&self.task.slots) {
            self.task.context.telemetry.emit(RoundRecovered { device: self.task.id() });
        }
        if !samples.is_empty() {
            self.task.publish(samples, origin, urgency);
        }
    }

    /// A property could not be read, or what was delivered of it cannot be used. `has_come` is whether there was a value, which does not fit the
    /// property's type.
    pub(super) fn failed(&mut self, index: usize, error: &DriverError, origin: Origin, has_come: bool) {
        let slot = &mut self.task.slots[index];
        // A lost connection is reported once for the device, and not for each of its properties.
        let begins = !error.is_disconnected() && slot.failing.replace(origin).is_none();
        let property = Arc::clone(slot.property());
        let occurrence = if begins { slot.failures.begins() } else { Occurrence::Again };
        if !error.is_disconnected() {
            self.task.context.status.set_failure(&property.shared_name(), error.to_string(), has_come);
        }
        let (device, property) = (self.task.id(), property.name());
        self.task.context.telemetry.emit(ReadFailed { device, property, error, occurrence });
    }

    /// Takes in what the device has delivered by itself.
    pub(super) fn deliver(&mut self, changes: Vec<Change>) -> Result<(), End> {
        let (mut samples, mut lost) = (Vec::with_capacity(changes.len()), None);
        let mut last_error = None;
        for change in changes {
            let (property, result) = change.into_parts();
            let index = self.task.slots.iter().position(|slot| slot.property().name() == property);
            let Some(index) = index else {
                self.delivered_by_a_stranger(property);
                continue;
            };
            self.task.slots[index].fresh = false;
            let has_come = result.is_ok();
            match result.and_then(|reading| self.sample(index, reading)) {
                Ok(sample) => samples.push((index, sample)),
                Err(error) => {
                    self.failed(index, &error, Origin::Delivered, has_come);
                    self.task.slots[index].delivers = false;
                    lost = lost.or(error.is_disconnected().then(|| error.to_string()));
                    last_error = Some(error);
                }
            }
        }
        self.publish(&samples, Origin::Delivered);
        if let Some(reason) = lost {
            return Err(End::Closed(reason));
        }
        match last_error {
            // Whatever it is, it comes from a session that works.
            Some(last) if samples.is_empty() => self.judge(Round::Failed { last: &last, is_retryable: false }),
            _ if samples.is_empty() => Ok(()),
            _ => {
                self.has_delivered();
                Ok(())
            }
        }
    }

    /// Notes once that a property is delivered which is not the device's, or not any more.
    fn delivered_by_a_stranger(&mut self, property: String) {
        let is_first = self.strangers.len() < MAX_STRANGERS && !self.strangers.contains(&property);
        let (device, occurrence) = (self.task.id(), Occurrence::first_if(is_first));
        self.task.context.telemetry.emit(ReadingUnknown { device, property: &property, occurrence });
        if is_first {
            self.strangers.insert(property);
        }
    }
}
