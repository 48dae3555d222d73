//! The entries in RAM: found by device and property, and bounded.

use std::collections::HashMap;

use crate::model::DeviceId;

use super::{Outcome, Remembered, format};

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most entries.
    pub(super) entries: usize,
    /// The most bytes of all entries, as they take them in the file.
    pub(super) bytes: usize,
}

impl Limits {
    /// More than a node has properties that are written. What exceeds it belongs to devices that are long gone.
    pub(super) const DEFAULT: Self = Self { entries: 100_000, bytes: 64 << 20 };
}

/// Whose wish an entry is: a device's property.
pub(super) type Key = (DeviceId, String);

/// What is remembered.
#[derive(Debug)]
pub(super) struct Entries {
    devices: HashMap<DeviceId, DeviceEntries>,
    count: usize,
    bytes: usize,
    /// See [`WriteMemory::is_complete`](super::WriteMemory::is_complete).
    pub(super) is_complete: bool,
    limits: Limits,
}

#[derive(Debug, Default)]
struct DeviceEntries {
    /// Whether somebody has asked for the device since the start, so that it is there.
    is_seen: bool,
    properties: HashMap<String, Remembered>,
}

impl Entries {
    pub(super) fn new(limits: Limits) -> Self {
        Self { devices: HashMap::new(), count: 0, bytes: 0, is_complete: true, limits }
    }

    /// Takes in an entry of an earlier run.
    pub(super) fn load(&mut self, (device, property): Key, entry: Remembered) {
        self.put(&device, &property, entry);
    }

    pub(super) fn recall(&mut self, device: &DeviceId, property: &str) -> Option<Remembered> {
        let of_device = self.devices.get_mut(device)?;
        of_device.is_seen = true;
        of_device.properties.get(property).cloned()
    }

    pub(super) fn get(&self, (device, property): &Key) -> Option<&Remembered> {
        self.devices.get(device)?.properties.get(property)
    }

    pub(super) fn remember(&mut self, device: &DeviceId, property: &str, entry: Remembered) {
        self.put(device, property, entry).is_seen = true;
    }

    fn put(&mut self, device: &DeviceId, property: &str, entry: Remembered) -> &mut DeviceEntries {
        let size = |entry: &Remembered| format::size(device, property, entry);
        let of_device = self.devices.entry(device.clone()).or_default();
        self.bytes += size(&entry);
        match of_device.properties.insert(property.to_owned(), entry) {
            Some(before) => self.bytes -= size(&before),
            None => self.count += 1,
        }
        of_device
    }

    /// Whether there was an entry.
    pub(super) fn forget(&mut self, device: &DeviceId, property: &str) -> bool {
        let Some(of_device) = self.devices.get_mut(device) else { return false };
        let Some(gone) = of_device.properties.remove(property) else { return false };
        self.count -= 1;
        self.bytes -= format::size(device, property, &gone);
        if of_device.properties.is_empty() {
            self.devices.remove(device);
        }
        true
    }

    /// The properties of a device.
    pub(super) fn properties(&self, device: &DeviceId) -> Vec<String> {
        self.devices.get(device).map(|device| device.properties.keys().cloned().collect()).unwrap_or_default()
    }

    /// About how many bytes the entries take in the file.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&DeviceId, &str, &Remembered)> {
        self.devices.iter().flat_map(|(device, of_device)| {
            of_device.properties.iter().map(move |(property, entry)| (device, property.as_str(), entry))
        })
    }

    /// A copy to be written.
    pub(super) fn snapshot(&self) -> Vec<(Key, Remembered)> {
        self.iter().map(|(device, property, entry)| ((device.clone(), property.to_owned()), entry.clone())).collect()
    }

    /// Makes room, a tenth at once, if there are too many entries. Devices that were not seen since the start lose theirs first, what is
    /// acknowledged before what is not, and the oldest before others. Returns how many have gone.
    pub(super) fn make_room(&mut self) -> usize {
        let Limits { entries, bytes } = self.limits;
        if self.count <= entries && self.bytes <= bytes {
            return 0;
        }
        let mut all: Vec<_> = self
            .devices
            .iter()
            .flat_map(|(device, of)| of.properties.iter().map(move |(name, entry)| (device, of.is_seen, name, entry)))
            .map(|(device, is_seen, name, entry)| {
                let is_open = entry.outcome != Outcome::Acknowledged;
                ((is_seen, is_open, entry.since), (device.clone(), name.clone()))
            })
            .collect();
        all.sort_unstable();
        let before = self.count;
        for (_, (device, property)) in all {
            if self.count <= entries - entries / 10 && self.bytes <= bytes - bytes / 10 {
                break;
            }
            self.forget(&device, &property);
        }
        self.is_complete = false;
        before - self.count
    }
}
