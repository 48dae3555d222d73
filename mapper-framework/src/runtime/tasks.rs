//! The tasks of the devices: starts them, stops them, and learns of their end.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    sync::{mpsc, watch},
    task::{Id, JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    driver::ErasedDriver,
    model::{DeviceId, DeviceInstance, DeviceModel, ReportRules},
    stream::FrameSlot,
    telemetry::{Telemetry, sessions::ClosingCutOff},
    writes::{AuditFile, WriteMemory},
};

use super::{
    Dispatch,
    bound::BoundDevice,
    call::Fence,
    device_task::DeviceTask,
    order::Operation,
    served::{Context, Settings},
    status::StatusCell,
    watchdog::Watchdog,
};

/// How many operations may wait for one device. More are refused, so that a device that hangs does not collect them.
const OPERATIONS: usize = 8;

/// The pause before a task that died is started again, so that a defect which comes back at once does not spin.
const AFTER_DEATH: Duration = Duration::from_secs(5);

/// One task per device, and what all of them are given.
pub(super) struct Tasks {
    driver: Arc<dyn ErasedDriver>,
    settings: Settings,
    dispatch: Dispatch,
    telemetry: Telemetry,
    watchdog: Watchdog,
    /// Each stopped by its device's token. Reaped by [`next_ended`](Self::next_ended).
    running: JoinSet<()>,
    devices: HashMap<Id, DeviceId>,
    /// Devices that are removed but whose task has not ended: one that comes back waits for it.
    leaving: HashMap<DeviceId, CancellationToken>,
}

/// The manager's side of a device's task.
pub(super) struct Running {
    pub(super) target: watch::Sender<Arc<BoundDevice>>,
    pub(super) operations: mpsc::Sender<Box<Operation>>,
    pub(super) status: Arc<StatusCell>,
    /// Its newest frame. Readers of it end when this and the task are gone.
    pub(super) frames: Arc<FrameSlot>,
    /// Cancelled to end the task.
    stop: CancellationToken,
    /// Cancelled by the task when it has ended.
    ended: CancellationToken,
    pub(super) task: Id,
}

/// A task that has ended.
pub(super) struct EndedTask {
    pub(super) device: DeviceId,
    pub(super) task: Id,
    /// Whether it died, and did not end as it was asked to.
    pub(super) died: bool,
}

impl Tasks {
    pub(super) fn new(
        driver: Arc<dyn ErasedDriver>,
        settings: Settings,
        dispatch: Dispatch,
        telemetry: Telemetry,
    ) -> Self {
        let watchdog = Watchdog::start(&telemetry);
        let (running, devices, leaving) = Default::default();
        Self { driver, settings, dispatch, telemetry, watchdog, running, devices, leaving }
    }

    pub(super) fn keep_writes(&mut self, memory: WriteMemory, audit: AuditFile) {
        (self.settings.writes.memory, self.settings.writes.audit) = (memory, audit);
    }

    /// Which samples twins get, unless their manifests say otherwise.
    pub(super) fn twins(&self) -> &ReportRules {
        &self.settings.twins
    }

    /// Has the driver read a device.
    pub(super) fn bind(&self, instance: &DeviceInstance, model: &DeviceModel) -> Arc<BoundDevice> {
        let (fence, settings) = (self.fence(&instance.id), &self.settings);
        Arc::new(BoundDevice::new(&*self.driver, instance, model, settings, self.dispatch.sinks(), &fence))
    }

    /// Starts a device's task.
    pub(super) fn start(&mut self, bound: Arc<BoundDevice>) -> Running {
        self.start_after(bound, Duration::ZERO)
    }

    /// Starts a device's task again that has died.
    pub(super) fn restart(&mut self, died: &Running) -> Running {
        let bound = Arc::clone(&died.target.borrow());
        self.start_after(bound, AFTER_DEATH)
    }

    /// Starts a device's task, which does nothing before `pause` is over.
    fn start_after(&mut self, bound: Arc<BoundDevice>, pause: Duration) -> Running {
        let id = bound.device.id().clone();
        let (target, targets) = watch::channel(bound);
        let (operations, received) = mpsc::channel(OPERATIONS);
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let (status, frames) = (Arc::new(StatusCell::new()), FrameSlot::new());
        let context = Context {
            driver: Arc::clone(&self.driver),
            settings: self.settings.clone(),
            fence: Arc::new(self.fence(&id)),
            dispatch: self.dispatch.clone(),
            telemetry: self.telemetry.clone(),
            status: Arc::clone(&status),
            frames: Arc::clone(&frames),
            target: targets,
            operations: received,
            stop: stop.clone(),
        };
        let predecessor = self.leaving.get(&id).cloned();
        let task = self.running.spawn(serve(context, predecessor, pause, ended.clone().drop_guard())).id();
        self.devices.insert(task, id);
        Running { target, operations, status, frames, stop, ended, task }
    }

    /// Ends the task of a device that is removed.
    pub(super) fn stop(&mut self, device: &DeviceId, running: Running) {
        running.stop.cancel();
        self.leaving.insert(device.clone(), running.ended);
    }

    /// Forgets what was written to a device that is gone. It is gone from the disk a little later.
    pub(super) fn forget_writes(&self, device: &DeviceId) {
        self.settings.writes.memory.forget_device(device).now_or_never();
    }

    /// Waits for the next task to end. `None` when none runs.
    pub(super) async fn next_ended(&mut self) -> Option<EndedTask> {
        loop {
            let ended = self.running.join_next_with_id().await?;
            if let Some(ended) = self.ended(ended) {
                return Some(ended);
            }
        }
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) -> Option<EndedTask> {
        let (task, died) = match ended {
            Ok((task, ())) => (task, false),
            Err(error) => (error.id(), error.is_panic()),
        };
        let device = self.devices.remove(&task)?;
        if self.leaving.get(&device).is_some_and(CancellationToken::is_cancelled) {
            self.leaving.remove(&device);
        }
        Some(EndedTask { device, task, died })
    }

    /// Ends all tasks. A session that does not close in time is cut off, so that it does not cost the reports of the others.
    pub(super) async fn stop_all(&mut self, running: impl Iterator<Item = &Running>) {
        running.for_each(|running| running.stop.cancel());
        let patience = self.settings.closing;
        let ended = async { while self.running.join_next().await.is_some() {} };
        if timeout(patience, ended).await.is_err() {
            self.telemetry.emit(ClosingCutOff { devices: self.running.len(), patience });
            self.running.abort_all();
        }
    }

    fn fence(&self, device: &DeviceId) -> Fence {
        Fence::new(device, self.settings.call_timeout, &self.telemetry, &self.watchdog)
    }
}

/// The body of a device's task. A device that was removed and comes back waits until its old session is closed.
async fn serve(context: Context, predecessor: Option<CancellationToken>, pause: Duration, _ended: DropGuard) {
    if !pause.is_zero() {
        sleep(pause).await;
    }
    if let Some(predecessor) = predecessor {
        predecessor.cancelled().await;
        // The device was removed: what is desired of it now is new.
        let device = context.target.borrow().device.id().clone();
        context.settings.writes.memory.forget_device(&device).await;
    }
    DeviceTask::new(context).run().await;
}
