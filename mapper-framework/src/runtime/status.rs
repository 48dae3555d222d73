//! What is known of a device from outside of its task.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    model::{DeviceState, Sample},
    telemetry::Telemetry,
    twin::Echo,
};

/// A device's state and last values. Written by the device's task, read by whoever asks; the lock is held for a few map
/// operations per tick, so that a question is answered at once even while the driver hangs.
#[derive(Debug)]
pub(super) struct StatusCell(Mutex<Status>);

#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) state: DeviceState,
    pub(super) reason: Option<String>,
    pub(super) samples: HashMap<Arc<str>, Sample>,
    echoes: HashMap<Arc<str>, Echo>,
}

impl StatusCell {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Status {
            state: DeviceState::Unknown,
            reason: None,
            samples: HashMap::new(),
            echoes: HashMap::new(),
        }))
    }

    /// The status, and the number of the last event that it shows.
    pub(super) fn read_as_of(&self, telemetry: &Telemetry) -> (Status, u64) {
        let status = self.lock();
        (status.clone(), telemetry.sequence())
    }

    /// The state, and why it is so.
    pub(super) fn state(&self) -> (DeviceState, Option<String>) {
        let status = self.lock();
        (status.state, status.reason.clone())
    }

    /// The last value of a property.
    pub(super) fn sample(&self, property: &str) -> Option<Sample> {
        self.lock().samples.get(property).cloned()
    }

    /// Sets the state and its reason. `announce` is called with the lock held, so that who watches finds the change either in a snapshot
    /// or among the events after it.
    pub(super) fn set_state(&self, state: DeviceState, reason: Option<String>, announce: impl FnOnce()) {
        let mut status = self.lock();
        (status.state, status.reason) = (state, reason);
        announce();
    }

    /// Sets the last values, and calls `announce` with the lock held as [`set_state`](Self::set_state) does.
    pub(super) fn set_samples<'a>(&self, samples: impl Iterator<Item = &'a Sample>, announce: impl FnOnce()) {
        let mut status = self.lock();
        for sample in samples {
            status.samples.insert(sample.property.shared_name(), sample.clone());
        }
        announce();
    }

    /// Sets what the twins say of the desired values.
    pub(super) fn set_echoes(&self, echoes: impl Iterator<Item = (Arc<str>, Echo)>) {
        self.lock().echoes.extend(echoes);
    }

    /// The last values, each with the last desired value that the device was found to have, empty for none.
    pub(super) fn reported(&self) -> Vec<(Sample, String)> {
        let status = self.lock();
        let acknowledged = |name: &str| status.echoes.get(name).and_then(|echo| echo.acknowledged.as_deref());
        let with_echo =
            |(name, sample): (&Arc<str>, &Sample)| (sample.clone(), acknowledged(name).unwrap_or_default().to_owned());
        status.samples.iter().map(with_echo).collect()
    }

    /// Forgets the values of properties that are gone.
    pub(super) fn retain(&self, keep: impl Fn(&str) -> bool) {
        let mut status = self.lock();
        status.samples.retain(|name, _| keep(name));
        status.echoes.retain(|name, _| keep(name));
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
