//! A device while it is connected: reads on schedule, writes what is desired, and takes what the device delivers.

use std::{future::ready, sync::Arc, time::SystemTime};

use tokio::{
    task::consume_budget,
    time::{Instant, sleep_until},
};

use crate::{
    driver::{DriverError, ErasedProperty, ErasedSession},
    model::{DeviceState, Reading, Sample, Value},
    twin::{Goal, check},
};

use super::{
    call::{caught, fenced},
    device_task::DeviceTask,
    handle::{Operation, OperationError, answer},
    schedule::Schedule,
};

/// After how many rounds of reads of which all failed the session is closed and opened anew: some devices stop answering on a
/// connection that still looks sound.
const MAX_FAILED_ROUNDS: u32 = 3;

/// Why a session has ended.
pub(super) enum End {
    /// The device is removed, or the mapper stops.
    Stopped,
    /// The device is to be connected to in another way.
    Reconfigured,
    /// The connection is lost, or can no longer be trusted.
    Lost(String),
    /// The connection looks sound, and yet the device does not answer on it.
    Silent(String),
}

/// A device's task while it has a session.
pub(super) struct LiveSession<'a> {
    task: &'a mut DeviceTask,
    session: Box<dyn ErasedSession>,
    schedule: Schedule,
    /// When the device's state is asked for next; `None` if its manifest wants no reports.
    state_due: Option<Instant>,
    failed_rounds: u32,
    /// Whether an operation was served last: then the clock comes first, so that neither starves the other.
    operated: bool,
}

/// What wakes a session.
enum Event {
    Stopped,
    Changed,
    Operation(Box<Operation>),
    Due,
    Delivered(Result<Result<Vec<Reading>, DriverError>, String>),
}

impl<'a> LiveSession<'a> {
    pub(super) fn new(task: &'a mut DeviceTask, session: Box<dyn ErasedSession>) -> Self {
        let now = Instant::now();
        // The device may have lost its settings with the connection.
        task.slots.iter_mut().filter_map(|slot| slot.goal.as_mut()).for_each(|goal| goal.reconsider(now));
        let cycles = task.slots.iter().map(|slot| slot.property().collect_cycle());
        let schedule = Schedule::new(cycles, now, task.seed());
        let state_due = task.device().state_report().map(|_| now);
        Self { task, session, schedule, state_due, failed_rounds: 0, operated: false }
    }

    /// Serves the session until it ends, and closes it, or drops it if it is lost.
    pub(super) async fn serve(mut self) -> End {
        if self.state_due.is_none() {
            self.set_state(DeviceState::Online);
        }
        let end = loop {
            let event = self.next_event().await;
            if let Err(end) = self.handle(event).await {
                break end;
            }
        };
        match end {
            End::Lost(_) => self.discard().await,
            End::Stopped | End::Reconfigured | End::Silent(_) => self.close().await,
        }
        end
    }

    async fn next_event(&mut self) -> Event {
        let due = self.next_due();
        let turn_of_clock = self.operated && due.is_some_and(|due| due <= Instant::now());
        let (context, id) = (&mut self.task.context, self.task.bound.device.id());
        tokio::select! {
            biased;
            () = context.stop.cancelled() => Event::Stopped,
            changed = context.target.changed() => if changed.is_ok() { Event::Changed } else { Event::Stopped },
            () = ready(()), if turn_of_clock => Event::Due,
            Some(operation) = context.operations.recv() => Event::Operation(operation),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Event::Due,
            readings = caught(id, "changed", &context.telemetry, self.session.changed()) => Event::Delivered(readings),
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), End> {
        self.operated = matches!(event, Event::Operation(_));
        match event {
            Event::Stopped => Err(End::Stopped),
            Event::Changed => self.adopt_target(),
            Event::Operation(operation) => self.operate(*operation).await,
            Event::Due => self.tick().await,
            Event::Delivered(Ok(Ok(readings))) => {
                // A driver that delivers without ever waiting would keep the thread to itself.
                consume_budget().await;
                self.deliver(readings)
            }
            Event::Delivered(Ok(Err(error))) => Err(End::Lost(error.to_string())),
            Event::Delivered(Err(panic)) => Err(End::Lost(panic)),
        }
    }

    /// When there is something to do by the clock.
    fn next_due(&self) -> Option<Instant> {
        let goals = self.task.slots.iter().filter_map(|slot| slot.goal.as_ref()?.due());
        self.schedule.next().into_iter().chain(self.state_due).chain(goals).min()
    }

    fn adopt_target(&mut self) -> Result<(), End> {
        if !self.task.adopt_target() {
            return Err(End::Reconfigured);
        }
        let cycles = self.task.slots.iter().map(|slot| slot.property().collect_cycle());
        self.schedule.assign(cycles, Instant::now());
        // The driver's view is asked for anew: whether the device is sound may have changed with its manifest.
        self.state_due = self.task.device().state_report().map(|_| Instant::now());
        if self.state_due.is_none() {
            self.set_state(DeviceState::Online);
        }
        Ok(())
    }

    /// Reads, writes and asks whatever is due.
    async fn tick(&mut self) -> Result<(), End> {
        let due = self.schedule.take_due(Instant::now());
        if !due.properties.is_empty() {
            self.read(&due.properties).await?;
        }
        let skipped = due.skipped + self.schedule.skip_missed(&due, Instant::now());
        if skipped > 0 {
            self.task.context.telemetry.ticks_skipped(self.task.id(), skipped);
        }
        self.pursue_goals().await?;
        if self.state_due.is_some_and(|due| due <= Instant::now()) {
            self.ask_state().await?;
        }
        Ok(())
    }

    // ---- reads ----

    /// Reads properties and hands on what they gave.
    async fn read(&mut self, indices: &[usize]) -> Result<(), End> {
        let properties: Vec<_> = indices.iter().map(|&index| self.erased(index)).collect();
        let results = self.task.call("read", self.session.read_many(&properties)).await?;
        let timestamp = SystemTime::now();
        let mut results = results.into_iter();
        let (mut samples, mut lost, mut retryable) = (Vec::with_capacity(indices.len()), None, false);
        for &index in indices {
            let result = results.next().unwrap_or_else(|| Err(DriverError::failed("the driver gave no result")));
            match result.and_then(|value| self.sample(index, value, timestamp)) {
                Ok(sample) => samples.push((index, sample)),
                Err(error) => {
                    self.read_failed(index, &error);
                    retryable |= error.is_retryable();
                    lost = lost.or(error.is_disconnected().then(|| error.to_string()));
                }
            }
        }
        let failed = samples.is_empty() && retryable;
        self.publish(&samples);
        match lost {
            Some(reason) => Err(End::Lost(reason)),
            None => self.judge_round(failed),
        }
    }

    /// A value in the property's type.
    fn sample(&self, index: usize, value: Value, timestamp: SystemTime) -> Result<Sample, DriverError> {
        let property = self.task.slots[index].property();
        let value = value.conform(property.data_type()).map_err(DriverError::refused)?;
        Ok(Sample { device: self.task.id().clone(), property: Arc::clone(property), value, timestamp })
    }

    /// Hands on samples, after the goals have seen them.
    fn publish(&mut self, samples: &[(usize, Sample)]) {
        let mut urgent = false;
        for (index, sample) in samples {
            let slot = &mut self.task.slots[*index];
            let recovered = std::mem::take(&mut slot.failing);
            let reached = slot.goal.as_mut().is_some_and(|goal| goal.observe(&sample.value));
            let (telemetry, name) = (&self.task.context.telemetry, sample.property.name());
            if recovered {
                telemetry.read_recovered(&sample.device, name);
            }
            if reached {
                telemetry.desired_converged(&sample.device, name, sample.property.desired().unwrap_or_default());
                urgent = true;
            }
        }
        if !samples.is_empty() {
            self.task.backoff.reset();
            self.task.publish(samples, urgent);
        }
    }

    fn read_failed(&mut self, index: usize, error: &DriverError) {
        let slot = &mut self.task.slots[index];
        // A lost connection is told of once for the device, and not for each of its properties.
        let begins = !error.is_disconnected() && !std::mem::replace(&mut slot.failing, true);
        let property = Arc::clone(slot.property());
        self.task.context.telemetry.read_failed(self.task.id(), property.name(), error, begins);
    }

    /// Gives the session up when nothing can be read on it any more. A round that has failed says nothing of the session while a
    /// property that is read in other rounds works.
    fn judge_round(&mut self, failed: bool) -> Result<(), End> {
        if !failed || !self.task.slots.iter().all(|slot| slot.failing) {
            self.failed_rounds = 0;
            return Ok(());
        }
        self.failed_rounds += 1;
        if self.failed_rounds < MAX_FAILED_ROUNDS {
            return Ok(());
        }
        Err(End::Silent(format!("{MAX_FAILED_ROUNDS} rounds of reads in a row have failed")))
    }

    /// Takes in what the device has delivered by itself.
    fn deliver(&mut self, readings: Vec<Reading>) -> Result<(), End> {
        let mut samples = Vec::with_capacity(readings.len());
        for reading in readings {
            let index = self.task.slots.iter().position(|slot| slot.property().name() == reading.property);
            let Some(index) = index else {
                self.task.context.telemetry.unknown_reading(self.task.id(), &reading.property);
                continue;
            };
            match self.sample(index, reading.value, reading.timestamp) {
                Ok(sample) => samples.push((index, sample)),
                Err(error) => self.read_failed(index, &error),
            }
        }
        self.publish(&samples);
        Ok(())
    }

    // ---- writes ----

    /// Writes the desired values whose time has come.
    async fn pursue_goals(&mut self) -> Result<(), End> {
        for index in 0..self.task.slots.len() {
            let goal = self.task.slots[index].goal.as_ref();
            let Some(goal) = goal.filter(|goal| goal.due().is_some_and(|due| due <= Instant::now())) else { continue };
            let value = goal.value().clone();
            match self.pursue(index, &value).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.goal_failed(index, &error)?,
                Err(end) => {
                    // What breaks the session must not break the next one at once.
                    self.with_goal(index, |goal| goal.postpone(Instant::now()));
                    return Err(end);
                }
            }
        }
        Ok(())
    }

    async fn pursue(&mut self, index: usize, value: &Value) -> Result<Result<(), DriverError>, End> {
        match self.write(index, None, value).await? {
            Ok(()) => self.confirm(index).await,
            Err(error) => Ok(Err(error)),
        }
    }

    /// Reads back what was written, which tells the goal whether it has been reached.
    async fn confirm(&mut self, index: usize) -> Result<Result<(), DriverError>, End> {
        let property = Arc::clone(self.task.slots[index].property());
        let desired = property.desired().unwrap_or_default().to_owned();
        let read = match self.read_back(index).await? {
            Err(error) if !error.is_retryable() => {
                // What can only be written has no better proof than that the write succeeded.
                self.task.context.telemetry.desired_converged(self.task.id(), property.name(), &desired);
                self.with_goal(index, Goal::reached);
                return Ok(Ok(()));
            }
            Err(error) => return Ok(Err(error)),
            Ok(sample) => sample,
        };
        let value = read.value.to_string();
        self.publish(&[(index, read)]);
        if self.task.slots[index].goal.as_ref().is_some_and(|goal| goal.due().is_some()) {
            self.task.context.telemetry.desired_unconfirmed(self.task.id(), property.name(), &desired, &value);
            self.with_goal(index, |goal| goal.postpone(Instant::now()));
        }
        Ok(Ok(()))
    }

    fn goal_failed(&mut self, index: usize, error: &DriverError) -> Result<(), End> {
        let property = Arc::clone(self.task.slots[index].property());
        let mut refused = false;
        self.with_goal(index, |goal| refused = goal.failed(error, Instant::now()));
        if refused {
            let (desired, reason) = (property.desired().unwrap_or_default(), error.to_string());
            self.task.context.telemetry.desired_refused(self.task.id(), property.name(), desired, &reason);
        }
        // The phase is part of the twin: it goes out with the value that is known.
        if let Some(sample) = self.task.context.status.sample(property.name()) {
            self.task.publish(&[(index, Sample { property, ..sample })], refused);
        }
        if error.is_disconnected() { Err(End::Lost(error.to_string())) } else { Ok(()) }
    }

    fn with_goal(&mut self, index: usize, act: impl FnOnce(&mut Goal)) {
        if let Some(goal) = self.task.slots[index].goal.as_mut() {
            act(goal);
        }
    }

    /// Does what a user of the handle asks for, and reads back what came of it.
    async fn operate(&mut self, operation: Operation) -> Result<(), End> {
        let Operation { method, property, text, reply } = operation;
        let device = self.task.id().clone();
        let checked = self.check(method.as_deref(), &property, &text);
        let (outcome, end) = match checked {
            Err(error) => (Err(error), Ok(())),
            Ok((index, value)) => match self.write(index, method.as_deref(), &value).await {
                Err(end) => (Err(OperationError::Unavailable { device, reason: end.to_string() }), Err(end)),
                Ok(Ok(())) => (Ok(()), self.refresh(index).await),
                Ok(Err(error)) => {
                    let reason = error.to_string();
                    let end = if error.is_disconnected() { Err(End::Lost(reason.clone())) } else { Ok(()) };
                    (Err(OperationError::Failed { device, property, reason }), end)
                }
            },
        };
        answer(reply, outcome);
        end
    }

    /// The property's index and the value to write, if all is as the device model demands.
    fn check(&self, method: Option<&str>, property: &str, text: &str) -> Result<(usize, Value), OperationError> {
        let device = self.task.id();
        let missing =
            |what: &str, name: &str| OperationError::NotFound(format!("device {device} has no {what} {name:?}"));
        if let Some(name) = method {
            let method = self.task.device().methods().iter().find(|method| method.name == name);
            let method = method.ok_or_else(|| missing("method", name))?;
            if !method.property_names.iter().any(|name| name == property) {
                let message = format!("method {name:?} of device {device} cannot be called on property {property:?}");
                return Err(OperationError::NotFound(message));
            }
        }
        let index = self.task.slots.iter().position(|slot| slot.property().name() == property);
        let index = index.ok_or_else(|| missing("property", property))?;
        let value = check(self.task.slots[index].property(), text);
        let invalid =
            |reason| OperationError::Invalid { device: device.clone(), property: property.to_owned(), reason };
        Ok((index, value.map_err(invalid)?))
    }

    async fn write(
        &mut self,
        index: usize,
        method: Option<&str>,
        value: &Value,
    ) -> Result<Result<(), DriverError>, End> {
        let property = self.erased(index);
        let name = self.task.slots[index].property().shared_name();
        let method = method.and_then(|name| self.task.device().methods().iter().find(|method| method.name == name));
        let written = match method.cloned() {
            Some(method) => self.task.call("call", self.session.call(&method, &property, value)).await?,
            None => self.task.call("write", self.session.write(&property, value)).await?,
        };
        let (telemetry, id) = (&self.task.context.telemetry, self.task.id());
        match &written {
            Ok(()) => telemetry.written(id, &name),
            Err(error) => telemetry.write_failed(id, &name, error),
        }
        Ok(written)
    }

    async fn read_back(&mut self, index: usize) -> Result<Result<Sample, DriverError>, End> {
        let properties = [self.erased(index)];
        let mut results = self.task.call("read", self.session.read_many(&properties)).await?;
        let result = results.pop().unwrap_or_else(|| Err(DriverError::failed("the driver gave no result")));
        Ok(result.and_then(|value| self.sample(index, value, SystemTime::now())))
    }

    /// Reads a property out of turn, so that a write shows at once.
    async fn refresh(&mut self, index: usize) -> Result<(), End> {
        match self.read_back(index).await? {
            Ok(sample) => self.publish(&[(index, sample)]),
            Err(error) => self.read_failed(index, &error),
        }
        Ok(())
    }

    // ---- state ----

    async fn ask_state(&mut self) -> Result<(), End> {
        let state = self.task.call("state", self.session.state()).await?;
        match state {
            Ok(state) => self.set_state(state),
            Err(error) if error.is_disconnected() => return Err(End::Lost(error.to_string())),
            Err(error) => self.task.set_state(DeviceState::Unhealthy, Some(error.to_string())),
        }
        if let Some(report) = self.task.device().state_report() {
            self.state_due = Some(Instant::now() + report.cycle);
            let (state, _) = self.task.context.status.state();
            self.task.context.dispatch.state(self.task.id(), state, false);
        }
        Ok(())
    }

    /// The driver's view of the state, unless part of the device had to be left out: that is not healthy, whatever the driver says.
    fn set_state(&self, state: DeviceState) {
        match self.task.bound.complaint() {
            Some(complaint) => self.task.set_state(DeviceState::Unhealthy, Some(complaint)),
            None => self.task.set_state(state, None),
        }
    }

    // ---- calls into the driver ----

    fn erased(&self, index: usize) -> ErasedProperty {
        Arc::clone(&self.task.slots[index].bound.erased)
    }

    async fn close(self) {
        let context = &self.task.context;
        let deadline = context.settings.call_timeout;
        // A failure has been logged, and there is nothing left to save.
        drop(fenced(self.task.id(), "close", deadline, &context.telemetry, self.session.close()).await);
    }

    async fn discard(self) {
        let Self { task, session, .. } = self;
        // A panic has been logged, and the session is gone all the same.
        drop(caught(task.id(), "drop", &task.context.telemetry, async { drop(session) }).await);
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stopped => f.write_str("the device is stopped"),
            Self::Reconfigured => f.write_str("the device is connected to anew"),
            Self::Lost(reason) | Self::Silent(reason) => f.write_str(reason),
        }
    }
}
