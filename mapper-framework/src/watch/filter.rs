//! Which events a watch gets.

use std::collections::HashSet;

use crate::model::DeviceId;

use super::What;

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Devices added, changed and removed.
    Device,
    /// States of devices.
    State,
    /// Samples, of which there are many.
    Sample,
    /// Properties that begin to fail, and that can be read again.
    Read,
    /// Values that broke a rule of the anomaly detection.
    Anomaly,
    /// Desired values.
    Desired,
    /// Twins reported, stored and held back.
    Twin,
    /// Sinks up and down, records rejected and lost.
    Sink,
    /// The link to edgecore.
    Edge,
    /// Cycles that need more calls than edgecore accepts.
    Budget,
}

/// A set of kinds, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u32);

impl Kinds {
    pub(super) const ALL: Self = Self(u32::MAX);

    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> u32 {
        self.0
    }

    pub(super) fn contains(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Which events a watch gets. Everything, unless it is narrowed down.
///
/// ```
/// use mapper_framework::{model::DeviceId, watch::{Filter, Kind}};
///
/// let alarms = Filter::all().kinds([Kind::State, Kind::Sink]);
/// let boiler = Filter::all().kinds([Kind::Sample]).device(DeviceId::new("default", "boiler")).property("temperature");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Filter {
    kinds: Kinds,
    /// Empty for all.
    devices: HashSet<DeviceId>,
    /// Empty for all.
    properties: HashSet<String>,
}

impl Filter {
    /// Lets everything through.
    pub fn all() -> Self {
        Self { kinds: Kinds::ALL, devices: HashSet::new(), properties: HashSet::new() }
    }

    /// Leaves out all other kinds.
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.kinds = Kinds(kinds.into_iter().fold(0, |bits, kind| bits | 1 << kind as u32));
        self
    }

    /// Leaves out what is about another device or about none. Called again, it lets a further device through.
    pub fn device(mut self, device: DeviceId) -> Self {
        self.devices.insert(device);
        self
    }

    /// Leaves out what is about a property of another name or about none. Called again, it lets a further property through.
    pub fn property(mut self, name: impl Into<String>) -> Self {
        self.properties.insert(name.into());
        self
    }

    /// Whether it lets events of this device through.
    pub fn takes_device(&self, device: &DeviceId) -> bool {
        self.devices.is_empty() || self.devices.contains(device)
    }

    /// Whether it lets an event through.
    pub fn takes(&self, what: &What) -> bool {
        what.kind().is_none_or(|kind| self.kinds.contains(kind))
            && (self.devices.is_empty() || what.device().is_some_and(|device| self.devices.contains(device)))
            && (self.properties.is_empty() || what.property().is_some_and(|name| self.properties.contains(name)))
    }

    pub(super) fn wanted_kinds(&self) -> Kinds {
        self.kinds
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::all()
    }
}
