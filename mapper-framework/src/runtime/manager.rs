//! The owner of all devices and models. It answers at once and never waits for a device: edgecore gives a call ten seconds and
//! does not try again.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::{Id, JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    dmi::{
        client::Registration,
        command::{Command, DeviceReport, Refusal},
    },
    driver::ErasedDriver,
    model::{Device, DeviceId, DeviceInstance, DeviceModel, DeviceState, ModelId},
    sink::Series,
    telemetry::Telemetry,
    twin::{BudgetAlarm, Demand},
};

use super::{
    Dispatch, Handle,
    bound::BoundDevice,
    device_task::{Context, DeviceTask, Settings},
    handle::{DeviceSnapshot, Operation, OperationError, Request, answer},
    status::StatusCell,
};

/// How many commands of edgecore's may wait. It makes one call at a time.
pub(crate) const COMMANDS: usize = 16;

/// How many requests from within the process may wait.
const REQUESTS: usize = 64;

/// How many operations may wait for one device. More are refused, so that a device that hangs does not collect them.
const OPERATIONS: usize = 8;

/// The pause before a task that died is started again, so that a defect which comes back at once does not spin.
const AFTER_DEATH: Duration = Duration::from_secs(5);

/// Owns the map of devices and the tasks that serve them.
pub(crate) struct Manager {
    driver: Arc<dyn ErasedDriver>,
    settings: Settings,
    /// Calls a second that edgecore takes, to tell when the cycles need more.
    budget: f64,
    dispatch: Dispatch,
    telemetry: Telemetry,
    requests: mpsc::Receiver<Request>,
    models: HashMap<ModelId, DeviceModel>,
    devices: HashMap<DeviceId, Entry>,
    /// One task per device, stopped by the device's token. Reaped in [`run`](Self::run).
    tasks: JoinSet<()>,
    task_devices: HashMap<Id, DeviceId>,
    /// Devices that are removed but whose task has not ended: one that comes back waits for it.
    leaving: HashMap<DeviceId, CancellationToken>,
    /// What has been told of cycles that need more than the budget.
    budget_alarm: BudgetAlarm,
    /// Whether devices have changed since the budget was checked, which takes a look at every property of every device.
    budget_unchecked: bool,
}

struct Entry {
    instance: DeviceInstance,
    /// `None` while the device's model is not known.
    running: Option<Running>,
}

/// The manager's side of a device's task.
struct Running {
    target: watch::Sender<Arc<BoundDevice>>,
    operations: mpsc::Sender<Box<Operation>>,
    status: Arc<StatusCell>,
    /// Cancelled to end the task.
    stop: CancellationToken,
    /// Cancelled by the task when it has ended.
    ended: CancellationToken,
    task: Id,
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
        let handle = Handle { requests: sender, sinks: dispatch.sinks().clone(), telemetry: telemetry.clone() };
        let manager = Self {
            driver,
            settings,
            budget,
            dispatch,
            telemetry,
            requests,
            models: HashMap::new(),
            devices: HashMap::new(),
            tasks: JoinSet::new(),
            task_devices: HashMap::new(),
            leaving: HashMap::new(),
            budget_alarm: BudgetAlarm::default(),
            budget_unchecked: false,
        };
        (manager, handle)
    }

    /// Serves commands and requests until `stop`, and ends all devices then.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(command) = commands.recv() => self.command(command),
                Some(request) = self.requests.recv() => self.request(request),
                Some(ended) = self.tasks.join_next_with_id() => self.task_ended(ended),
            }
        }
        // Whoever still waits for an answer is told at once that there will be none.
        drop(commands);
        self.refuse_all();
        self.stop_all().await;
    }

    // ---- what edgecore asks ----

    fn command(&mut self, command: Command) {
        match command {
            Command::UpsertDevice(instance, reply) => answer(reply, self.upsert_device(*instance)),
            Command::RemoveDevice(id, reply) => answer(reply, self.remove_device(&id)),
            Command::UpsertModel(model, reply) => answer(reply, self.upsert_model(model)),
            Command::RemoveModel(id, reply) => answer(reply, self.remove_model(&id)),
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
                None => drop(self.devices.insert(id.clone(), Entry { instance, running: None })),
            }
            if is_new {
                self.telemetry.device_added(&id, properties);
            } else {
                self.telemetry.device_updated(&id);
            }
            self.apply(&id);
        }
        self.complaint(&id)
    }

    /// Brings a device's task to what its manifest and its model say now.
    fn apply(&mut self, id: &DeviceId) {
        self.budget_unchecked = true;
        let Some(entry) = self.devices.get(id) else { return };
        let Some(model) = self.models.get(&entry.instance.model) else {
            self.telemetry.device_waits_for_model(id, &entry.instance.model);
            return;
        };
        let bound =
            Arc::new(BoundDevice::new(&*self.driver, &entry.instance, model, self.dispatch.sinks(), &self.telemetry));
        let before = entry.running.as_ref().map(|running| Arc::clone(&running.target.borrow()));
        let known: HashSet<_> = before.iter().flat_map(|before| &before.problems).collect();
        for problem in bound.problems.iter().filter(|problem| !known.contains(problem)) {
            self.telemetry.problem(id, problem);
        }
        match &entry.running {
            Some(running) => drop(running.target.send_replace(bound)),
            None => self.start(id, bound, Duration::ZERO),
        }
    }

    /// Starts a device's task, which does nothing before `pause` is over.
    fn start(&mut self, id: &DeviceId, bound: Arc<BoundDevice>, pause: Duration) {
        let (target, targets) = watch::channel(bound);
        let (operations, received) = mpsc::channel(OPERATIONS);
        let (stop, ended, status) = (CancellationToken::new(), CancellationToken::new(), Arc::new(StatusCell::new()));
        let context = Context {
            driver: Arc::clone(&self.driver),
            settings: self.settings,
            dispatch: self.dispatch.clone(),
            telemetry: self.telemetry.clone(),
            status: Arc::clone(&status),
            target: targets,
            operations: received,
            stop: stop.clone(),
        };
        let predecessor = self.leaving.get(id).cloned();
        let task = self.tasks.spawn(serve(context, predecessor, pause, ended.clone().drop_guard())).id();
        self.task_devices.insert(task, id.clone());
        let running = Running { target, operations, status, stop, ended, task };
        if let Some(entry) = self.devices.get_mut(id) {
            entry.running = Some(running);
        }
    }

    fn remove_device(&mut self, id: &DeviceId) -> Result<(), Refusal> {
        let entry = self.devices.remove(id).ok_or_else(|| no_device(id))?;
        self.budget_unchecked = true;
        if let Some(running) = entry.running {
            running.stop.cancel();
            self.leaving.insert(id.clone(), running.ended);
        }
        self.dispatch.forget(id);
        self.telemetry.device_removed(id);
        Ok(())
    }

    /// Takes in a model, and starts or changes the devices that refer to it.
    fn upsert_model(&mut self, model: DeviceModel) -> Result<(), Refusal> {
        let id = model.id.clone();
        if self.models.get(&id) == Some(&model) {
            return Ok(());
        }
        self.models.insert(id.clone(), model);
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

    /// Forgets a model. Devices that were started with it go on as they are.
    fn remove_model(&mut self, id: &ModelId) -> Result<(), Refusal> {
        let removed = self.models.remove(id);
        removed.map(drop).ok_or_else(|| Refusal::NotFound(format!("there is no device model {id}")))
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
        let status = entry.running.as_ref().map(|running| running.status.read());
        let reported = status.map(|status| status.samples.into_values().collect()).unwrap_or_default();
        Ok(DeviceReport { instance: entry.instance.clone(), reported })
    }

    // ---- what is asked from within ----

    fn request(&mut self, request: Request) {
        match request {
            Request::Reconcile(registration, done) => {
                self.reconcile(registration);
                answer(done, ());
            }
            Request::Devices(reply) => {
                let mut devices: Vec<_> = self.devices.keys().cloned().collect();
                devices.sort_unstable();
                answer(reply, devices);
            }
            Request::Device(id, reply) => answer(reply, self.devices.get(&id).map(Entry::snapshot)),
            Request::Series(id, reply) => answer(reply, self.devices.get(&id).map(Entry::series)),
            Request::Operate(id, operation) => self.operate(&id, Box::new(operation)),
        }
    }

    /// Takes in all that edgecore has. What it does not name stays: an edgecore that has just started may not know it yet.
    fn reconcile(&mut self, registration: Registration) {
        for invalid in &registration.invalid {
            self.telemetry.invalid_message(invalid);
        }
        // A problem becomes the device's state, and is logged where it is found: there is nobody to answer to.
        for model in registration.models {
            drop(self.upsert_model(model));
        }
        for device in registration.devices {
            drop(self.upsert_device(device));
        }
        self.check_budget();
    }

    fn operate(&self, id: &DeviceId, operation: Box<Operation>) {
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

    /// Tells when the cycles begin to need more calls than edgecore takes, and when it has become much worse.
    fn check_budget(&mut self) {
        if !std::mem::take(&mut self.budget_unchecked) {
            return;
        }
        let running = self.devices.values().filter_map(|entry| entry.running.as_ref());
        let devices: Vec<Arc<Device>> = running.map(|running| Arc::clone(&running.target.borrow().device)).collect();
        let demand = Demand::of(devices.iter().map(|device| &**device));
        if let Some(staleness) = self.budget_alarm.check(&demand, self.budget) {
            self.telemetry.budget_exceeded(demand.calls_per_second, self.budget, staleness);
        }
    }

    // ---- tasks ----

    fn task_ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (task, died) = match ended {
            Ok((task, ())) => (task, false),
            Err(error) => (error.id(), error.is_panic()),
        };
        let Some(id) = self.task_devices.remove(&task) else { return };
        if self.leaving.get(&id).is_some_and(CancellationToken::is_cancelled) {
            self.leaving.remove(&id);
        }
        let Some(entry) = self.devices.get_mut(&id) else {
            // What the task read in its last moment is no longer of interest.
            return self.dispatch.forget(&id);
        };
        let running = entry.running.take_if(|running| running.task == task);
        if let Some(running) = running.filter(|_| died) {
            self.telemetry.task_died(&id);
            let bound = Arc::clone(&running.target.borrow());
            self.start(&id, bound, AFTER_DEATH);
        }
    }

    fn refuse_all(&mut self) {
        self.requests.close();
        while self.requests.try_recv().is_ok() {}
    }

    /// Ends all devices, and reports them offline. A session that does not close in time must not cost the reports of the others.
    async fn stop_all(&mut self) {
        for running in self.devices.values().filter_map(|entry| entry.running.as_ref()) {
            running.stop.cancel();
        }
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(self.settings.closing, ended).await.is_err() {
            self.telemetry.closing_cut_off(self.tasks.len(), self.settings.closing);
            self.tasks.abort_all();
        }
        for (id, entry) in &self.devices {
            let Some(running) = &entry.running else { continue };
            if running.target.borrow().device.state_report().is_some() {
                // After the last values: a device that is offline has no newer ones.
                self.dispatch.state(id, DeviceState::Offline, false);
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

    fn snapshot(&self) -> DeviceSnapshot {
        let Some(running) = &self.running else {
            let reason = format!("waits for the device model {}", self.instance.model);
            return DeviceSnapshot {
                device: None,
                state: DeviceState::Unknown,
                reason: Some(reason),
                samples: Vec::new(),
            };
        };
        let status = running.status.read();
        DeviceSnapshot {
            device: Some(Arc::clone(&running.target.borrow().device)),
            state: status.state,
            reason: status.reason,
            samples: status.samples.into_values().collect(),
        }
    }
}

/// The body of a device's task. A device that was removed and comes back waits until its old session is closed.
async fn serve(context: Context, predecessor: Option<CancellationToken>, pause: Duration, _ended: DropGuard) {
    if !pause.is_zero() {
        sleep(pause).await;
    }
    if let Some(predecessor) = predecessor {
        predecessor.cancelled().await;
    }
    DeviceTask::new(context).run().await;
}

fn no_device(id: &DeviceId) -> Refusal {
    Refusal::NotFound(format!("there is no device {id}"))
}
