//! What is known of a device from outside of its task.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use crate::{
    model::{DeviceState, Sample},
    telemetry::Telemetry,
    twin::Echo,
};

use super::{handle::ReadFailure, schedule::Grid};

/// A device's state and last values. Written by the device's task, read by whoever asks; the lock is held for a few map
/// operations per tick, so that a question is answered at once even while the driver hangs.
#[derive(Debug)]
pub(super) struct StatusCell(Mutex<Status>);

#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) state: DeviceState,
    pub(super) reason: Option<String>,
    /// Since when it is in that state.
    pub(super) since: SystemTime,
    pub(super) samples: HashMap<Arc<str>, Sample>,
    /// The properties whose last read has failed.
    pub(super) failures: HashMap<Arc<str>, ReadFailure>,
    /// What is read by the clock while there is a session.
    pub(super) polled: Option<Polled>,
    echoes: HashMap<Arc<str>, Echo>,
}

/// The properties that are read by the clock, and when.
#[derive(Clone, Debug)]
pub(super) struct Polled {
    pub(super) grid: Grid,
    pub(super) properties: Arc<HashSet<Arc<str>>>,
}

impl StatusCell {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Status {
            state: DeviceState::Unknown,
            reason: None,
            since: SystemTime::now(),
            samples: HashMap::new(),
            failures: HashMap::new(),
            polled: None,
            echoes: HashMap::new(),
        }))
    }

    /// The status, and the number of the last event that it shows.
    pub(super) fn read_as_of(&self, telemetry: &Telemetry) -> (Status, u64) {
        let status = self.lock();
        (status.clone(), telemetry.sequence())
    }

    /// Looks at all of it, with the lock held.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Status) -> T) -> T {
        look(&self.lock())
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
        if status.state != state {
            status.since = SystemTime::now();
        }
        (status.state, status.reason) = (state, reason);
        announce();
    }

    /// Sets the last values, and calls `announce` with the lock held as [`set_state`](Self::set_state) does.
    pub(super) fn set_samples<'a>(&self, samples: impl Iterator<Item = &'a Sample>, announce: impl FnOnce()) {
        let mut status = self.lock();
        for sample in samples {
            status.failures.remove(sample.property.name());
            status.samples.insert(sample.property.shared_name(), sample.clone());
        }
        announce();
    }

    /// A property could not be read.
    pub(super) fn set_failure(&self, property: &Arc<str>, reason: String, has_come: bool) {
        let mut status = self.lock();
        let since = status.failures.get(property).map_or_else(SystemTime::now, |failure| failure.since);
        let failure = ReadFailure { property: Arc::clone(property), reason, since, has_come };
        status.failures.insert(Arc::clone(property), failure);
    }

    /// Sets what is read by the clock; `None` once the session has ended.
    pub(super) fn set_polled(&self, polled: Option<Polled>) {
        self.lock().polled = polled;
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
        status.failures.retain(|name, _| keep(name));
        status.echoes.retain(|name, _| keep(name));
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
