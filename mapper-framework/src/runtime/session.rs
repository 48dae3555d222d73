//! A device while it is connected: reads on schedule, writes what is desired, and takes what the device delivers.

mod reads;
mod writes;

use std::{future::ready, sync::Arc};

use tokio::{
    task::consume_budget,
    time::{Instant, sleep_until},
};

use crate::{
    driver::{DriverError, ErasedProperty, ErasedSession},
    model::{DeviceState, Reading},
};

use super::{
    call::{caught, fenced},
    device_task::DeviceTask,
    handle::Operation,
    schedule::Schedule,
};

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
    failed_rounds: u32,
    good_rounds: u32,
    /// Why no property can be read, while none can.
    nothing_read: Option<String>,
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
        task.state_due = task.device().state_report().map(|_| now);
        Self { task, session, schedule, failed_rounds: 0, good_rounds: 0, nothing_read: None, operated: false }
    }

    /// Serves the session until it ends, and closes it, or drops it if it is lost.
    pub(super) async fn serve(mut self) -> End {
        self.renew_state();
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
            Event::Changed => self.adopt_target().await,
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
        self.schedule.next().into_iter().chain(self.task.state_due).chain(goals).min()
    }

    async fn adopt_target(&mut self) -> Result<(), End> {
        if !self.task.adopt_target() {
            return Err(End::Reconfigured);
        }
        let cycles = self.task.slots.iter().map(|slot| slot.property().collect_cycle());
        self.schedule.assign(cycles, Instant::now());
        // Whether the device is sound may have changed with its manifest.
        self.renew_state();
        let slots = self.task.slots.iter().enumerate();
        let fresh: Vec<usize> = slots.filter(|(_, slot)| slot.fresh).map(|(index, _)| index).collect();
        if fresh.is_empty() { Ok(()) } else { self.read(&fresh).await }
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
        if self.task.state_due.is_some_and(|due| due <= Instant::now()) {
            self.ask_state().await?;
        }
        Ok(())
    }

    async fn ask_state(&mut self) -> Result<(), End> {
        let state = self.task.call("state", self.session.state()).await?;
        match state {
            Ok(state) => self.set_state(state),
            Err(error) if error.is_disconnected() => return Err(End::Lost(error.to_string())),
            Err(error) => self.task.set_state(DeviceState::Unhealthy, Some(error.to_string())),
        }
        self.task.repeat_state();
        Ok(())
    }

    /// Asks the driver for the state as soon as nothing else is to be done; a device whose state is not reported is online.
    fn renew_state(&mut self) {
        self.task.state_due = self.task.device().state_report().map(|_| Instant::now());
        if self.task.state_due.is_none() {
            self.set_state(DeviceState::Online);
        }
    }

    /// The driver's view of the state, unless nothing can be read or part of the device had to be left out: that is not healthy,
    /// whatever the driver says.
    fn set_state(&self, state: DeviceState) {
        match self.nothing_read.clone().or_else(|| self.task.bound.complaint()) {
            Some(complaint) => self.task.set_state(DeviceState::Unhealthy, Some(complaint)),
            None => self.task.set_state(state, None),
        }
    }

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
