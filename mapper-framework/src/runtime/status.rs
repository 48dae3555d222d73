//! What is known of a device from outside of its task.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::model::{DeviceState, Sample};

/// A device's state and last values. Written by the device's task, read by whoever asks; the lock is held for a few map
/// operations per tick, so that a question is answered at once even while the driver hangs.
#[derive(Debug)]
pub(super) struct StatusCell(Mutex<Status>);

#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) state: DeviceState,
    pub(super) reason: Option<String>,
    pub(super) samples: HashMap<Arc<str>, Sample>,
}

impl StatusCell {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Status { state: DeviceState::Unknown, reason: None, samples: HashMap::new() }))
    }

    pub(super) fn read(&self) -> Status {
        self.lock().clone()
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

    /// Sets the state and its reason, and tells whether the state is new.
    pub(super) fn set_state(&self, state: DeviceState, reason: Option<String>) -> bool {
        let mut status = self.lock();
        status.reason = reason;
        std::mem::replace(&mut status.state, state) != state
    }

    pub(super) fn set_samples<'a>(&self, samples: impl Iterator<Item = &'a Sample>) {
        let mut status = self.lock();
        for sample in samples {
            status.samples.insert(sample.property.shared_name(), sample.clone());
        }
    }

    /// Forgets the values of properties that are gone.
    pub(super) fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.lock().samples.retain(|name, _| keep(name));
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
