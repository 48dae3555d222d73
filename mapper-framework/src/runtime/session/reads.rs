//! What a session reads, and what the device delivers by itself.

use std::{sync::Arc, time::SystemTime};

use crate::{
    driver::DriverError,
    model::{DeviceState, Quality, Reading, Sample, Value},
};

use super::{super::slot::Origin, End, LiveSession};

/// After how many rounds of reads of which all failed the session is closed and opened anew: some devices stop answering on a
/// connection that still looks sound.
const MAX_FAILED_ROUNDS: u32 = 3;

/// After how many rounds that gave something a session counts as a success, and the pauses between attempts to connect start over. A
/// device that comes and goes would else be connected to twice a second for ever.
const STEADY_ROUNDS: u32 = 3;

impl LiveSession<'_> {
    /// Reads properties and hands on what they gave.
    pub(super) async fn read(&mut self, indices: &[usize]) -> Result<(), End> {
        let properties: Vec<_> = indices.iter().map(|&index| self.erased(index)).collect();
        let results = self.task.call("read", self.session.read_many(&properties)).await?;
        let timestamp = SystemTime::now();
        let mut results = results.into_iter();
        let (mut samples, mut lost, mut retryable) = (Vec::with_capacity(indices.len()), None, false);
        let mut last_error = None;
        for &index in indices {
            self.task.slots[index].fresh = false;
            let result = results.next().unwrap_or_else(|| Err(DriverError::failed("the driver gave no result")));
            match result.and_then(|value| self.sample(index, value, timestamp, Quality::Good)) {
                Ok(sample) => samples.push((index, sample)),
                Err(error) => {
                    self.read_failed(index, &error);
                    retryable |= error.is_retryable();
                    lost = lost.or(error.is_disconnected().then(|| error.to_string()));
                    last_error = Some(error);
                }
            }
        }
        let failed = samples.is_empty() && retryable;
        self.publish(&samples, Origin::Read);
        if let Some(reason) = lost {
            return Err(End::Lost(reason));
        }
        self.judge_reads(last_error.as_ref());
        self.judge_round(failed)
    }

    /// A device of which nothing can be read is not healthy, however sound its connection is.
    fn judge_reads(&mut self, error: Option<&DriverError>) {
        let all_fail = !self.task.slots.is_empty() && self.task.slots.iter().all(|slot| slot.failing);
        match error.filter(|_| all_fail) {
            Some(error) => {
                self.nothing_read = Some(format!("no property can be read: {error}"));
                self.set_state(DeviceState::Unhealthy);
            }
            None if !all_fail && self.nothing_read.take().is_some() => self.renew_state(),
            None => {}
        }
    }

    /// A value in the property's type.
    pub(super) fn sample(
        &self,
        index: usize,
        value: Value,
        timestamp: SystemTime,
        quality: Quality,
    ) -> Result<Sample, DriverError> {
        let property = self.task.slots[index].property();
        let value = value.conform(property.data_type()).map_err(DriverError::refused)?;
        Ok(Sample { device: self.task.id().clone(), property: Arc::clone(property), value, timestamp, quality })
    }

    /// Hands on samples, after the goals have seen them.
    pub(super) fn publish(&mut self, samples: &[(usize, Sample)], origin: Origin) {
        let mut urgent = false;
        for (index, sample) in samples {
            let slot = &mut self.task.slots[*index];
            let recovered = std::mem::take(&mut slot.failing);
            let reached = slot.goal.as_mut().is_some_and(|goal| goal.observe(&sample.value));
            let (telemetry, name) = (&self.task.context.telemetry, sample.property.name());
            if recovered {
                telemetry.read_recovered(&sample.device, name);
            }
            if reached {
                telemetry.desired_converged(&sample.device, name, sample.property.desired().unwrap_or_default());
                urgent = true;
            }
        }
        if !samples.is_empty() {
            self.good_rounds = self.good_rounds.saturating_add(1);
            if self.good_rounds >= STEADY_ROUNDS {
                self.task.backoff.reset();
            }
            self.task.publish(samples, origin, urgent);
        }
    }

    pub(super) fn read_failed(&mut self, index: usize, error: &DriverError) {
        let slot = &mut self.task.slots[index];
        // A lost connection is told of once for the device, and not for each of its properties.
        let begins = !error.is_disconnected() && !std::mem::replace(&mut slot.failing, true);
        let property = Arc::clone(slot.property());
        self.task.context.telemetry.read_failed(self.task.id(), property.name(), error, begins);
    }

    /// Gives the session up when nothing can be read on it any more. A round that has failed says nothing of the session while a
    /// property that is read in other rounds works.
    fn judge_round(&mut self, failed: bool) -> Result<(), End> {
        if !failed || !self.task.slots.iter().all(|slot| slot.failing) {
            self.failed_rounds = 0;
            return Ok(());
        }
        self.failed_rounds += 1;
        if self.failed_rounds < MAX_FAILED_ROUNDS {
            return Ok(());
        }
        Err(End::Silent(format!("{MAX_FAILED_ROUNDS} rounds of reads in a row have failed")))
    }

    /// Takes in what the device has delivered by itself.
    pub(super) fn deliver(&mut self, readings: Vec<Reading>) -> Result<(), End> {
        let mut samples = Vec::with_capacity(readings.len());
        for reading in readings {
            let index = self.task.slots.iter().position(|slot| slot.property().name() == reading.property);
            let Some(index) = index else {
                self.task.context.telemetry.unknown_reading(self.task.id(), &reading.property);
                continue;
            };
            match self.sample(index, reading.value, reading.timestamp, reading.quality) {
                Ok(sample) => samples.push((index, sample)),
                Err(error) => self.read_failed(index, &error),
            }
        }
        self.publish(&samples, Origin::Delivered);
        Ok(())
    }
}
