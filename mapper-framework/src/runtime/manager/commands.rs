//! What edgecore brings: devices and models by its calls, and all of them with a registration.

use std::{collections::HashSet, sync::Arc};

use crate::{
    dmi::{
        client::Registration,
        command::{Command, DeviceReport, Refusal},
    },
    model::{DeviceId, DeviceInstance, DeviceModel, ModelId},
    runtime::{absence::Judgement, bound::BoundDevice, handle::answer},
    telemetry::devices::{
        AbsenceUnproven, DeviceAdded, DeviceGone, DeviceRemoved, DeviceUnknown, DeviceUpdated, DeviceWaitsForModel,
        FieldDoubted, MessageInvalid, ModelUnknown, NamespaceLost, ProblemFound,
    },
};

use super::{Entry, Manager};

impl Manager {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::UpsertDevice(instance, reply) => {
                self.absence.brought(&instance.id);
                answer(reply, self.upsert_device(*instance));
            }
            Command::RemoveDevice(id, reply) => {
                self.absence.removed(&id);
                self.remove_device(&id);
                answer(reply, Ok(()));
            }
            Command::UpsertModel(model, reply) => answer(reply, self.upsert_model(model)),
            Command::RemoveModel(id, reply) => {
                self.remove_model(&id);
                answer(reply, Ok(()));
            }
            Command::GetDevice(id, reply) => answer(reply, self.device_report(&id)),
        }
        self.check_budget();
    }

    /// Takes in a device, new or changed. Nothing happens if it is as it was.
    fn upsert_device(&mut self, instance: DeviceInstance) -> Result<(), Refusal> {
        let id = instance.id.clone();
        let known = self.devices.get(&id);
        let unchanged = known.is_some_and(|entry| entry.instance == instance);
        if !unchanged {
            let is_new = known.is_none();
            let properties = instance.properties.len();
            match self.devices.get_mut(&id) {
                Some(entry) => entry.instance = instance,
                None => drop(self.devices.insert(id.clone(), Entry { instance, model: None, running: None })),
            }
            if is_new {
                self.telemetry.emit(DeviceAdded { device: &id, properties });
            } else {
                self.telemetry.emit(DeviceUpdated { device: &id });
            }
            self.apply(&id);
        }
        self.problem(&id)
    }

    /// Brings a device's task to what its manifest and its model say now.
    fn apply(&mut self, id: &DeviceId) {
        self.budget_unchecked = true;
        let Some(entry) = self.devices.get_mut(id) else { return };
        let last = entry.model.as_ref().filter(|model| model.id == entry.instance.model);
        let Some(model) = self.models.get(&entry.instance.model).or(last).cloned() else {
            self.telemetry.emit(DeviceWaitsForModel { device: id, model: &entry.instance.model });
            return;
        };
        let bound = self.tasks.bind(&entry.instance, &model);
        entry.model = Some(model);
        self.telemetry.track_device(id, bound.properties.iter().map(|bound| bound.property.shared_name()));
        let before = entry.running.as_ref().map(|running| Arc::clone(&running.target.borrow()));
        match &entry.running {
            Some(running) => drop(running.target.send_replace(Arc::clone(&bound))),
            None => entry.running = Some(self.tasks.start(Arc::clone(&bound))),
        }
        self.say_what_is_wrong(&bound, before.as_deref());
    }

    /// Logs what is wrong with a device, and was not before.
    fn say_what_is_wrong(&self, bound: &BoundDevice, before: Option<&BoundDevice>) {
        let id = bound.device.id();
        let known: HashSet<_> = before.iter().flat_map(|before| &before.problems).collect();
        for problem in bound.problems.iter().filter(|problem| !known.contains(problem)) {
            self.telemetry.emit(ProblemFound { device: id, problem });
        }
        let known: HashSet<_> = before.iter().flat_map(|before| &before.doubts).collect();
        for doubt in bound.doubts.iter().filter(|doubt| !known.contains(doubt)) {
            self.telemetry.emit(FieldDoubted { device: id, doubt });
        }
        if let Some(lost) = &bound.lost
            && before.is_none()
        {
            self.telemetry.emit(NamespaceLost { device: id, reason: &lost.message });
        }
    }

    /// Ends a device. One that is not known is removed already: at an error edgecore would keep it, and bring it with the next
    /// registration.
    //= KubeEdge v1.15 to v1.23, devicetwin: a removal that fails leaves the device in the cache
    fn remove_device(&mut self, id: &DeviceId) {
        let Some(entry) = self.devices.remove(id) else {
            // It may have been served before a restart, and come back under this name.
            self.tasks.forget_writes(id);
            return self.telemetry.emit(DeviceUnknown { device: id });
        };
        self.budget_unchecked = true;
        if let Some(running) = entry.running {
            self.tasks.stop(id, running);
        }
        self.dispatch.forget(id);
        self.tasks.forget_writes(id);
        self.telemetry.emit(DeviceRemoved { device: id });
        self.telemetry.forget_device(id);
    }

    /// Takes in a model, and starts or changes the devices that refer to it.
    fn upsert_model(&mut self, model: DeviceModel) -> Result<(), Refusal> {
        let id = model.id.clone();
        if self.models.get(&id).is_some_and(|known| **known == model) {
            return Ok(());
        }
        self.models.insert(id.clone(), Arc::new(model));
        let users = self.devices.values().filter(|entry| entry.instance.model == id);
        let users: Vec<DeviceId> = users.map(|entry| entry.instance.id.clone()).collect();
        for user in &users {
            self.apply(user);
        }
        let problems: Vec<_> = users.iter().filter_map(|user| self.problem(user).err()).collect();
        match problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(()),
        }
    }

    /// Forgets a model, if it is known. Devices that were started with it go on, and their changes are held against it.
    fn remove_model(&mut self, id: &ModelId) {
        if self.models.remove(id).is_none() {
            self.telemetry.emit(ModelUnknown { model: id });
        }
    }

    /// What is wrong with a device, if anything is. What was good of it is in force.
    fn problem(&self, id: &DeviceId) -> Result<(), Refusal> {
        let running = self.devices.get(id).and_then(|entry| entry.running.as_ref());
        match running.and_then(|running| running.target.borrow().problem()) {
            Some(problem) => Err(Refusal::Invalid(format!("device {id}: {problem}"))),
            None => Ok(()),
        }
    }

    fn device_report(&self, id: &DeviceId) -> Result<DeviceReport, Refusal> {
        let entry = self.devices.get(id).ok_or_else(|| no_device(id))?;
        let reported = entry.running.as_ref().map(|running| running.status.reported()).unwrap_or_default();
        Ok(DeviceReport { instance: entry.instance.clone(), reported })
    }

    /// Takes in all that edgecore has, and removes what it no longer has. Returns whether only another registration shows what that is.
    ///
    /// Of a later list on the same connection only what is not known counts: edgecore brings each change by a call, which may be newer than the
    /// list, and an old desired value must not come back with it.
    pub(super) fn reconcile(&mut self, registration: Registration, is_first: bool) -> bool {
        let removed = self.absence.take_removed();
        if is_first {
            self.absence.restart();
        }
        let named = registration.devices.iter().map(|device| device.id.clone()).collect();
        let Judgement { gone, is_open, unproven } =
            self.absence.judge(named, registration.invalid.is_empty(), self.devices.keys());
        for device in &gone {
            self.telemetry.emit(DeviceGone { device });
            self.remove_device(device);
        }
        if unproven > 0 {
            self.telemetry.emit(AbsenceUnproven { devices: unproven });
        }
        for invalid in &registration.invalid {
            self.telemetry.emit(MessageInvalid { reason: invalid });
        }
        // A problem becomes the device's state, and is logged where it is found: there is nobody to answer to.
        for model in registration.models {
            if is_first || !self.models.contains_key(&model.id) {
                drop(self.upsert_model(model));
            }
        }
        for device in registration.devices {
            if is_first || !(self.devices.contains_key(&device.id) || removed.contains(&device.id)) {
                drop(self.upsert_device(device));
            }
        }
        self.check_budget();
        is_open
    }
}

fn no_device(id: &DeviceId) -> Refusal {
    Refusal::NotFound(format!("there is no device {id}"))
}
