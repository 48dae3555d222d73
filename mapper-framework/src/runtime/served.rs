//! A device while it is served: what it is, what is known of each of its properties, and who learns of it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    driver::{Deadline, ErasedDriver},
    hook::Chain,
    model::{Device, DeviceId, DeviceState, Property, ReportRules, Sample},
    recording::Recordings,
    stream::{FrameSlot, StreamState},
    telemetry::{Telemetry, devices::StateChanged},
    twin::Urgency,
    writes::Writes,
};

use super::{
    Dispatch,
    bound::BoundDevice,
    call::Fence,
    consumers::Consumers,
    credentials::{CredentialsFolder, CredentialsWatch},
    end::End,
    news::News,
    order::Operation,
    outlets::{Outlets, Thinned},
    reconnect::Reconnects,
    slot::{Origin, Slot},
    status::StatusCell,
};

/// How the runtime treats drivers.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long a call into the driver may take.
    pub(crate) call_timeout: Duration,
    /// The longest pause between two attempts to connect.
    pub(crate) backoff_max: Duration,
    /// How long sessions may take to close when the mapper stops.
    pub(crate) closing: Duration,
    /// Where the devices' credentials are.
    pub(crate) credentials: CredentialsFolder,
    /// What may be written, and what is kept of it.
    pub(crate) writes: Writes,
    /// Which samples twins get, unless their manifests say otherwise.
    pub(crate) twins: ReportRules,
    /// The most bytes of a frame.
    pub(crate) max_frame_bytes: usize,
    /// Where frames are recorded.
    pub(crate) recordings: Recordings,
}

/// What a device's task is given by the manager.
pub(super) struct Context {
    pub(super) driver: Arc<dyn ErasedDriver>,
    pub(super) settings: Settings,
    pub(super) fence: Arc<Fence>,
    pub(super) dispatch: Dispatch,
    pub(super) telemetry: Telemetry,
    pub(super) status: Arc<StatusCell>,
    /// The device's newest frame, if it has a stream.
    pub(super) frames: Arc<FrameSlot>,
    /// The device as edgecore wants it; the latest one counts.
    pub(super) target: watch::Receiver<Arc<BoundDevice>>,
    /// In boxes: a channel has room for 32 from the start, for each device.
    pub(super) operations: mpsc::Receiver<Box<Operation>>,
    /// Cancelled when the device is removed or the mapper stops.
    pub(super) stop: CancellationToken,
}

/// What a device's task and its session share.
pub(super) struct ServedDevice {
    pub(super) context: Context,
    /// The device as it is served.
    pub(super) bound: Arc<BoundDevice>,
    pub(super) slots: Vec<Slot>,
    /// What stands between the driver and the consumers of its values.
    hooks: Chain,
    /// When to connect again. What comes from the device starts it over.
    pub(super) reconnects: Reconnects,
    /// What the device was connected to with.
    pub(super) credentials: CredentialsWatch,
    /// When the device's state is reported next; `None` if its manifest wants no reports.
    pub(super) state_due: Option<Instant>,
    /// When it was handed on last.
    state_posted: Option<Instant>,
    /// A write that found its connection closed, and is done on the next one.
    pub(super) repeated: Option<Box<Operation>>,
    /// The reasons of failures that have been logged.
    pub(super) failures: News,
    /// The reasons of the present state that have been announced.
    announced: News,
    /// The properties whose desired value was taken back, until that is remembered.
    withdrawn: Vec<Arc<str>>,
    /// How the device's stream fares over its sessions.
    pub(super) stream: StreamCourse,
    /// What consumes its frames. They end with the device.
    pub(super) consumers: Consumers,
}

/// How the stream of a device fares over its sessions.
#[derive(Debug, Default)]
pub(super) struct StreamCourse {
    /// Whether a method has stopped it.
    pub(super) is_stopped: bool,
    /// Why no frames come, though they should: the device is unhealthy.
    pub(super) problem: Option<String>,
    /// Whether the log shows that it runs.
    pub(super) is_shown: bool,
}

impl ServedDevice {
    pub(super) fn new(mut context: Context) -> Self {
        let bound = Arc::clone(&context.target.borrow_and_update());
        let now = Instant::now();
        let slots = Slot::adopt(Vec::new(), None, &bound, &context.settings.writes, &context.telemetry, now);
        let reconnects = Reconnects::new(context.settings.backoff_max);
        let state_due = bound.device.state_report().map(|report| Instant::now() + report.cycle);
        let credentials = CredentialsWatch::new(context.settings.credentials.clone());
        let (failures, announced) = (News::default(), News::default());
        let hooks = Chain::attach(context.dispatch.hooks(), &bound.device, &context.telemetry);
        let (repeated, withdrawn) = (None, Vec::new());
        let mut consumers = Consumers::new(
            bound.device.id().clone(),
            Arc::clone(&context.frames),
            context.settings.recordings.clone(),
            context.telemetry.clone(),
            context.stop.clone(),
        );
        consumers.assign(&bound);
        Self {
            context,
            bound,
            slots,
            hooks,
            reconnects,
            credentials,
            state_due,
            state_posted: None,
            repeated,
            failures,
            announced,
            withdrawn,
            stream: StreamCourse::default(),
            consumers,
        }
    }

    pub(super) fn id(&self) -> &DeviceId {
        self.bound.device.id()
    }

    pub(super) fn device(&self) -> &Device {
        &self.bound.device
    }

    /// Makes a call on a session within its deadline, unless the device is stopped meanwhile.
    pub(super) async fn call<T>(&self, operation: &'static str, call: impl Future<Output = T>) -> Result<T, End> {
        self.call_until(operation, &self.context.fence.new_deadline(), call).await
    }

    /// As [`call`](Self::call), until a deadline that the call may move on.
    pub(super) async fn call_until<T>(
        &self,
        operation: &'static str,
        deadline: &Deadline,
        call: impl Future<Output = T>,
    ) -> Result<T, End> {
        let Context { fence, stop, .. } = &self.context;
        tokio::select! {
            biased;
            value = fence.timed_until(operation, deadline, call) => value.map_err(End::Lost),
            () = stop.cancelled() => Err(End::Stopped),
        }
    }

    /// Takes in the device as edgecore wants it now. False if that needs another session.
    pub(super) fn adopt_target(&mut self) -> bool {
        let target = Arc::clone(&self.context.target.borrow_and_update());
        let connects_like = target.connects_like(&self.bound);
        // A property that is left out, since something is wrong with it, is wanted all the same.
        self.withdrawn.extend(self.bound.wishes.keys().filter(|name| !target.wishes.contains_key(*name)).cloned());
        let (slots, bound) = (std::mem::take(&mut self.slots), Some(&*self.bound));
        let Context { settings, telemetry, .. } = &self.context;
        self.slots = Slot::adopt(slots, bound, &target, &settings.writes, telemetry, Instant::now());
        self.context.status.retain(|name| target.device.property(name).is_some());
        let is_reported = |name: &str| target.device.property(name).is_some_and(Property::report_to_cloud);
        self.context.dispatch.retain(self.bound.device.id(), is_reported);
        self.hooks.changed(&target.device);
        self.consumers.assign(&target);
        self.bound = target;
        let cycle = self.bound.device.state_report().map(|report| report.cycle);
        self.state_due = cycle.map(|cycle| self.state_due.unwrap_or_else(|| Instant::now() + cycle));
        connects_like
    }

    /// Has what has changed of the goals remembered over restarts.
    pub(super) async fn save_goals(&mut self) {
        let memory = self.context.settings.writes.memory.clone();
        let id = self.id().clone();
        while let Some(name) = self.withdrawn.last() {
            memory.forget(&id, name).await;
            self.withdrawn.pop();
        }
        for slot in &mut self.slots {
            let name = slot.bound.property.shared_name();
            let Some(goal) = slot.goal.as_mut() else { continue };
            if let Some(entry) = goal.unsaved() {
                memory.remember(&id, &name, entry).await;
                goal.saved();
            }
        }
    }

    /// Makes a state known, at once if it is new; and announces it when it or its reason is.
    pub(super) fn set_state(&mut self, state: DeviceState, reason: Option<String>) {
        let (before, _) = self.context.status.state();
        let is_new = before != state;
        if is_new {
            self.announced.over();
        }
        let is_news = self.announced.is_news(reason.as_deref().unwrap_or_default(), Instant::now());
        let (said, telemetry) = (reason.clone(), &self.context.telemetry);
        let event = StateChanged { device: self.id(), state, reason: said.as_deref() };
        if is_news {
            telemetry.record(&event);
        }
        self.context.status.set_state(state, reason, || {
            if is_news {
                telemetry.announce(&event);
            }
        });
        if is_new && self.bound.device.state_report().is_some() {
            self.state_posted = Some(Instant::now());
            self.context.dispatch.state(self.id(), state, Urgency::Urgent);
        }
    }

    /// Something has come from the device: failing is over, and the next pauses are short again.
    pub(super) fn answered(&mut self) {
        self.reconnects.start_over();
        self.failures.over();
    }

    /// Whether frames come.
    pub(super) fn is_streaming(&self) -> bool {
        self.context.frames.state() == StreamState::Streaming
    }

    /// The shortest of the cycles by which properties are read; `None` if none is.
    pub(super) fn shortest_cycle(&self) -> Option<Duration> {
        self.slots.iter().filter(|slot| slot.polled).map(|slot| slot.property().collect_cycle()).min()
    }

    /// Reports the known state once more, if its cycle has passed: a device whose sessions are short is asked more often.
    pub(super) fn repeat_state(&mut self) {
        let now = Instant::now();
        let due = |cycle: Duration| self.state_posted.map_or(now, |posted| posted + cycle);
        let due = self.bound.device.state_report().map(|report| (due(report.cycle), report.cycle));
        self.state_due = due.map(|(due, cycle)| if due <= now { now + cycle } else { due });
        if due.is_some_and(|(due, _)| due <= now) {
            self.state_posted = Some(now);
            let (state, _) = self.context.status.state();
            self.context.dispatch.state(self.id(), state, Urgency::Ordinary);
        }
    }

    /// Hands on what was read, each sample with the slot it belongs to.
    pub(super) fn publish(&mut self, samples: &[(usize, Sample)], origin: Origin, urgency: Urgency) {
        if self.hooks.is_empty() {
            return self.hand_on(samples, origin, urgency);
        }
        let read = samples.iter().map(|(_, sample)| sample.clone()).collect();
        let passed = self.hooks.pass(&self.bound.device, read);
        let index =
            |sample: &Sample| self.slots.iter().position(|slot| slot.property().name() == sample.property.name());
        let passed: Vec<_> = passed.into_iter().filter_map(|sample| Some((index(&sample)?, sample))).collect();
        self.hand_on(&passed, origin, urgency);
    }

    /// Hands samples to their consumers.
    fn hand_on(&mut self, samples: &[(usize, Sample)], origin: Origin, urgency: Urgency) {
        let telemetry = &self.context.telemetry;
        let announce = || telemetry.announce_samples(samples.iter().map(|(_, sample)| sample));
        self.context.status.set_samples(samples.iter().map(|(_, sample)| sample), announce);
        let now = Instant::now();
        for (index, sample) in samples {
            let slot = &mut self.slots[*index];
            slot.outlets.push(&slot.bound.property, sample, origin, now);
        }
        self.context.telemetry.count_samples(self.id(), samples.iter().map(|(_, sample)| sample.property.name()));
        self.report(samples, urgency);
    }

    /// Reports of these samples those that say something new.
    pub(super) fn report(&mut self, samples: &[(usize, Sample)], urgency: Urgency) {
        let now = Instant::now();
        let slots = &mut self.slots;
        let is_news = |(index, sample): &&(usize, Sample)| {
            let echo = slots[*index].echo();
            slots[*index].outlets.reports(sample, echo, now)
        };
        let mut news: Vec<_> = samples.iter().filter(is_news).cloned().collect();
        if !news.is_empty() {
            // The call is made anyway, and spares another one.
            let along = |(index, slot): (usize, &mut Slot)| Some((index, slot.outlets.go_along(now)?));
            news.extend(slots.iter_mut().enumerate().filter_map(along));
        }
        self.hand_to_twins(&news, urgency);
        self.count_thinned();
    }

    /// When something that is held back goes.
    pub(super) fn release_due(&self) -> Option<Instant> {
        self.slots.iter().filter_map(|slot| slot.outlets.due()).min()
    }

    /// Hands on what was held back and is due.
    pub(super) fn release(&mut self) {
        let now = Instant::now();
        if self.release_due().is_some_and(|due| due <= now) {
            self.let_out(|outlets| outlets.release(now));
        }
    }

    /// Nothing more is to be expected of the device for a while: hands on what would be missed, and the next samples go everywhere.
    pub(super) fn break_off(&mut self) {
        let now = Instant::now();
        self.let_out(|outlets| outlets.break_off(now));
    }

    fn let_out(&mut self, let_out: impl Fn(&mut Outlets) -> Option<Sample>) {
        let slots = self.slots.iter_mut().enumerate();
        let late: Vec<_> = slots.filter_map(|(index, slot)| Some((index, let_out(&mut slot.outlets)?))).collect();
        self.hand_to_twins(&late, Urgency::Ordinary);
        self.count_thinned();
    }

    fn count_thinned(&mut self) {
        for slot in &mut self.slots {
            let Thinned { twins, records } = slot.outlets.take_thinned();
            if twins + records > 0 {
                let (telemetry, device) = (&self.context.telemetry, self.bound.device.id());
                telemetry.count_thinned(device, slot.property().name(), twins, records);
            }
        }
    }

    fn hand_to_twins(&self, samples: &[(usize, Sample)], urgency: Urgency) {
        let echoes = samples.iter().map(|(index, sample)| (sample.property.shared_name(), self.slots[*index].echo()));
        self.context.status.set_echoes(echoes);
        let with_desired = samples.iter().map(|(index, sample)| (sample, self.slots[*index].echo()));
        self.context.dispatch.samples(self.id(), with_desired, urgency);
    }

    /// A number that spreads devices over their cycle, the same at every start.
    pub(super) fn seed(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.id().hash(&mut hasher);
        hasher.finish()
    }
}
