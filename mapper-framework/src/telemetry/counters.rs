//! The counters: of the whole mapper, of each device and its properties, and of each target.

use std::{
    collections::HashMap,
    fmt::Display,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::model::DeviceId;

use super::stats::{
    DeviceStats, PropertyStats, ReadCounts, ReportCounts, SessionCounts, SinkCounts, SpoolCounts, TargetStats,
    ThinnedCounts, Totals, WriteCounts,
};

/// One counter.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Relaxed);
    }

    pub(super) fn read(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// All counters of a mapper. Their number is bounded by that of the devices' properties and the targets: what is not tracked is counted
/// in the totals only. The locks are held for one look-up or one change of a map.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(super) totals: Totals,
    devices: RwLock<HashMap<DeviceId, Arc<DeviceCounters>>>,
    targets: RwLock<HashMap<String, Arc<TargetCounters>>>,
}

/// The counters of one device.
#[derive(Debug, Default)]
pub(super) struct DeviceCounters {
    pub(super) sessions: SessionCounts,
    pub(super) reads: ReadCounts,
    pub(super) writes: WriteCounts,
    pub(super) reports: ReportCounts,
    pub(super) thinned: ThinnedCounts,
    properties: RwLock<HashMap<Arc<str>, Arc<PropertyCounters>>>,
}

/// The counters of one property.
#[derive(Debug, Default)]
pub(super) struct PropertyCounters {
    pub(super) reads: ReadCounts,
    pub(super) writes: WriteCounts,
    pub(super) thinned: ThinnedCounts,
}

/// The counters of one target.
#[derive(Debug, Default)]
pub(super) struct TargetCounters {
    pub(super) sinks: SinkCounts,
    pub(super) spool: SpoolCounts,
}

impl Counters {
    /// Counts by a device and these properties from now on. Properties that it had before keep their counters, others lose them.
    pub(super) fn track_device(&self, device: &DeviceId, properties: impl Iterator<Item = Arc<str>>) {
        let counters = Arc::clone(write(&self.devices).entry(device.clone()).or_default());
        let mut kept = write(&counters.properties);
        let mut before = std::mem::take(&mut *kept);
        kept.extend(properties.map(|name| {
            let counters = before.remove(&name).unwrap_or_default();
            (name, counters)
        }));
    }

    pub(super) fn forget_device(&self, device: &DeviceId) {
        write(&self.devices).remove(device);
    }

    /// Counts by a target from now on.
    pub(super) fn track_target(&self, target: &dyn Display) {
        write(&self.targets).entry(target.to_string()).or_default();
    }

    pub(super) fn forget_target(&self, target: &dyn Display) {
        write(&self.targets).remove(&target.to_string());
    }

    pub(super) fn of_device(&self, device: &DeviceId, add: impl FnOnce(&DeviceCounters)) {
        let counters = read(&self.devices).get(device).cloned();
        if let Some(counters) = counters.as_deref() {
            add(counters);
        }
    }

    pub(super) fn at_target(&self, target: &dyn Display, add: impl FnOnce(&TargetCounters)) {
        let counters = read(&self.targets).get(&target.to_string()).cloned();
        if let Some(counters) = counters.as_deref() {
            add(counters);
        }
    }

    pub(super) fn device_stats(&self, device: &DeviceId) -> Option<DeviceStats> {
        read(&self.devices).get(device).map(|counters| counters.read())
    }

    pub(super) fn target_stats(&self, target: &dyn Display) -> Option<TargetStats> {
        let targets = read(&self.targets);
        let TargetCounters { sinks, spool } = &**targets.get(&target.to_string())?;
        Some(TargetStats { sinks: sinks.read(), spool: spool.read() })
    }
}

impl DeviceCounters {
    pub(super) fn of_property(&self, property: &str, add: impl FnOnce(&PropertyCounters)) {
        if let Some(counters) = read(&self.properties).get(property) {
            add(counters);
        }
    }

    fn read(&self) -> DeviceStats {
        let properties = read(&self.properties);
        let figures = |counters: &PropertyCounters| PropertyStats {
            reads: counters.reads.read(),
            writes: counters.writes.read(),
            thinned: counters.thinned.read(),
        };
        DeviceStats {
            sessions: self.sessions.read(),
            reads: self.reads.read(),
            writes: self.writes.read(),
            reports: self.reports.read(),
            thinned: self.thinned.read(),
            properties: properties.iter().map(|(name, counters)| (Arc::clone(name), figures(counters))).collect(),
        }
    }
}

/// A counter that a panic was in the middle of is no less usable.
fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
