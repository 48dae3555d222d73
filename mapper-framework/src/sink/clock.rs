//! What time records may have, and what waits until that is known.
//!
//! A machine without a battery for its clock begins in 1970, or in the year in which its system was made, until it is set over the network.
//! What is read meanwhile waits in memory and is dated when the clock is set: by how long ago it was read, which the monotonic clock knows. A
//! device's own time is believed as far as it can be right at all.

use std::{
    collections::HashSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{
    model::DeviceId,
    telemetry::{
        Occurrence, Telemetry,
        sinks::{ClockSet, ClockUnset, TimeReplaced},
    },
};

use super::record::to_millis;

/// 2020-01-01. A clock that shows less was never set.
const EARLIEST: Duration = Duration::from_secs(1_577_836_800);

/// 2000-01-01. No device has read anything before.
const EARLIEST_OF_DEVICES: Duration = Duration::from_secs(946_684_800);

/// How far a device's clock may be ahead, as that of another time zone is.
const AHEAD: Duration = Duration::from_secs(24 * 3600);

/// How often it is looked whether the clock has been set.
const CYCLE: Duration = Duration::from_secs(1);

/// The most devices of which it is remembered that their time was replaced.
const LOGGED_DEVICES: usize = 1_024;

/// Whether a clock that shows this time has been set.
pub(super) fn is_plausible(now: SystemTime) -> bool {
    now >= SystemTime::UNIX_EPOCH + EARLIEST
}

/// The time of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Date {
    Known(SystemTime),
    /// The clock is not set.
    Waits {
        since: Instant,
        /// How long before that it was read; `None` where the device has its own time.
        age: Option<Duration>,
    },
}

/// The system's clock, as far as it can be believed.
#[derive(Debug)]
pub(super) struct Clock {
    telemetry: Telemetry,
    /// Whether it was logged that the clock is not set.
    is_unset_logged: AtomicBool,
    /// The devices of which it was logged that their time was replaced.
    logged: Mutex<HashSet<DeviceId>>,
    /// Something waits until the clock is set.
    waits: Notify,
    /// What it showed at some moment, in place of the system's.
    #[cfg(test)]
    shows: Mutex<Option<(SystemTime, Instant)>>,
}

impl Clock {
    pub(super) fn new(telemetry: Telemetry) -> Self {
        Self {
            telemetry,
            is_unset_logged: AtomicBool::new(false),
            logged: Mutex::default(),
            waits: Notify::new(),
            #[cfg(test)]
            shows: Mutex::default(),
        }
    }

    /// The date of what is taken over now.
    pub(super) fn date(&self, device: &DeviceId, timestamp: SystemTime) -> Date {
        let now = self.now();
        if is_plausible(now) {
            return Date::Known(self.believe(device, timestamp, now));
        }
        self.waits.notify_one();
        let occurrence = Occurrence::first_if(!self.is_unset_logged.swap(true, Relaxed));
        self.telemetry.emit(ClockUnset { occurrence });
        // Else the time is another clock's.
        let age = now.duration_since(timestamp).ok().filter(|age| *age <= AHEAD);
        Date::Waits { since: Instant::now(), age }
    }

    /// The time of what was taken over before, now that the clock is set.
    pub(super) fn resolve(&self, device: &DeviceId, timestamp: SystemTime, date: Date) -> SystemTime {
        let ago = |ago| self.now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH);
        match date {
            Date::Known(time) => time,
            Date::Waits { since, age: Some(age) } => ago(since.elapsed() + age),
            Date::Waits { since, age: None } => self.believe(device, timestamp, ago(since.elapsed())),
        }
    }

    /// A device's own time, or the mapper's where that cannot be right.
    fn believe(&self, device: &DeviceId, timestamp: SystemTime, now: SystemTime) -> SystemTime {
        if timestamp >= SystemTime::UNIX_EPOCH + EARLIEST_OF_DEVICES && timestamp <= now + AHEAD {
            return timestamp;
        }
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.len() >= LOGGED_DEVICES {
            logged.clear();
        }
        let occurrence = Occurrence::first_if(!logged.contains(device) && logged.insert(device.clone()));
        drop(logged);
        self.telemetry.emit(TimeReplaced { device, timestamp_ms: to_millis(timestamp), occurrence });
        now
    }

    /// Whether it has been set.
    pub(super) fn is_set(&self) -> bool {
        is_plausible(self.now())
    }

    /// Waits until something waits, and then until the clock is set.
    pub(super) async fn set_for_those_who_wait(&self) {
        self.waits.notified().await;
        while !self.is_set() {
            sleep(CYCLE).await;
        }
        if self.is_unset_logged.swap(false, Relaxed) {
            self.telemetry.emit(ClockSet {});
        }
    }

    fn now(&self) -> SystemTime {
        #[cfg(test)]
        if let Some((time, at)) = *self.shows.lock().unwrap() {
            return time + at.elapsed();
        }
        SystemTime::now()
    }

    /// Has it show this time from now on.
    #[cfg(test)]
    pub(super) fn set(&self, time: SystemTime) {
        *self.shows.lock().unwrap() = Some((time, Instant::now()));
    }
}
