//! The owner of all devices and models. It answers at once and never waits for a device: edgecore gives a call ten seconds and
//! does not try again.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    dmi::{
        client::Registration,
        command::{Command, DeviceReport, Refusal},
    },
    driver::ErasedDriver,
    model::{Device, DeviceId, DeviceInstance, DeviceModel, DeviceState, ModelId},
    sink::Series,
    telemetry::{
        Telemetry,
        devices::{
            AbsenceUnproven, DeviceAdded, DeviceGone, DeviceRemoved, DeviceUnknown, DeviceUpdated, DeviceWaitsForModel,
            FieldDoubted, MessageInvalid, ModelUnknown, NamespaceLost, ProblemFound,
        },
        edge::BudgetExceeded,
        mapper::DeviceTaskDied,
    },
    twin::{BudgetAlarm, Demand, Urgency, rounded},
    watch::{DesiredStatus, Filter},
    writes::{AuditFile, WriteMemory},
};

use super::{
    Dispatch, Handle, InspectedModel, Snapshot,
    absence::{Absence, Judgement},
    bound::BoundDevice,
    handle::{DeviceSnapshot, NoFrames, OperationError, Request, answer},
    order::Operation,
    served::Settings,
    tasks::{EndedTask, Running, Tasks},
};

/// How many commands of edgecore's may wait. It makes one call at a time.
pub(crate) const COMMANDS: usize = 16;

/// How many requests from within the process may wait.
const REQUESTS: usize = 64;

/// Owns the map of devices and the tasks that serve them.
pub(crate) struct Manager {
    /// Calls a second that edgecore takes, to see when the cycles need more.
    budget: f64,
    dispatch: Dispatch,
    telemetry: Telemetry,
    requests: mpsc::Receiver<Request>,
    models: HashMap<ModelId, Arc<DeviceModel>>,
    devices: HashMap<DeviceId, Entry>,
    tasks: Tasks,
    /// Which devices edgecore no longer names.
    absence: Absence,
    /// What has been reported of cycles that need more than the budget.
    budget_alarm: BudgetAlarm,
    /// Whether devices have changed since the budget was checked, which takes a look at every property of every device.
    budget_unchecked: bool,
}

/// A device.
pub(super) struct Entry {
    pub(super) instance: DeviceInstance,
    /// The model that the device was last served by. It may have been removed since: KubeEdge removes a device's model first.
    model: Option<Arc<DeviceModel>>,
    /// `None` while the device's model is not known.
    pub(super) running: Option<Running>,
}

impl Manager {
    pub(crate) fn new(
        driver: Arc<dyn ErasedDriver>,
        settings: Settings,
        budget: f64,
        dispatch: Dispatch,
        telemetry: Telemetry,
    ) -> (Self, Handle) {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let handle = Handle {
            requests: sender,
            sinks: dispatch.sinks().clone(),
            telemetry: telemetry.clone(),
            recordings: settings.recordings.clone(),
            http: Arc::default(),
        };
        let tasks = Tasks::new(driver, settings, dispatch.clone(), telemetry.clone());
        let manager = Self {
            budget,
            dispatch,
            telemetry,
            requests,
            models: HashMap::new(),
            devices: HashMap::new(),
            tasks,
            absence: Absence::default(),
            budget_alarm: BudgetAlarm::default(),
            budget_unchecked: false,
        };
        (manager, handle)
    }

    /// Keeps writes there. To be called before it runs.
    pub(crate) fn keep_writes(&mut self, memory: WriteMemory, audit: AuditFile) {
        self.tasks.keep_writes(memory, audit);
    }

    /// Serves commands and requests until `stop`, and ends all devices then.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(command) = commands.recv() => self.command(command),
                Some(request) = self.requests.recv() => self.request(request),
                Some(ended) = self.tasks.next_ended() => self.task_ended(ended),
            }
        }
        // Whoever still waits gets the answer at once that the mapper is stopping.
        drop(commands);
        self.refuse_all();
        self.stop_all().await;
    }

    // ---- what edgecore asks ----

    fn command(&mut self, command: Command) {
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
        self.complaint(&id)
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
        let complaints: Vec<_> = users.iter().filter_map(|user| self.complaint(user).err()).collect();
        match complaints.into_iter().next() {
            Some(complaint) => Err(complaint),
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
    fn complaint(&self, id: &DeviceId) -> Result<(), Refusal> {
        let running = self.devices.get(id).and_then(|entry| entry.running.as_ref());
        match running.and_then(|running| running.target.borrow().complaint()) {
            Some(complaint) => Err(Refusal::Invalid(format!("device {id}: {complaint}"))),
            None => Ok(()),
        }
    }

    fn device_report(&self, id: &DeviceId) -> Result<DeviceReport, Refusal> {
        let entry = self.devices.get(id).ok_or_else(|| no_device(id))?;
        let reported = entry.running.as_ref().map(|running| running.status.reported()).unwrap_or_default();
        Ok(DeviceReport { instance: entry.instance.clone(), reported })
    }

    // ---- what is asked from within ----

    fn request(&mut self, request: Request) {
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

    /// Takes in all that edgecore has, and removes what it no longer has. Returns whether only another registration shows what that is.
    ///
    /// Of a later list on the same connection only what is not known counts: edgecore brings each change by a call, which may be newer than the
    /// list, and an old desired value must not come back with it.
    fn reconcile(&mut self, registration: Registration, is_first: bool) -> bool {
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

    // ---- budget ----

    /// Reports when the cycles begin to need more calls than edgecore takes, and when it has become much worse.
    fn check_budget(&mut self) {
        if !std::mem::take(&mut self.budget_unchecked) {
            return;
        }
        let demand = self.demand();
        if let Some(staleness) = self.budget_alarm.check(&demand, self.budget) {
            let (needed, at_most) = (rounded(demand.calls_per_second), rounded(demand.at_most));
            let (budget, advice) = (self.budget, demand.advice(self.budget).to_string());
            self.telemetry.emit(BudgetExceeded { needed, at_most, budget, staleness, advice: &advice });
        }
    }

    /// What the reports of all devices cost.
    fn demand(&self) -> Demand {
        let running = self.devices.values().filter_map(|entry| entry.running.as_ref());
        let devices: Vec<Arc<Device>> = running.map(|running| Arc::clone(&running.target.borrow().device)).collect();
        Demand::of(devices.iter().map(|device| &**device), self.tasks.twins())
    }

    // ---- tasks ----

    fn task_ended(&mut self, EndedTask { device, task, died }: EndedTask) {
        let Some(entry) = self.devices.get_mut(&device) else {
            // What the task read and wrote in its last moment is no longer of interest.
            self.tasks.forget_writes(&device);
            return self.dispatch.forget(&device);
        };
        if let Some(running) = entry.running.as_mut().filter(|running| running.task == task) {
            if died {
                self.telemetry.emit(DeviceTaskDied { device: &device });
                *running = self.tasks.restart(running);
            } else {
                entry.running = None;
            }
        }
    }

    fn refuse_all(&mut self) {
        self.requests.close();
        while self.requests.try_recv().is_ok() {}
    }

    /// Ends all devices, and reports them offline.
    async fn stop_all(&mut self) {
        self.tasks.stop_all(self.devices.values().filter_map(|entry| entry.running.as_ref())).await;
        for (id, entry) in &self.devices {
            let Some(running) = &entry.running else { continue };
            if running.target.borrow().device.state_report().is_some() {
                // After the last values: a device that is offline has no newer ones.
                self.dispatch.state(id, DeviceState::Offline, Urgency::Ordinary);
            }
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

    /// Why it has no task.
    pub(super) fn waits_for_model(&self) -> String {
        format!("waits for the device model {}", self.instance.model)
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

fn no_device(id: &DeviceId) -> Refusal {
    Refusal::NotFound(format!("there is no device {id}"))
}
