//! The task of one device: connects, serves the session until it ends, and connects again.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    driver::{ErasedDriver, ErasedSession},
    model::{Device, DeviceId, DeviceState, Sample},
    telemetry::Telemetry,
};

use super::{
    Dispatch,
    bound::BoundDevice,
    call::fenced,
    handle::{Operation, OperationError, answer},
    session::{End, LiveSession},
    slot::{Origin, Slot},
    status::StatusCell,
};

/// The pause before a device is connected to again, at first.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How the runtime treats drivers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long a call into the driver may take.
    pub(crate) call_timeout: Duration,
    /// The longest pause between two attempts to connect.
    pub(crate) backoff_max: Duration,
    /// How long sessions may take to close when the mapper stops.
    pub(crate) closing: Duration,
}

/// What a device's task is given by the manager.
pub(super) struct Context {
    pub(super) driver: Arc<dyn ErasedDriver>,
    pub(super) settings: Settings,
    pub(super) dispatch: Dispatch,
    pub(super) telemetry: Telemetry,
    pub(super) status: Arc<StatusCell>,
    /// The device as edgecore wants it; the latest one counts.
    pub(super) target: watch::Receiver<Arc<BoundDevice>>,
    /// In boxes: a channel has room for 32 from the start, for each device.
    pub(super) operations: mpsc::Receiver<Box<Operation>>,
    /// Cancelled when the device is removed or the mapper stops.
    pub(super) stop: CancellationToken,
}

/// Owns everything of one device.
pub(super) struct DeviceTask {
    pub(super) context: Context,
    /// The device as it is served.
    pub(super) bound: Arc<BoundDevice>,
    pub(super) slots: Vec<Slot>,
    /// The pauses between attempts to connect. Only a steady session starts them over.
    pub(super) backoff: Backoff,
    /// When the device's state is reported next; `None` if its manifest wants no reports.
    pub(super) state_due: Option<Instant>,
}

/// Why waiting for a session was interrupted.
enum Interruption {
    Stopped,
    /// The device is to be connected to in another way.
    Reconfigured,
}

impl DeviceTask {
    pub(super) fn new(mut context: Context) -> Self {
        let bound = Arc::clone(&context.target.borrow_and_update());
        let slots = Slot::adopt(Vec::new(), &bound, &context.telemetry, Instant::now());
        let backoff = Backoff::new(FIRST_PAUSE, context.settings.backoff_max);
        let state_due = bound.device.state_report().map(|report| Instant::now() + report.cycle);
        Self { context, bound, slots, backoff, state_due }
    }

    /// Serves the device until it is stopped.
    pub(super) async fn run(mut self) {
        self.serve().await;
        self.context.operations.close();
        while let Ok(operation) = self.context.operations.try_recv() {
            self.refuse(*operation, End::Stopped.to_string());
        }
    }

    async fn serve(&mut self) {
        while let Some(session) = self.connect().await {
            match LiveSession::new(self, session).serve().await {
                End::Stopped => break,
                End::Reconfigured => {}
                End::Lost(reason) | End::Silent(reason) => {
                    self.context.telemetry.session_lost(self.id(), &reason);
                    self.set_state(DeviceState::Disconnected, Some(reason));
                    let pause = self.backoff.next();
                    if self.pause(pause).await.is_err() {
                        break;
                    }
                }
            }
        }
    }

    pub(super) fn id(&self) -> &DeviceId {
        self.bound.device.id()
    }

    /// Connects, however often it takes. `None` when the device is stopped.
    async fn connect(&mut self) -> Option<Box<dyn ErasedSession>> {
        loop {
            if let Some(problem) = &self.bound.config_problem {
                self.set_state(DeviceState::Unhealthy, Some(problem.to_string()));
                match self.interrupted().await {
                    Interruption::Stopped => return None,
                    Interruption::Reconfigured => continue,
                }
            }
            match self.attempt().await {
                Ok(Ok(session)) => {
                    self.context.telemetry.connected(self.id());
                    return Some(session);
                }
                Ok(Err(error)) => {
                    let pause = self.backoff.next();
                    self.context.telemetry.connect_failed(self.id(), &error, self.backoff.attempts(), pause);
                    self.set_state(DeviceState::Disconnected, Some(error));
                    if self.pause(pause).await.is_err() {
                        return None;
                    }
                }
                Err(Interruption::Stopped) => return None,
                Err(Interruption::Reconfigured) => self.backoff.reset(),
            }
        }
    }

    /// Calls the driver's `connect` once.
    async fn attempt(&mut self) -> Result<Result<Box<dyn ErasedSession>, String>, Interruption> {
        let (driver, device) = (Arc::clone(&self.context.driver), Arc::clone(&self.bound.device));
        let telemetry = self.context.telemetry.clone();
        let call = async { driver.connect(&device).await.map_err(|error| error.to_string()) };
        let deadline = self.context.settings.call_timeout;
        tokio::select! {
            // A device that is removed before its turn is not connected to.
            biased;
            interruption = self.interrupted() => Err(interruption),
            session = fenced(device.id(), "connect", deadline, &telemetry, call) => Ok(session.flatten()),
        }
    }

    /// Makes a call on a session within its deadline, unless the device is stopped meanwhile.
    pub(super) async fn call<T>(&self, operation: &'static str, call: impl Future<Output = T>) -> Result<T, End> {
        let Context { settings, telemetry, stop, .. } = &self.context;
        tokio::select! {
            biased;
            value = fenced(self.id(), operation, settings.call_timeout, telemetry, call) => value.map_err(End::Lost),
            () = stop.cancelled() => Err(End::Stopped),
        }
    }

    /// Waits. An interruption that asks for another connection ends the wait; `Err` when the device is stopped.
    async fn pause(&mut self, pause: Duration) -> Result<(), ()> {
        tokio::select! {
            () = sleep(pause) => Ok(()),
            interruption = self.interrupted() => match interruption {
                Interruption::Reconfigured => Ok(()),
                Interruption::Stopped => Err(()),
            },
        }
    }

    /// Does what can be done without a session, until something happens for which waiting makes no sense.
    async fn interrupted(&mut self) -> Interruption {
        let stop = self.context.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Interruption::Stopped,
                changed = self.context.target.changed() => {
                    if changed.is_err() {
                        return Interruption::Stopped;
                    }
                    if !self.adopt_target() {
                        return Interruption::Reconfigured;
                    }
                }
                () = sleep_until(self.state_due.unwrap_or_else(Instant::now)), if self.state_due.is_some() => {
                    self.repeat_state();
                }
                Some(operation) = self.context.operations.recv() => {
                    let (_, reason) = self.context.status.state();
                    self.refuse(*operation, reason.unwrap_or_else(|| "it is not connected yet".to_owned()));
                }
            }
        }
    }

    fn refuse(&self, operation: Operation, reason: String) {
        answer(operation.reply, Err(OperationError::Unavailable { device: self.id().clone(), reason }));
    }

    /// Takes in the device as edgecore wants it now. False if that needs another session.
    pub(super) fn adopt_target(&mut self) -> bool {
        let target = Arc::clone(&self.context.target.borrow_and_update());
        let connects_like = target.connects_like(&self.bound);
        let before = std::mem::take(&mut self.slots);
        self.slots = Slot::adopt(before, &target, &self.context.telemetry, Instant::now());
        self.context.status.retain(|name| target.device.property(name).is_some());
        self.bound = target;
        let cycle = self.bound.device.state_report().map(|report| report.cycle);
        self.state_due = cycle.map(|cycle| self.state_due.unwrap_or_else(|| Instant::now() + cycle));
        connects_like
    }

    /// Makes a state known, at once if it is new.
    pub(super) fn set_state(&self, state: DeviceState, reason: Option<String>) {
        let said = reason.clone();
        if self.context.status.set_state(state, reason) {
            self.context.telemetry.state_changed(self.id(), state, said.as_deref());
            if self.bound.device.state_report().is_some() {
                self.context.dispatch.state(self.id(), state, true);
            }
        }
    }

    /// Reports the known state once more, since its cycle has passed.
    pub(super) fn repeat_state(&mut self) {
        let report = self.bound.device.state_report();
        self.state_due = report.map(|report| Instant::now() + report.cycle);
        if report.is_some() {
            let (state, _) = self.context.status.state();
            self.context.dispatch.state(self.id(), state, false);
        }
    }

    /// Hands on what was read, each sample with the slot it belongs to.
    pub(super) fn publish(&mut self, samples: &[(usize, Sample)], origin: Origin, urgent: bool) {
        self.context.status.set_samples(samples.iter().map(|(_, sample)| sample));
        let now = Instant::now();
        for (index, sample) in samples {
            self.slots[*index].push(sample, origin, now);
        }
        self.report(samples, urgent);
    }

    /// Reports the twins of what is known already, since the phase of its desired value has changed.
    pub(super) fn report(&self, samples: &[(usize, Sample)], urgent: bool) {
        let with_phases = samples.iter().map(|(index, sample)| (sample, self.slots[*index].phase()));
        self.context.dispatch.samples(self.id(), with_phases, urgent);
    }

    pub(super) fn device(&self) -> &Device {
        &self.bound.device
    }

    /// A number that spreads devices over their cycle, the same at every start.
    pub(super) fn seed(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.id().hash(&mut hasher);
        hasher.finish()
    }
}
