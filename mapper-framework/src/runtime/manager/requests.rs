//! What is asked from within the process: what the devices are and have, and orders for them.

use std::{collections::HashMap, sync::Arc};

use crate::{
    model::{DeviceState, ModelId},
    runtime::{
        InspectedModel, Snapshot,
        handle::{DeviceSnapshot, NoFrames, OperationError, Request, answer},
        order::Operation,
    },
    sink::Series,
    telemetry::Telemetry,
    watch::{DesiredStatus, Filter},
};

use super::{Entry, Manager};

impl Manager {
    pub(super) fn request(&mut self, request: Request) {
        match request {
            Request::Reconcile(registration, is_first, reply) => {
                let is_open = self.reconcile(registration, is_first);
                answer(reply, is_open);
            }
            Request::Devices(reply) => {
                let mut devices: Vec<_> = self.devices.keys().cloned().collect();
                devices.sort_unstable();
                answer(reply, devices);
            }
            Request::Device(id, reply) => {
                let entry = self.devices.get(&id);
                answer(reply, entry.map(|entry| entry.snapshot(&self.telemetry, self.telemetry.desired(&id))));
            }
            Request::Snapshot(filter, reply) => answer(reply, self.snapshot(&filter)),
            Request::Fleet(reply) => {
                let mut fleet: Vec<_> = self.devices.values().map(Entry::summary).collect();
                fleet.sort_unstable_by(|a, b| a.id.cmp(&b.id));
                answer(reply, fleet);
            }
            Request::Inspect(id, reply) => {
                let entry = self.devices.get(&id);
                answer(reply, entry.map(|entry| Box::new(entry.inspect(&self.telemetry))));
            }
            Request::Frames(id, reply) => {
                let entry = self.devices.get(&id).ok_or(NoFrames::NoDevice);
                answer(reply, entry.and_then(|entry| entry.frames().ok_or(NoFrames::NoStream)));
            }
            Request::Demand(reply) => answer(reply, self.demand()),
            Request::Models(reply) => answer(reply, self.inspect_models()),
            Request::Series(id, reply) => answer(reply, self.devices.get(&id).map(Entry::series)),
            Request::Operate(operation) => self.operate(operation),
        }
    }

    fn inspect_models(&self) -> Vec<InspectedModel> {
        let mut devices: HashMap<&ModelId, usize> = HashMap::new();
        for entry in self.devices.values() {
            *devices.entry(&entry.instance.model).or_default() += 1;
        }
        let users = |id: &ModelId| devices.get(id).copied().unwrap_or_default();
        let models = self.models.values();
        let mut models: Vec<_> =
            models.map(|model| InspectedModel { model: Arc::clone(model), devices: users(&model.id) }).collect();
        models.sort_unstable_by(|a, b| a.model.id.cmp(&b.model.id));
        models
    }

    fn snapshot(&self, filter: &Filter) -> Snapshot {
        let (latest, sequence) = self.telemetry.latest();
        let wanted = self.devices.iter().filter(|(id, _)| filter.takes_device(id));
        let snapshot = |entry: &Entry, id| entry.snapshot(&self.telemetry, latest.desired(id));
        let mut devices: Vec<_> = wanted.map(|(id, entry)| (id.clone(), snapshot(entry, id))).collect();
        devices.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Snapshot { sequence, devices, sinks: Vec::new(), edge: latest.edge }
    }

    fn operate(&self, operation: Box<Operation>) {
        let id = operation.order.device.clone();
        let id = &id;
        let unavailable = |reason: &str| OperationError::Unavailable { device: id.clone(), reason: reason.to_owned() };
        let refuse = |operation: Box<Operation>, error| answer(operation.reply, Err(error));
        let Some(entry) = self.devices.get(id) else {
            return refuse(operation, OperationError::NotFound(format!("there is no device {id}")));
        };
        let Some(running) = &entry.running else {
            return refuse(operation, unavailable("its device model is not known yet"));
        };
        if let Err(error) = running.operations.try_send(operation) {
            refuse(error.into_inner(), unavailable("it has too much to do already"));
        }
    }
}

impl Entry {
    /// The series of the device's properties that go to sinks.
    fn series(&self) -> Vec<Arc<Series>> {
        let bound = self.running.as_ref().map(|running| Arc::clone(&running.target.borrow()));
        let properties = bound.iter().flat_map(|bound| &bound.properties);
        properties.flat_map(|property| property.feeds.iter().map(|feed| Arc::clone(feed.series()))).collect()
    }

    fn snapshot(&self, telemetry: &Telemetry, mut desired: Vec<DesiredStatus>) -> DeviceSnapshot {
        let Some(running) = &self.running else {
            return DeviceSnapshot {
                device: None,
                state: DeviceState::Unknown,
                reason: Some(self.waits_for_model()),
                since: None,
                samples: Vec::new(),
                failures: Vec::new(),
                desired: Vec::new(),
                as_of: telemetry.sequence(),
            };
        };
        let (status, as_of) = running.status.read_as_of(telemetry);
        let device = Arc::clone(&running.target.borrow().device);
        // No event says that a desired value is gone.
        desired.retain(|it| device.property(&it.property).is_some_and(|property| property.desired().is_some()));
        DeviceSnapshot {
            device: Some(device),
            state: status.state,
            reason: status.reason,
            since: Some(status.since),
            samples: status.samples.into_values().collect(),
            failures: status.failures.into_values().collect(),
            desired,
            as_of,
        }
    }
}
