//! A device while it is connected: reads on schedule, writes what is desired, and takes what the device delivers.

mod health;
mod looks;
mod operations;
mod reads;
mod streams;
mod subscribe;
mod writes;

use std::{collections::HashSet, future::ready, sync::Arc, time::Duration};

use tokio::{
    task::consume_budget,
    time::{Instant, sleep_until},
};

use crate::{
    driver::{Change, DriverError, ErasedProperty, ErasedSession},
    model::DeviceState,
    stream::Progress,
    telemetry::reads::TicksSkipped,
};

use super::{end::End, order::Operation, schedule::Schedule, served::ServedDevice, status::Polled};

use health::Health;
use streams::LiveStream;

/// A session that has ended.
pub(super) struct Ended {
    pub(super) end: End,
    /// Whether the device has answered a round of reads on it, or delivered something.
    pub(super) has_answered: bool,
}

/// A device while it is connected.
pub(super) struct LiveSession<'a> {
    /// The device, which outlives the session.
    task: &'a mut ServedDevice,
    session: Box<dyn ErasedSession>,
    schedule: Schedule,
    health: Health,
    /// The device's stream, while it runs.
    stream: Option<LiveStream>,
    /// Names of properties that were delivered and are not the device's, as far as they were logged.
    strangers: HashSet<String>,
    /// Whether an operation was served last: then the clock comes first, so that neither starves the other.
    operated: bool,
}

/// What wakes a session.
enum Event {
    Stopped,
    /// The device is to be connected to with other credentials.
    OtherCredentials,
    Changed,
    Operation(Box<Operation>),
    Due,
    /// The stream has begun or ended.
    Stream(Progress),
    /// Something is wrong with a consumer of the stream, or no longer is.
    Consumers,
    Delivered(Result<Result<Vec<Change>, DriverError>, String>),
}

impl<'a> LiveSession<'a> {
    pub(super) fn new(task: &'a mut ServedDevice, session: Box<dyn ErasedSession>) -> Self {
        let now = Instant::now();
        task.slots.iter_mut().filter_map(|slot| slot.goal.as_mut()).for_each(|goal| goal.session_begins(now));
        let schedule = Schedule::new([], now, task.seed());
        task.state_due = task.device().state_report().map(|_| now);
        let (health, strangers) = (Health::default(), HashSet::new());
        Self { task, session, schedule, health, stream: None, strangers, operated: false }
    }

    /// Serves the session until it ends, and closes it, or drops it if it is lost.
    pub(super) async fn serve(mut self) -> Ended {
        let end = match self.begin().await {
            Ok(()) => self.serve_events().await,
            Err(end) => end,
        };
        let has_answered = self.health.has_answered();
        self.task.context.status.set_polled(None);
        self.end_stream(&end);
        match end {
            End::Closed(_) | End::Lost(_) => self.discard().await,
            End::Stopped | End::Reconfigured | End::Silent(_) => self.close().await,
        }
        Ended { end, has_answered }
    }

    /// Gives the session its properties, and makes those due that are polled.
    async fn begin(&mut self) -> Result<(), End> {
        self.subscribe().await?;
        self.start_stream().await?;
        self.renew_state();
        let (cycles, seed) = (self.cycles(), self.task.seed());
        self.schedule = Schedule::new(cycles, Instant::now(), seed);
        self.show_polled();
        if let Some(operation) = self.task.repeated.take() {
            self.operate(*operation).await?;
        }
        // Some devices close the connection after each answer: what is new gets the first one.
        let pursued = self.pursue_goals().await;
        self.task.save_goals().await;
        pursued
    }

    async fn serve_events(&mut self) -> End {
        loop {
            let event = self.next_event().await;
            let handled = self.handle(event).await;
            self.task.save_goals().await;
            if let Err(end) = handled {
                return end;
            }
        }
    }

    /// The cycles of the properties that are polled, each with its index.
    fn cycles(&self) -> Vec<(usize, Duration)> {
        self.polled().map(|index| (index, self.task.slots[index].property().collect_cycle())).collect()
    }

    /// Says what is read by the clock, to whoever looks into the mapper.
    fn show_polled(&self) {
        let names = self.polled().map(|index| self.task.slots[index].property().shared_name());
        let polled = Polled { grid: self.schedule.grid(), properties: Arc::new(names.collect()) };
        self.task.context.status.set_polled(Some(polled));
    }

    async fn next_event(&mut self) -> Event {
        let due = self.next_due();
        let turn_of_clock = self.operated && due.is_some_and(|due| due <= Instant::now());
        let ServedDevice { context, credentials, bound, consumers, .. } = &mut *self.task;
        tokio::select! {
            biased;
            () = context.stop.cancelled() => Event::Stopped,
            changed = context.target.changed() => if changed.is_ok() { Event::Changed } else { Event::Stopped },
            () = ready(()), if turn_of_clock => Event::Due,
            Some(operation) = context.operations.recv() => Event::Operation(operation),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Event::Due,
            () = credentials.changed(&bound.device) => Event::OtherCredentials,
            progress = streams::changed(self.stream.as_mut()) => Event::Stream(progress),
            () = consumers.changed() => Event::Consumers,
            changes = context.fence.caught("changed", self.session.changed()) => Event::Delivered(changes),
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), End> {
        self.operated = matches!(event, Event::Operation(_));
        match event {
            Event::Stopped => Err(End::Stopped),
            Event::OtherCredentials => Err(End::Reconfigured),
            Event::Changed => self.adopt_target().await,
            Event::Operation(operation) => self.operate(*operation).await,
            Event::Due => self.tick().await,
            Event::Stream(progress) => self.stream_changed(progress),
            Event::Consumers => {
                self.consumers_changed();
                Ok(())
            }
            Event::Delivered(Ok(Ok(changes))) => {
                // A driver that delivers without ever waiting would keep the thread to itself.
                consume_budget().await;
                self.deliver(changes)
            }
            Event::Delivered(Ok(Err(error))) => Err(End::of_deliveries(&error)),
            Event::Delivered(Err(panic)) => Err(End::Lost(panic)),
        }
    }

    /// When there is something to do by the clock.
    fn next_due(&self) -> Option<Instant> {
        let goals = self.task.slots.iter().filter_map(|slot| slot.goal.as_ref()?.due());
        let held_back = self.task.release_due();
        let stream = self.stream_due();
        self.schedule.next().into_iter().chain(self.task.state_due).chain(goals).chain(held_back).chain(stream).min()
    }

    async fn adopt_target(&mut self) -> Result<(), End> {
        let before = Arc::clone(&self.task.bound);
        if !self.task.adopt_target() {
            return Err(End::Reconfigured);
        }
        if !self.task.device().properties().eq(before.device.properties()) {
            self.subscribe().await?;
        }
        self.start_stream().await?;
        self.schedule.assign(self.cycles(), Instant::now());
        self.show_polled();
        // Whether the device is sound may have changed with its manifest.
        self.renew_state();
        self.pursue_goals().await?;
        let fresh: Vec<usize> = self.polled().filter(|&index| self.task.slots[index].fresh).collect();
        if fresh.is_empty() { Ok(()) } else { self.read(&fresh).await }
    }

    /// Reads, writes and asks whatever is due.
    async fn tick(&mut self) -> Result<(), End> {
        let due = self.schedule.take_due(Instant::now());
        if !due.properties.is_empty() {
            self.task.context.telemetry.latencies().lag.observe(due.late);
            self.read(&due.properties).await?;
        }
        let skipped = due.skipped + self.schedule.skip_missed(&due, Instant::now());
        if skipped > 0 {
            self.task.context.telemetry.emit(TicksSkipped { device: self.task.id(), count: skipped });
        }
        self.task.release();
        self.look_at_stream()?;
        self.pursue_goals().await?;
        if self.task.state_due.is_some_and(|due| due <= Instant::now()) {
            self.ask_state().await?;
        }
        Ok(())
    }

    async fn ask_state(&mut self) -> Result<(), End> {
        let state = self.task.call("state", self.session.state()).await?;
        match state {
            Ok(state) => self.state_given(state),
            Err(error) if error.is_disconnected() => return Err(End::Closed(error.to_string())),
            Err(error) => self.task.set_state(DeviceState::Unhealthy, Some(error.to_string())),
        }
        self.task.repeat_state();
        Ok(())
    }

    fn erased(&self, index: usize) -> ErasedProperty {
        Arc::clone(&self.task.slots[index].bound.erased)
    }

    async fn close(self) {
        // A failure has been logged, and there is nothing left to save.
        drop(self.task.context.fence.timed("close", self.session.close()).await);
    }

    async fn discard(self) {
        let Self { task, session, .. } = self;
        // A panic has been logged, and the session is gone all the same.
        drop(task.context.fence.caught("drop", async { drop(session) }).await);
    }
}
