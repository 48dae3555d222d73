//! The owner of all devices and models. It answers at once and never waits for a device: edgecore gives a call ten seconds and
//! does not try again.

mod commands;
mod requests;

use std::{collections::HashMap, sync::Arc};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    dmi::command::Command,
    driver::ErasedDriver,
    model::{Device, DeviceId, DeviceInstance, DeviceModel, DeviceState, ModelId},
    telemetry::{Telemetry, edge::BudgetExceeded, mapper::DeviceTaskDied},
    twin::{BudgetAlarm, Demand, Urgency, rounded},
    writes::{AuditFile, WriteMemory},
};

use super::{
    Dispatch, Handle,
    absence::Absence,
    handle::Request,
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
    /// Why it has no task.
    pub(super) fn waits_for_model(&self) -> String {
        format!("waits for the device model {}", self.instance.model)
    }
}
