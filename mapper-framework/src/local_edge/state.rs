//! What the edge node holds: the one owner of devices, models, mappers, twins and states.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_util::sync::CancellationToken;

use super::{CloudTwin, StoredTwin, event::Operation};
use crate::{
    dmi::generated as pb,
    manifest::{DeviceManifest, ModelManifest},
    model::{DeviceId, ModelId},
};

/// What the edge holds at a moment, to ask in [`LocalEdge::wait_until`](super::LocalEdge::wait_until).
#[derive(Debug, Default)]
pub struct EdgeState {
    /// Ends the present run; `None` while the edge does not run.
    pub(super) run: Option<CancellationToken>,
    pub(super) crashed: Option<String>,
    pub(super) counts: Counts,
    /// By protocol: an edgecore knows one socket for each.
    pub(super) mappers: BTreeMap<String, RegisteredMapper>,
    models: BTreeMap<ModelId, Arc<ModelManifest>>,
    devices: BTreeMap<DeviceId, StoredDevice>,
    /// Deleted while no mapper took the message. edgecore keeps such a device until it restarts, and gives it to the next
    /// mapper that registers.
    lingering: BTreeMap<DeviceId, Arc<DeviceManifest>>,
    pub(super) twins: BTreeMap<DeviceId, BTreeMap<String, StoredTwin>>,
    pub(super) states: BTreeMap<DeviceId, String>,
}

#[derive(Debug)]
struct StoredDevice {
    manifest: Arc<DeviceManifest>,
    /// Whether the mapper was to get it: not before its model is there.
    announced: bool,
}

/// A mapper as it has registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredMapper {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) protocol: String,
    pub(super) address: PathBuf,
    pub(super) with_data: bool,
}

impl RegisteredMapper {
    /// `MapperInfo.name`
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `MapperInfo.version`
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `MapperInfo.protocol`
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// `MapperInfo.address`: the socket that the mapper listens on.
    pub fn address(&self) -> &Path {
        &self.address
    }

    /// Whether the edge calls the mapper: it has registered with `withData`.
    pub fn is_called(&self) -> bool {
        self.with_data
    }
}

/// What has happened since the edge was built, restarts included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub(super) accepted: u64,
    pub(super) limited: u64,
    pub(super) failed: u64,
    pub(super) stored_twins: u64,
    pub(super) dropped_twins: u64,
    pub(super) stored_states: u64,
    pub(super) dropped_states: u64,
    pub(super) bus_messages: u64,
}

impl Counts {
    /// Calls of mappers that succeeded.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Calls of mappers that were too many.
    pub fn limited(&self) -> u64 {
        self.limited
    }

    /// Calls of mappers that failed for another reason.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Reported twins that were stored.
    pub fn stored_twins(&self) -> u64 {
        self.stored_twins
    }

    /// Reported twins that were dropped while their call succeeded.
    pub fn dropped_twins(&self) -> u64 {
        self.dropped_twins
    }

    /// Reported device states that were stored.
    pub fn stored_states(&self) -> u64 {
        self.stored_states
    }

    /// Reported device states that were dropped while their call succeeded.
    pub fn dropped_states(&self) -> u64 {
        self.dropped_states
    }

    /// Updates of twins and states that the edge has taken over the event bus, whatever became of them.
    pub fn bus_messages(&self) -> u64 {
        self.bus_messages
    }
}

impl EdgeState {
    /// Whether the edge listens.
    pub fn is_running(&self) -> bool {
        self.run.is_some()
    }

    /// Why the edge has crashed; `None` if it has not since its last start.
    pub fn crashed(&self) -> Option<&str> {
        self.crashed.as_deref()
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The mappers, one for each protocol.
    pub fn mappers(&self) -> impl Iterator<Item = &RegisteredMapper> {
        self.mappers.values()
    }

    /// The devices that have been applied, by name.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.devices.keys()
    }

    /// What is stored for a property; `None` before its first report.
    pub fn twin(&self, device: &DeviceId, property: &str) -> Option<&StoredTwin> {
        self.twins.get(device)?.get(property)
    }

    /// What the cloud shows for a property; `None` before its first report.
    pub fn cloud_twin(&self, device: &DeviceId, property: &str) -> Option<CloudTwin> {
        self.twin(device, property).map(CloudTwin::of)
    }

    /// Everything that is stored, by device and property.
    pub fn twins(&self) -> impl Iterator<Item = (&DeviceId, &str, &StoredTwin)> {
        let all = self.twins.iter();
        all.flat_map(|(device, twins)| twins.iter().map(move |(property, twin)| (device, property.as_str(), twin)))
    }

    /// The device's state; `None` before its first report.
    pub fn state(&self, device: &DeviceId) -> Option<&str> {
        self.states.get(device).map(String::as_str)
    }

    pub(super) fn knows(&self, device: &DeviceId) -> bool {
        self.devices.contains_key(device)
    }

    /// The mapper to call for a protocol.
    pub(super) fn callee(&self, protocol: &str) -> Option<PathBuf> {
        let mapper = self.mappers.get(protocol).filter(|mapper| mapper.with_data)?;
        Some(mapper.address.clone())
    }

    pub(super) fn device(&self, id: &DeviceId) -> Option<Arc<DeviceManifest>> {
        self.devices.get(id).map(|device| Arc::clone(&device.manifest))
    }

    pub(super) fn model(&self, id: &ModelId) -> Option<Arc<ModelManifest>> {
        self.models.get(id).cloned()
    }

    /// Whether the mapper has not got a device for want of its model.
    pub(super) fn awaits_model(&self, id: &DeviceId) -> bool {
        self.devices.get(id).is_some_and(|device| !device.announced)
    }

    /// Stores a model and returns the call that its mapper is to get; nothing if it is the same.
    pub(super) fn put_model(&mut self, model: &Arc<ModelManifest>) -> Option<Operation> {
        match self.models.insert(model.id.clone(), Arc::clone(model)) {
            None => Some(Operation::Create),
            Some(old) if old.spec != model.spec => Some(Operation::Update),
            Some(_) => None,
        }
    }

    /// Stores a device and returns the call that its mapper is to get; nothing if edgecore sees no change.
    pub(super) fn put_device(&mut self, device: &Arc<DeviceManifest>) -> Option<Operation> {
        self.lingering.remove(&device.id);
        let announced = self.models.contains_key(&device.model());
        let stored = StoredDevice { manifest: Arc::clone(device), announced };
        match self.devices.insert(device.id.clone(), stored) {
            Some(old) if old.announced => {
                let stored = self.devices.get_mut(&device.id);
                stored.into_iter().for_each(|stored| stored.announced = true);
                old.manifest.differs_from(device).then_some(Operation::Update)
            }
            Some(_) | None => Some(Operation::Create),
        }
    }

    pub(super) fn remove_model(&mut self, id: &ModelId) -> Option<Arc<ModelManifest>> {
        self.models.remove(id)
    }

    /// Removes a device with its twins and its state.
    pub(super) fn remove_device(&mut self, id: &DeviceId) -> Option<Arc<DeviceManifest>> {
        self.twins.remove(id);
        self.states.remove(id);
        self.devices.remove(id).map(|device| device.manifest)
    }

    pub(super) fn linger(&mut self, device: Arc<DeviceManifest>) {
        self.lingering.insert(device.id.clone(), device);
    }

    /// What a restart does to what is stored. A mapper that registered without data is called after it, for edgecore makes
    /// the clients anew from all mappers in its database.
    pub(super) fn restart(&mut self, forgets_mappers: bool) {
        self.lingering.clear();
        if forgets_mappers {
            self.mappers.clear();
        }
        self.mappers.values_mut().for_each(|mapper| mapper.with_data = true);
    }

    /// The message for a device; `None` while its model is not there.
    pub(super) fn message(&self, device: &DeviceManifest, with_twins: bool) -> Option<pb::Device> {
        let model = self.models.get(&device.model())?;
        let stored = self.twins.get(&device.id).filter(|_| with_twins);
        let twins = stored.into_iter().flatten().map(|(property, twin)| twin.to_proto(property)).collect();
        Some(device.to_proto(model, twins))
    }

    /// All devices of a protocol, and for each its model, as many times as there are devices.
    pub(super) fn messages(&self, protocol: &str, with_twins: bool) -> (Vec<pb::Device>, Vec<pb::DeviceModel>) {
        let stored = self.devices.values().map(|device| &device.manifest);
        stored
            .chain(self.lingering.values())
            .filter(|device| device.protocol() == protocol)
            .filter_map(|device| {
                let model = self.models.get(&device.model())?;
                Some((self.message(device, with_twins)?, model.to_proto()))
            })
            .unzip()
    }
}
