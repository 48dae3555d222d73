//! Questions and orders to the running mapper from within its own process.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    dmi::client::Registration,
    model::{Device, DeviceId, DeviceState, Sample, Value},
    recording::Recordings,
    sink::{HistoryError, HistoryRequest, Point, Series, SinkStatus, Sinks, Target},
    stream::FrameReader,
    telemetry::{
        Latency, Telemetry, Times,
        stats::{DeviceStats, Stats, TargetStats},
    },
    twin::Demand,
    watch::{DesiredStatus, EdgeLink, Events, Filter, Traces},
};

use super::{
    DeviceSummary, InspectedModel, Inspection, Snapshot, Watch,
    order::{Answer, Operation, Order},
};

/// Asks a running mapper, and has devices written. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) sinks: Sinks,
    pub(super) telemetry: Telemetry,
    /// Where the frames of devices are recorded.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "the HTTP server reads them"))]
    pub(super) recordings: Recordings,
    /// Where the HTTP server listens, once it does.
    pub(super) http: Arc<OnceLock<SocketAddr>>,
}

/// What is asked of the manager, besides what edgecore asks.
#[derive(Debug)]
pub(super) enum Request {
    /// edgecore's answer to a registration: whether it is the first on its connection. The reply is whether it has to be asked again.
    Reconcile(Registration, bool, oneshot::Sender<bool>),
    Devices(oneshot::Sender<Vec<DeviceId>>),
    Device(DeviceId, oneshot::Sender<Option<DeviceSnapshot>>),
    /// The series of a device's properties; `None` if there is no such device.
    Series(DeviceId, oneshot::Sender<Option<Vec<Arc<Series>>>>),
    Operate(Box<Operation>),
    /// All devices, each in one line, in order.
    Fleet(oneshot::Sender<Vec<DeviceSummary>>),
    /// All that is known of a device; `None` if there is no such device.
    Inspect(DeviceId, oneshot::Sender<Option<Box<Inspection>>>),
    /// The stream of a device.
    Frames(DeviceId, oneshot::Sender<Result<FrameReader, NoFrames>>),
    /// What the reports of all devices cost.
    Demand(oneshot::Sender<Demand>),
    /// The models, in order.
    Models(oneshot::Sender<Vec<InspectedModel>>),
    /// The devices that a filter takes, and the number of the last event before.
    Snapshot(Filter, oneshot::Sender<Snapshot>),
}

/// Why the frames of a device cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoFrames {
    /// There is no such device.
    NoDevice,
    /// None of its properties has the key `stream`.
    NoStream,
    /// The mapper is stopping.
    Stopping,
}

/// A device at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceSnapshot {
    /// The device; `None` while its model is not known.
    pub device: Option<Arc<Device>>,
    /// Its state.
    pub state: DeviceState,
    /// Why it is in that state, where there is something to say.
    pub reason: Option<String>,
    /// Since when it is in that state; `None` while its model is not known.
    pub since: Option<SystemTime>,
    /// The last value of each property that was ever read, in no order.
    pub samples: Vec<Sample>,
    /// The properties whose last read has failed, in no order. A connection that is lost is no failure of theirs.
    pub failures: Vec<ReadFailure>,
    /// Where its desired values stand, in the order of their properties' names.
    pub desired: Vec<DesiredStatus>,
    /// The number of the last event that it shows, besides those of desired values.
    pub(super) as_of: u64,
}

/// A property that cannot be read at present, or of which a device delivers what cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadFailure {
    /// The property.
    pub property: Arc<str>,
    /// The last error.
    pub reason: String,
    /// Since when it fails.
    pub since: SystemTime,
    /// Whether the device has given a value, which does not fit the property's type.
    pub has_come: bool,
}

/// Why a device was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// There is no such device, property or method.
    #[error("{0}")]
    NotFound(String),
    /// The value cannot be written to the property.
    #[error("device {device}, property {property:?}: {reason}")]
    Invalid {
        /// The device.
        device: DeviceId,
        /// The property.
        property: String,
        /// Why not.
        reason: String,
    },
    /// The mapper has no session to the device now, or too much to do for it; or something stands in the way that may go: an interlock,
    /// the least interval between two writes. Or nobody knows what came of it, since the session ended meanwhile.
    #[error("device {device} is not available now: {reason}")]
    Unavailable {
        /// The device.
        device: DeviceId,
        /// Why not.
        reason: String,
    },
    /// The driver failed; it may succeed later.
    #[error("device {device}, property {property:?}: {reason}")]
    Failed {
        /// The device.
        device: DeviceId,
        /// The property.
        property: String,
        /// The driver's error.
        reason: String,
    },
    /// The device refuses this for good, the driver does not offer it, or it is not allowed to be written.
    #[error("device {device}, property {property:?}, refused: {reason}")]
    Refused {
        /// The device.
        device: DeviceId,
        /// The property.
        property: String,
        /// The driver's error.
        reason: String,
    },
    /// Nothing may be written to the device, by whatever order: `writes.mode` is `readOnly`, or it is a dry run.
    #[error("nothing may be written to device {device}: {reason}")]
    Forbidden {
        /// The device.
        device: DeviceId,
        /// Which of them.
        reason: String,
    },
    /// The order was not carried out before it expired, or before its caller gave up.
    #[error("device {device} was not written: {reason}")]
    Expired {
        /// The device.
        device: DeviceId,
        /// Which of them.
        reason: String,
    },
    /// The mapper is stopping.
    #[error("the mapper is stopping")]
    Stopping,
}

impl OperationError {
    /// Whether the same order may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Failed { .. })
    }
}

impl Handle {
    /// The names of all devices, in order; empty when the mapper has stopped.
    pub async fn devices(&self) -> Vec<DeviceId> {
        self.ask(Request::Devices).await.unwrap_or_default()
    }

    /// One device; `None` if there is no such device, or the mapper has stopped.
    pub async fn device(&self, device: &DeviceId) -> Option<DeviceSnapshot> {
        self.ask(|reply| Request::Device(device.clone(), reply)).await.flatten()
    }

    /// Writes a property. `text` is the value as a user writes it in `desired`. Short for [`carry_out`](Self::carry_out) of
    /// [`Order::write`].
    ///
    /// # Errors
    ///
    /// See [`OperationError`].
    pub async fn write(&self, device: &DeviceId, property: &str, text: &str) -> Result<(), OperationError> {
        self.carry_out(Order::write(device, property, text)).await.map(drop)
    }

    /// Calls a method of a device, and returns its results. Short for [`carry_out`](Self::carry_out) of [`Order::call`].
    ///
    /// # Errors
    ///
    /// See [`OperationError`].
    ///
    /// # Example
    ///
    /// ```
    /// # use mapper_framework::{Handle, OperationError, model::DeviceId};
    /// # async fn dose(handle: &Handle) -> Result<(), OperationError> {
    /// let pump = DeviceId::new("plant", "pump-1");
    /// let results = handle.call(&pump, "dose", &[("millilitres", "250"), ("seconds", "10")]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn call(
        &self,
        device: &DeviceId,
        method: &str,
        arguments: &[(&str, &str)],
    ) -> Result<Vec<Value>, OperationError> {
        self.carry_out(Order::call(device, method, arguments)).await.map(Answer::into_results)
    }

    /// Reads a property now, whatever its cycle. Twin and sinks get what was read as they get any
    /// other sample: by their strategies and the `reportCycle`. Short for [`carry_out`](Self::carry_out) of
    /// [`Order::read`].
    ///
    /// # Errors
    ///
    /// See [`OperationError`].
    pub async fn read(&self, device: &DeviceId, property: &str) -> Result<Sample, OperationError> {
        let answer = self.carry_out(Order::read(device, &[property])).await?;
        let unread = || OperationError::NotFound(format!("device {device} has no property {property:?}"));
        answer.read_back().first().cloned().ok_or_else(unread)
    }

    /// Carries out an order, and returns what came of it. Dropping the future takes the order back, unless it
    /// [outlives its caller](Order::outlives_caller) or is under way already.
    ///
    /// # Errors
    ///
    /// See [`OperationError`].
    pub async fn carry_out(&self, order: Order) -> Result<Answer, OperationError> {
        let answer = self.ask(|reply| Request::Operate(Box::new(Operation::new(order, reply)))).await;
        answer.unwrap_or(Err(OperationError::Stopping))
    }

    /// What the sinks have kept of a device, oldest first: at most the newest `limit` values of the range.
    ///
    /// Where a property goes to several sinks, the first that keeps a history answers, in the order of their kinds' names.
    ///
    /// # Errors
    ///
    /// There is no such device, none of its sinks keeps a history, or the sink cannot be asked.
    pub async fn history(&self, request: HistoryRequest) -> Result<Vec<Point>, HistoryError> {
        let asked = self.ask(|reply| Request::Series(request.device.clone(), reply)).await;
        let series = asked.ok_or(HistoryError::Stopping)?;
        let series = series.ok_or_else(|| HistoryError::NotFound(format!("there is no device {}", request.device)))?;
        self.sinks.history(series, &request).await
    }

    /// The targets that samples go to, by their names: whether each can be written to, and what has become of its records.
    pub fn sinks(&self) -> Vec<SinkStatus> {
        self.sinks.statuses()
    }

    /// Waits until the targets fit, at once if they do: until nothing is in flight any more, say.
    #[cfg(feature = "testing")]
    pub async fn wait_for_sinks(&self, fits: impl FnMut(&[SinkStatus]) -> bool) {
        self.sinks.wait_until(fits).await;
    }

    /// Where the HTTP server listens, which shows the port where `common.http_port` is 0; `None` while it does not, and where there is none.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.get().copied()
    }

    /// Notes where the HTTP server listens.
    pub(crate) fn set_http_address(&self, address: SocketAddr) {
        // A mapper has one server, which is set up once.
        self.http.set(address).ok();
    }

    /// What the mapper has counted since its start.
    pub fn stats(&self) -> Stats {
        self.telemetry.stats()
    }

    /// What the mapper has counted of one device and its properties since the device was added; `None` if it has no task, since
    /// there is no such device or its model is not known.
    pub fn device_stats(&self, device: &DeviceId) -> Option<DeviceStats> {
        self.telemetry.device_stats(device)
    }

    /// What the mapper has counted of one target of [`sinks`](Self::sinks), besides its ledger; `None` if there is no such target.
    pub fn target_stats(&self, target: &Target) -> Option<TargetStats> {
        self.telemetry.target_stats(target)
    }

    /// Watches the mapper: its devices, its sinks and its link to edgecore as they are, and the events after that, without a hole between them. `None` when the
    /// mapper has stopped.
    ///
    /// An event of a device or of the link is either shown by the snapshot or comes after it. A change of a sink that falls into the moment of the
    /// snapshot may stand in both.
    ///
    /// ```
    /// # async fn watch(handle: mapper_framework::Handle) {
    /// use mapper_framework::watch::{Filter, Kind, What};
    ///
    /// let Some(mut watch) = handle.watch(Filter::all().kinds([Kind::State, Kind::Sample])).await else { return };
    /// for (id, device) in watch.snapshot().devices() {
    ///     println!("{id} is {}", device.state.as_str());
    /// }
    /// while let Some(event) = watch.next().await {
    ///     match event.what() {
    ///         What::State { device, state, .. } => println!("{device} is {state} now"),
    ///         What::Sample(sample) => println!("{}: {} = {}", sample.device, sample.property.name(), sample.value),
    ///         What::Missed { events, .. } => println!("too slow by {events} events"),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn watch(&self, filter: Filter) -> Option<Watch> {
        // In this order: what happens while the snapshot is taken is among the events.
        let events = self.telemetry.watch(filter);
        let mut snapshot = self.ask(|reply| Request::Snapshot(events.filter().clone(), reply)).await?;
        snapshot.sinks = self.sinks();
        Some(Watch::new(snapshot, events))
    }

    /// All devices, each in one line, in the order of their names; `None` when the mapper has stopped.
    pub(crate) async fn fleet(&self) -> Option<Vec<DeviceSummary>> {
        self.ask(Request::Fleet).await
    }

    /// All that is known of a device; `None` if there is no such device, or the mapper has stopped.
    pub(crate) async fn inspect(&self, device: &DeviceId) -> Option<Inspection> {
        self.ask(|reply| Request::Inspect(device.clone(), reply)).await.flatten().map(|inspection| *inspection)
    }

    /// Reads the stream of a device.
    pub(crate) async fn frames(&self, device: &DeviceId) -> Result<FrameReader, NoFrames> {
        self.ask(|reply| Request::Frames(device.clone(), reply)).await.unwrap_or(Err(NoFrames::Stopping))
    }

    /// Where the frames of devices are recorded.
    #[cfg(feature = "http")]
    pub(crate) fn recordings(&self) -> &Recordings {
        &self.recordings
    }

    /// The models that edgecore has brought, in the order of their names; `None` when the mapper has stopped.
    pub(crate) async fn models(&self) -> Option<Vec<InspectedModel>> {
        self.ask(Request::Models).await
    }

    /// What the reports of all devices cost; `None` when the mapper has stopped.
    pub(crate) async fn demand(&self) -> Option<Demand> {
        self.ask(Request::Demand).await
    }

    /// How long rounds of reads take, and writes, by how much rounds begin late, and how old twins are when edgecore accepts them.
    pub(crate) fn times(&self) -> [Times; 4] {
        let latencies = self.telemetry.latencies();
        [&latencies.reads, &latencies.writes, &latencies.lag, &latencies.staleness].map(Latency::read)
    }

    /// The desired values of a device, in the order of their properties' names.
    pub(crate) fn desired(&self, device: &DeviceId) -> Vec<DesiredStatus> {
        self.telemetry.desired(device)
    }

    /// The events from now on, without a snapshot.
    pub(crate) fn events(&self, filter: Filter) -> Events {
        self.telemetry.watch(filter)
    }

    /// The events after that of this number; `None` if some of them are not kept.
    pub(crate) fn events_after(&self, filter: &Filter, sequence: u64) -> Option<Events> {
        self.telemetry.resume(filter, sequence)
    }

    /// Keeps the last events from now on, or no longer.
    pub(crate) fn keep_events(&self, keep: bool) {
        self.telemetry.keep_history(keep);
    }

    /// The number of the last event.
    pub(crate) fn sequence(&self) -> u64 {
        self.telemetry.sequence()
    }

    /// The link to edgecore, and since when it is so.
    pub(crate) fn edge(&self) -> (EdgeLink, Option<SystemTime>) {
        self.telemetry.edge()
    }

    /// Where the twins of a device stand on their way to edgecore, by the names of their properties.
    pub(crate) fn twins(&self, device: &DeviceId) -> Traces {
        self.telemetry.traces(device)
    }

    /// Takes in edgecore's answer to a registration, the first on its connection or a later one. Returns whether another one is needed to know
    /// which devices are gone.
    pub(crate) async fn reconcile(&self, registration: Registration, is_first: bool) -> bool {
        // Only a manager that has stopped does not answer, and then there is nothing to reconcile.
        self.ask(|reply| Request::Reconcile(registration, is_first, reply)).await.unwrap_or_default()
    }

    /// `None` when the manager has stopped.
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// Whoever asked may have given up: then nobody misses the answer.
pub(super) fn answer<T>(reply: oneshot::Sender<T>, answer: T) {
    drop(reply.send(answer));
}
