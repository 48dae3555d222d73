//! A harness for the tests of drivers, and of the framework: a mapper and an edgecore in this process, on real sockets.
//!
//! ```
//! use mapper_framework::{Device, Driver, DriverError, Property, Reading, Session, model::DeviceId, testing::TestBed};
//!
//! struct Answer;
//!
//! impl Driver for Answer {
//!     type Config = ();
//!     type Session = Answer;
//!     async fn connect(&self, _: &Device, (): ()) -> Result<Answer, DriverError> {
//!         Ok(Answer)
//!     }
//! }
//!
//! impl Session for Answer {
//!     type Visitor = ();
//!     async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
//!         Ok(42.into())
//!     }
//! }
//!
//! # const MANIFESTS: &str = "
//! # apiVersion: devices.kubeedge.io/v1beta1
//! # kind: DeviceModel
//! # metadata: {name: answer}
//! # spec: {protocol: answer, properties: [{name: value, type: INT, accessMode: ReadOnly}]}
//! # ---
//! # apiVersion: devices.kubeedge.io/v1beta1
//! # kind: Device
//! # metadata: {name: deep-thought}
//! # spec:
//! #   deviceModelRef: {name: answer}
//! #   protocol: {protocolName: answer}
//! #   properties: [{name: value, reportToCloud: true}]
//! # ";
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bed = TestBed::start(Answer, "answer").await;
//! bed.edge().apply(MANIFESTS).await?;
//! let device = DeviceId::new("default", "deep-thought");
//! bed.until("the value is stored", |edge| edge.twin(&device, "value").is_some_and(|twin| twin.value() == "42")).await;
//! bed.stop().await?;
//! # Ok(())
//! # }
//! ```

pub mod driver_contract;
mod round;
pub mod sink_contract;
pub mod sinks;

use std::{
    ffi::OsString,
    fmt,
    future::Future,
    panic::Location,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    config::{Config, ReportStrategy},
    driver::Driver,
    local_edge::{EdgeState, LocalEdge, LocalEdgeBuilder},
    mapper::{Mapper, MapperBuilder, MapperError},
    model::{DeviceId, DeviceState},
    runtime::Handle,
    sink::{self, ErasedKind, SinkKind, SinkStatus},
    tape::{Recorder, Tape, recording, replaying},
    watch::{Filter, Kind, What},
};

pub use round::read_many;

/// How long a condition is waited for before the test fails. A busy machine is slow; no test waits this long unless it fails.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A mapper that runs against a [`LocalEdge`], on sockets in a folder of its own.
///
/// Dropping it ends both at once; [`stop`](Self::stop) ends the mapper as SIGTERM does. The deadline is a real one: a test with
/// paused time has no use for this.
#[derive(Debug)]
pub struct TestBed {
    mapper: AbortOnDropHandle<Result<(), MapperError>>,
    stop: CancellationToken,
    handle: Handle,
    edge: LocalEdge,
    /// What the session is recorded by.
    recorder: Option<Arc<Recorder>>,
    /// Removed with what is in it, after the sockets.
    folder: TempDir,
}

/// Sets up a [`TestBed`].
#[must_use]
pub struct TestBedBuilder<D> {
    driver: D,
    config: Config,
    edge: LocalEdgeBuilder,
    edge_is_late: bool,
    kinds: Vec<Arc<dyn ErasedKind>>,
    environment: Vec<(OsString, OsString)>,
    tape: Option<TapeOrder>,
}

/// What becomes of the calls to the driver.
enum TapeOrder {
    Record(PathBuf),
    Replay { path: PathBuf, speed: f64 },
}

impl TestBed {
    /// Starts an edge like KubeEdge v1.22 but without its limit of calls, and a mapper for the protocol, and waits until the mapper
    /// has registered.
    ///
    /// # Panics
    ///
    /// The future panics when the mapper has not registered within the [`DEADLINE`].
    pub async fn start(driver: impl Driver, protocol: &str) -> Self {
        Self::builder(driver, protocol).start().await
    }

    /// Sets up an edge of another kind, or a mapper with another config.
    pub fn builder<D: Driver>(driver: D, protocol: &str) -> TestBedBuilder<D> {
        let mut config = Config::default();
        protocol.clone_into(&mut config.common.protocol);
        config.common.name = format!("{protocol}-mapper");
        // The edge takes all calls, so the mapper need not save any.
        (config.report.burst, config.report.calls_per_second) = (u32::MAX, f64::from(u32::MAX));
        config.report.strategy = ReportStrategy::Always;
        let edge = LocalEdge::builder().without_limiter();
        let (kinds, environment) = (Vec::new(), Vec::new());
        TestBedBuilder { driver, config, edge, edge_is_late: false, kinds, environment, tape: None }
    }

    /// The edge.
    pub fn edge(&self) -> &LocalEdge {
        &self.edge
    }

    /// The mapper, to ask it and to have devices written.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The folder of the sockets: `dmi.sock` is the edge's, `mapper.sock` the mapper's.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until what is stored at the edge fits, at once if it does.
    ///
    /// # Panics
    ///
    /// The future panics with what is stored when it does not fit within the [`DEADLINE`].
    #[track_caller]
    pub fn until(&self, what: &str, fits: impl FnMut(&EdgeState) -> bool) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            if timeout(DEADLINE, self.edge.wait_until(fits)).await.is_err() {
                panic!("{caller}: not within {DEADLINE:?}: {what}; {}", self.story());
            }
        }
    }

    /// Waits until the state of a device and the reason for it fit, at once if they do, and returns the reason. It is empty where there
    /// is nothing to say, and with the state `unknown` for a device that is not there yet.
    ///
    /// ```
    /// # use mapper_framework::{model::DeviceId, testing::TestBed};
    /// # async fn test(bed: TestBed) {
    /// let tank = DeviceId::new("default", "tank");
    /// let reason = bed.until_state(&tank, "it is not there", |_, reason| reason.contains("Connection refused")).await;
    /// assert!(reason.ends_with("is the cable plugged in?"));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// The future panics with the states that the device was in when none of them fits within the [`DEADLINE`], and when the mapper stops.
    #[track_caller]
    pub fn until_state(
        &self,
        device: &DeviceId,
        what: &str,
        mut fits: impl FnMut(DeviceState, &str) -> bool,
    ) -> impl Future<Output = String> {
        let caller = Location::caller();
        async move {
            let mut seen = Vec::new();
            let wait = async {
                let mut watch = self.handle.watch(Filter::all().kinds([Kind::State]).device(device.clone())).await?;
                let known = watch.snapshot().devices().first();
                let mut now = known.map_or((DeviceState::Unknown, None), |(_, it)| (it.state, it.reason.clone()));
                loop {
                    let reason = now.1.unwrap_or_default();
                    if fits(now.0, &reason) {
                        return Some(reason);
                    }
                    seen.push((now.0, reason));
                    now = loop {
                        if let What::State { state, reason, .. } = watch.next().await?.what() {
                            break (*state, reason.clone());
                        }
                    };
                }
            };
            match timeout(DEADLINE, wait).await {
                Ok(reason) => reason.unwrap_or_else(|| panic!("{caller}: the mapper has stopped before this: {what}")),
                Err(_) => panic!("{caller}: not within {DEADLINE:?}: {what}; {device} was {seen:?}; {}", self.story()),
            }
        }
    }

    /// Waits until the sinks fit, at once if they do.
    ///
    /// # Panics
    ///
    /// The future panics with the state of the sinks when they do not fit within the [`DEADLINE`].
    #[track_caller]
    pub fn until_sinks(&self, what: &str, fits: impl FnMut(&[SinkStatus]) -> bool) -> impl Future<Output = ()> {
        let caller = Location::caller();
        async move {
            if timeout(DEADLINE, self.handle.wait_for_sinks(fits)).await.is_err() {
                let sinks: String = self.handle.sinks().iter().map(|sink| format!("\n  {sink}")).collect();
                panic!("{caller}: not within {DEADLINE:?}: {what}; {}; sinks:{sinks}", self.story());
            }
        }
    }

    /// Stops the mapper as SIGTERM does, and then the edge.
    ///
    /// # Errors
    ///
    /// As for [`Mapper::run_until`].
    ///
    /// # Panics
    ///
    /// The mapper has panicked.
    pub async fn stop(self) -> Result<(), MapperError> {
        let (ended, _edge) = self.stop_mapper().await;
        ended
    }

    /// Stops the mapper as SIGTERM does, and leaves the edge to be looked at.
    ///
    /// # Panics
    ///
    /// The mapper has panicked.
    pub async fn stop_mapper(self) -> (Result<(), MapperError>, LocalEdge) {
        self.stop.cancel();
        let ended = self.mapper.await.expect("a mapper does not panic");
        if let Some(recorder) = self.recorder {
            recorder.finish().unwrap_or_else(|error| panic!("the recording cannot be written: {error}"));
        }
        (ended, self.edge)
    }

    /// All that is known, for the message of a failure.
    fn story(&self) -> String {
        let ended = if self.mapper.is_finished() { "the mapper has ended; " } else { "" };
        let mut story = format!("{ended}{:?}; mapper: {}; stored:", self.edge.counts(), self.handle.stats());
        for (device, property, twin) in self.edge.twins() {
            story.push_str(&format!("\n  {device} {property} = {} ({} times)", twin.value(), twin.times_stored()));
        }
        story
    }
}

impl TapeOrder {
    /// Puts a recording in between, or in the driver's place. Gives what writes it, and the recorded manifests.
    fn carry_out(self, builder: &mut MapperBuilder) -> (Option<Arc<Recorder>>, Option<String>) {
        let (driver, protocol) = (Arc::clone(&builder.driver), &builder.config.common.protocol);
        match self {
            Self::Record(path) => {
                let (mapper, telemetry) = (&builder.config.common.name, builder.telemetry.clone());
                let recorder = Recorder::create(&path, protocol, mapper, u64::MAX, telemetry);
                let recorder = Arc::new(recorder.unwrap_or_else(|error| panic!("{error}")));
                builder.driver = recording(driver, Arc::clone(&recorder));
                (Some(recorder), None)
            }
            Self::Replay { path, speed } => {
                let tape = Tape::read(&path, protocol).unwrap_or_else(|error| panic!("{error}"));
                let manifests = tape.manifests(speed);
                builder.driver = replaying(driver, tape, speed);
                (None, Some(manifests))
            }
        }
    }
}

/// Without the environment, which holds credentials.
impl<D> fmt::Debug for TestBedBuilder<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("TestBedBuilder");
        all.field("config", &self.config).field("edge", &self.edge).finish_non_exhaustive()
    }
}

impl<D: Driver> TestBedBuilder<D> {
    /// Changes the edge: its quirks, and its limit of calls.
    pub fn edge(mut self, change: impl FnOnce(LocalEdgeBuilder) -> LocalEdgeBuilder) -> Self {
        self.edge = change(self.edge);
        self
    }

    /// Changes the mapper's config. The sockets and the address of the edge's event bus are set later, and so is the spool's folder, unless it
    /// is set here.
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Registers a kind of sink.
    pub fn sink(mut self, kind: impl SinkKind) -> Self {
        self.kinds.push(sink::erase(kind));
        self
    }

    /// Gives an environment variable to look for the credentials of the sinks in.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Starts the mapper while the edge is stopped; [`LocalEdge::restart`] starts it.
    pub fn late_edge(mut self) -> Self {
        self.edge_is_late = true;
        self
    }

    /// Records the session in a new file, as `my-mapper record` does.
    pub fn record(mut self, path: impl Into<PathBuf>) -> Self {
        self.tape = Some(TapeOrder::Record(path.into()));
        self
    }

    /// Answers from a recording instead of calling the driver, so many times as fast, as `my-mapper replay` does. The edge gets the recorded
    /// devices when the mapper has registered.
    pub fn replay(mut self, path: impl Into<PathBuf>, speed: f64) -> Self {
        self.tape = Some(TapeOrder::Replay { path: path.into(), speed });
        self
    }

    /// Starts both.
    ///
    /// # Panics
    ///
    /// The future panics when a socket cannot be listened on, when the mapper has not registered within the [`DEADLINE`], or when a recording
    /// cannot be written or read.
    pub async fn start(self) -> TestBed {
        let Self { driver, mut config, edge, edge_is_late, kinds, environment, tape } = self;
        let folder = tempfile::tempdir().expect("a folder for the sockets can be made");
        let edge = edge.start(folder.path()).await.unwrap_or_else(|error| panic!("the edge cannot start: {error}"));
        if edge_is_late {
            edge.stop().await;
        }
        edge.socket().clone_into(&mut config.common.edgecore_sock);
        #[cfg(feature = "eventbus")]
        if let Some(address) = edge.event_bus() {
            address.clone_into(&mut config.report.eventbus.address);
        }
        config.grpc_server.socket_path = folder.path().join("mapper.sock");
        if config.spool.dir.as_os_str().is_empty() {
            config.spool.dir = folder.path().join("spool");
        }
        let mut builder = Mapper::builder(driver).config(config).environment(environment);
        let (recorder, manifests) = tape.map(|order| order.carry_out(&mut builder)).unwrap_or_default();
        let mapper = kinds.into_iter().fold(builder, MapperBuilder::erased_sink).build();
        let (handle, stop) = (mapper.handle(), CancellationToken::new());
        let mapper = AbortOnDropHandle::new(tokio::spawn(mapper.run_until(stop.clone().cancelled_owned())));
        let bed = TestBed { mapper, stop, handle, edge, recorder, folder };
        if !edge_is_late {
            bed.until("the mapper is registered", |edge| edge.mappers().next().is_some()).await;
        }
        if let Some(manifests) = manifests {
            let applied = bed.edge.apply(&manifests).await;
            applied.unwrap_or_else(|error| panic!("the recorded devices cannot be applied: {error}"));
        }
        bed
    }
}
