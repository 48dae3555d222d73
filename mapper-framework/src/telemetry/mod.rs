//! What happens in a mapper, as data: a type for each event, declared in the file of its layer. Its log line and its counters follow
//! from the declaration, and so does what watches get of it, see [`event`].

pub(crate) mod audit;
mod counters;
mod damper;
pub(crate) mod devices;
pub(crate) mod edge;
mod event;
#[cfg(feature = "eventbus")]
pub(crate) mod eventbus;
pub(crate) mod hooks;
mod latency;
pub(crate) mod mapper;
pub(crate) mod memory;
pub(crate) mod reads;
pub(crate) mod reports;
pub(crate) mod sessions;
pub(crate) mod sinks;
pub(crate) mod spool;
pub mod stats;
pub(crate) mod streams;
pub(crate) mod tape;
pub(crate) mod writes;

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{
    model::{DeviceId, Sample},
    watch::{DesiredStatus, EdgeLink, Events, Filter, Hub, Kind, Latest, Traces, TwinTraces, What},
};

use self::{
    counters::Counters,
    event::Event,
    stats::{DeviceStats, Moment, Stats, TargetStats, ThinnedCounts},
};

pub(crate) use crate::watch::Occurrence;
pub(crate) use damper::Damper;
pub(crate) use latency::{Latencies, Latency, Times};

/// Where everything reports what happens. Cloning shares the counters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Telemetry {
    counters: Arc<Counters>,
    hub: Arc<Hub>,
    /// Locked for a moment by each event of the link and of desired values, and by snapshots.
    latest: Arc<Mutex<Latest>>,
    latencies: Arc<Latencies>,
    /// Locked for a moment by each event of a twin.
    traces: Arc<Mutex<TwinTraces>>,
}

impl Telemetry {
    /// Hands an event to the watches, counts it and logs it.
    pub(crate) fn emit(&self, event: impl Event) {
        self.announce(&event);
        self.record(&event);
    }

    /// Hands an event to the watches only. Called with the lock held under which a snapshot is taken of what has changed, so that the
    /// snapshot and the events after it have no hole between them. For events of the link and of desired values, which snapshots have from
    /// here, that is the lock taken here.
    pub(crate) fn announce(&self, event: &impl Event) {
        let Some(kind) = event.kind() else { return };
        let (is_held, is_followed) = (Latest::holds(kind), TwinTraces::follows(kind));
        if !is_held && !is_followed && !self.hub.wants(kind) {
            return;
        }
        let Some(what) = event.happening() else { return };
        if is_followed {
            self.lock_traces().note(&what);
            if !self.hub.wants(kind) {
                return;
            }
        }
        let mut latest = is_held.then(|| self.lock_latest());
        if let Some(latest) = &mut latest {
            latest.note(&what);
        }
        self.hub.publish(what);
    }

    /// Counts and logs an event that was announced.
    pub(crate) fn record(&self, event: &impl Event) {
        event.count(&self.counters);
        event.log();
    }

    /// Announces samples, which are too many to be events one by one.
    pub(crate) fn announce_samples<'a>(&self, samples: impl Iterator<Item = &'a Sample>) {
        if self.hub.wants(Kind::Sample) {
            samples.for_each(|sample| self.hub.publish(What::Sample(sample.clone())));
        }
    }

    /// A watch of what happens from now on.
    pub(crate) fn watch(&self, filter: Filter) -> Events {
        self.hub.watch(filter)
    }

    /// Keeps the last events from now on, or no longer.
    pub(crate) fn keep_history(&self, keep: bool) {
        self.hub.keep_history(keep);
    }

    /// A watch that goes on after the event of this number; `None` if some of the events since then are not kept.
    pub(crate) fn resume(&self, filter: &Filter, after: u64) -> Option<Events> {
        self.hub.resume(filter, after)
    }

    /// The link to edgecore and all desired values, and the number of the last event that they show.
    pub(crate) fn latest(&self) -> (Latest, u64) {
        let latest = self.lock_latest();
        (latest.clone(), self.sequence())
    }

    /// The desired values of a device, by the names of their properties.
    pub(crate) fn desired(&self, device: &DeviceId) -> Vec<DesiredStatus> {
        self.lock_latest().desired(device)
    }

    /// The link to edgecore, and since when it is so.
    pub(crate) fn edge(&self) -> (EdgeLink, Option<SystemTime>) {
        let latest = self.lock_latest();
        (latest.edge.clone(), latest.edge_since)
    }

    /// What has last become of the twins of a device.
    pub(crate) fn traces(&self, device: &DeviceId) -> Traces {
        self.lock_traces().of(device)
    }

    /// The number of the last event that was announced.
    pub(crate) fn sequence(&self) -> u64 {
        self.hub.sequence()
    }

    /// Ends all watches when it is dropped.
    pub(crate) fn closing(&self) -> Closing {
        Closing(Arc::clone(&self.hub))
    }

    /// How long things take.
    pub(crate) fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// Counts samples, which are too many to be events one by one.
    pub(crate) fn count_samples<'a>(&self, device: &DeviceId, properties: impl ExactSizeIterator<Item = &'a str>) {
        let number = properties.len() as u64;
        self.counters.totals.reads.samples.add(number);
        self.counters.of_device(device, |device| {
            device.reads.samples.add(number);
            properties.for_each(|name| device.of_property(name, |property| property.reads.samples.add(1)));
        });
    }

    /// Counts samples that were left out since they said nothing new, which are too many to be events one by one.
    pub(crate) fn count_thinned(&self, device: &DeviceId, property: &str, twins: u64, records: u64) {
        let add = |thinned: &ThinnedCounts| {
            thinned.twins.add(twins);
            thinned.records.add(records);
        };
        add(&self.counters.totals.thinned);
        self.counters.of_device(device, |device| {
            add(&device.thinned);
            device.of_property(property, |property| add(&property.thinned));
        });
    }

    /// Counts by a device and its properties from now on, and no longer by properties that it had before.
    pub(crate) fn track_device(&self, device: &DeviceId, properties: impl Iterator<Item = Arc<str>>) {
        let properties: Vec<_> = properties.collect();
        self.lock_latest().track(device, &properties);
        self.lock_traces().track(device, &properties);
        self.counters.track_device(device, properties.into_iter());
    }

    /// Drops what was counted and kept of a device.
    pub(crate) fn forget_device(&self, device: &DeviceId) {
        self.lock_latest().forget(device);
        self.lock_traces().forget(device);
        self.counters.forget_device(device);
    }

    /// Counts by a target from now on.
    pub(crate) fn track_target(&self, target: &dyn Display) {
        self.counters.track_target(target);
    }

    /// Drops the counters of a target.
    pub(crate) fn forget_target(&self, target: &dyn Display) {
        self.counters.forget_target(target);
    }

    /// Logs the counters again and again, or never if there is no time between.
    pub(crate) async fn log_now_and_then(self, cycle: Duration) {
        while !cycle.is_zero() {
            tokio::time::sleep(cycle).await;
            self.stats().log(Moment::Running);
        }
    }

    /// Logs the counters for the last time.
    pub(crate) fn log_stopped(&self) {
        self.stats().log(Moment::Stopped);
    }

    fn lock_latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_traces(&self) -> MutexGuard<'_, TwinTraces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stats(&self) -> Stats {
        self.counters.totals.read()
    }

    pub(crate) fn device_stats(&self, device: &DeviceId) -> Option<DeviceStats> {
        self.counters.device_stats(device)
    }

    pub(crate) fn target_stats(&self, target: &dyn Display) -> Option<TargetStats> {
        self.counters.target_stats(target)
    }
}

/// Ends all watches with the mapper.
pub(crate) struct Closing(Arc<Hub>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A time in the log, as a number.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
