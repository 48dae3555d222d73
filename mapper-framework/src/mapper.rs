//! The mapper: the only place that wires the parts together.

use std::{ffi::OsString, future::Future, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinHandle},
    time::{Instant, timeout_at},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    config::{Config, ConfigError, Package},
    dmi::{
        client::MapperInfo,
        server,
        transport::{Socket, SocketError},
    },
    driver::{Driver, ErasedDriver, erase},
    runtime::{
        Dispatch, Handle, Settings,
        link::Link,
        manager::{COMMANDS, Manager},
    },
    sink::{self, CredentialSources, SinkKind, Sinks},
    telemetry::Telemetry,
    twin::{Outbox, Pacer, reporter::Reporter},
};

/// Why a mapper cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MapperError {
    /// The config cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The mapper's socket cannot be listened on.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A part of the mapper has ended by itself, which is a defect of the framework.
    #[error("the {part} has ended by itself, which is a defect of mapper-framework: {reason}")]
    Ended {
        /// Which part.
        part: &'static str,
        /// What is known of it.
        reason: String,
    },
}

/// A mapper that is ready to run: a driver, and everything around it.
///
/// ```
/// use mapper_framework::{Device, Driver, DriverError, Mapper, Property, Session, Value, config::Config};
///
/// struct Answer;
///
/// impl Driver for Answer {
///     type Config = ();
///     type Session = Answer;
///     async fn connect(&self, _: &Device, (): ()) -> Result<Answer, DriverError> {
///         Ok(Answer)
///     }
/// }
///
/// impl Session for Answer {
///     type Visitor = ();
///     async fn read(&mut self, _: &Property<()>) -> Result<Value, DriverError> {
///         Ok(42.into())
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let mut config = Config::default();
/// config.common.protocol = "answer".to_owned();
/// config.grpc_server.socket_path = folder.path().join("answer.sock");
/// let mapper = Mapper::builder(Answer).config(config).build();
/// mapper.run_until(async { /* something that ends the run */ }).await?;
/// # Ok(())
/// # }
/// ```
///
/// Most mappers are programs of their own and call [`MapperBuilder::main`] instead.
pub struct Mapper {
    config: Config,
    manager: Manager,
    handle: Handle,
    outbox: Arc<Outbox>,
    sinks: Sinks,
    telemetry: Telemetry,
}

/// Builds a [`Mapper`].
#[must_use]
pub struct MapperBuilder {
    pub(crate) driver: Arc<dyn ErasedDriver>,
    pub(crate) package: Package,
    pub(crate) config: Config,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// What `sample` prints.
    pub(crate) sample: Option<String>,
    credential_folders: Vec<(String, PathBuf)>,
    kinds: Vec<Arc<dyn SinkKind>>,
}

impl Mapper {
    /// Starts with a driver.
    pub fn builder(driver: impl Driver) -> MapperBuilder {
        let package = Package::new("mapper", env!("CARGO_PKG_VERSION"), "");
        let config = Config::from_package(&package);
        MapperBuilder {
            driver: erase(driver),
            package,
            config,
            environment: Vec::new(),
            sample: None,
            credential_folders: Vec::new(),
            kinds: Vec::new(),
        }
    }

    /// A handle to the mapper, which answers once it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until `shutdown`, and stops in good order then: collects no more, closes the sessions, reports what is pending
    /// and that devices are offline, delivers what waits for the sinks or keeps it on disk, all within `shutdown.grace`.
    ///
    /// That edgecore is not there, or goes away, does not end a mapper.
    ///
    /// # Errors
    ///
    /// The config cannot work, or the socket cannot be listened on.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) -> Result<(), MapperError> {
        self.config = self.config.checked()?;
        let socket = Socket::bind(&self.config.grpc_server.socket_path).await?;
        self.telemetry.listening(socket.path());
        let grace = self.config.shutdown.grace;
        let telemetry = self.telemetry.clone();
        let mut parts = self.start(socket);
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            ended = parts.any_ended() => Err(ended),
        };
        telemetry.stopping();
        telemetry.stopped(parts.stop(grace).await);
        ended
    }

    fn start(self, socket: Socket) -> Parts {
        let Self { config, manager, handle, outbox, sinks, telemetry } = self;
        sinks.resume();
        let stop = Stop::default();
        let pacer = Arc::new(Pacer::new(config.report.calls_per_second, config.report.burst));
        let (commands, received) = mpsc::channel(COMMANDS);
        let (edge, connected) = watch::channel(None);
        let link = Link {
            socket: config.common.edgecore_sock.clone(),
            mapper: mapper_info(&config),
            pacer: Arc::clone(&pacer),
            telemetry: telemetry.clone(),
            devices: handle,
            edge,
        };
        let serving = server::serve(socket, commands, telemetry.clone(), stop.wire.clone());
        let reporter = Reporter::new(Arc::clone(&outbox), Arc::clone(&pacer), telemetry, connected);
        let server = async {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the DMI server has failed");
            }
        };
        Parts {
            server: Part::spawn("DMI server", server),
            manager: Part::spawn("device manager", manager.run(received, stop.devices.clone())),
            reporter: Part::spawn("reporter", reporter.run(stop.reports.clone())),
            link: Part::spawn("link to edgecore", link.run(stop.wire.clone())),
            outbox,
            _abort_sinks: sinks.abort_guard(),
            sinks,
            pacer,
            stop,
        }
    }
}

fn mapper_info(config: &Config) -> MapperInfo {
    MapperInfo {
        name: config.common.name.clone(),
        version: config.common.version.clone(),
        api_version: config.common.api_version.clone(),
        protocol: config.common.protocol.clone(),
        address: config.grpc_server.socket_path.to_string_lossy().into_owned(),
    }
}

impl MapperBuilder {
    /// Says what the mapper is, for `--version`, `--help` and the registration: `mapper_framework::package!()`.
    pub fn package(mut self, package: Package) -> Self {
        self.config.common.name = package.name().to_owned();
        self.config.common.version = package.version().to_owned();
        self.package = package;
        self
    }

    /// Sets the protocol whose devices the mapper serves, unless its config file names another.
    pub fn protocol(mut self, protocol: &str) -> Self {
        self.config.common.protocol = protocol.to_owned();
        self
    }

    /// Brings a DeviceModel and a Device that fit the driver, as YAML of any number of documents. `my-mapper sample` prints them, so
    /// that a mapper's image holds what its users start from. The template takes its own manifests by `include_str!`.
    pub fn sample(mut self, manifests: impl Into<String>) -> Self {
        self.sample = Some(manifests.into());
        self
    }

    /// Sets the whole config. [`main`](Self::main) reads the file, the environment and the flags over it. It is checked when the
    /// mapper is run, as [`Config::load`] does.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Registers a kind of sink. One of the same name, built in or not, is replaced.
    pub fn sink(self, kind: impl SinkKind) -> Self {
        self.shared_sink(Arc::new(kind))
    }

    pub(crate) fn shared_sink(mut self, kind: Arc<dyn SinkKind>) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Gives a kind of sink that is not built in a folder with the files `username`, `password` and `token`, as a mounted Secret is.
    /// The built-in ones have theirs from the config.
    pub fn credentials(mut self, kind: &str, folder: impl Into<PathBuf>) -> Self {
        self.credential_folders.push((kind.to_owned(), folder.into()));
        self
    }

    /// Gives environment variables to look for the [credentials](crate::sink::Credentials) of the sinks in; none by default.
    /// [`main`](Self::main) gives those of the process.
    pub fn environment<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.environment = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// All kinds of sink that the mapper has.
    pub(crate) fn sink_kinds(&self) -> Vec<Arc<dyn SinkKind>> {
        sink::unique(sink::all_kinds(&self.config.sinks).into_iter().chain(self.kinds.iter().cloned()))
    }

    /// Whether some of them are not built in.
    pub(crate) fn has_own_sinks(&self) -> bool {
        !self.kinds.is_empty()
    }

    /// Ends the building.
    #[must_use]
    pub fn build(self) -> Mapper {
        let (telemetry, outbox) = (Telemetry::default(), Arc::<Outbox>::default());
        let config = self.config.completed();
        let kinds = sink::all_kinds(&config.sinks).into_iter().chain(self.kinds).collect();
        let credentials =
            CredentialSources::new(self.environment, config.sinks.credential_folders().chain(self.credential_folders));
        let sinks = Sinks::new(kinds, config.sinks.clone(), config.spool.clone(), credentials, telemetry.clone());
        let settings = Settings {
            call_timeout: config.driver.call_timeout,
            backoff_max: config.driver.backoff_max,
            // The other half is for the reports.
            closing: config.shutdown.grace / 2,
        };
        let dispatch = Dispatch::new(Arc::clone(&outbox), sinks.clone(), telemetry.clone());
        let budget = config.report.calls_per_second;
        let (manager, handle) = Manager::new(self.driver, settings, budget, dispatch, telemetry.clone());
        Mapper { config, manager, handle, outbox, sinks, telemetry }
    }
}

/// The tokens that end the parts, in the order in which they are cancelled.
#[derive(Debug, Default)]
struct Stop {
    devices: CancellationToken,
    reports: CancellationToken,
    /// The server and the link: edgecore is needed until the last report.
    wire: CancellationToken,
}

/// What is kept of the grace for the link and the server, at most: reports that take all the time they can get must not cost the
/// others their orderly end.
const WIRE_CLOSING: Duration = Duration::from_secs(1);

/// The tasks of a running mapper.
struct Parts {
    server: Part,
    manager: Part,
    reporter: Part,
    link: Part,
    /// What the reporter leaves there when it is cut off is told of.
    outbox: Arc<Outbox>,
    /// Drained beside the reports, once the devices have stopped.
    sinks: Sinks,
    /// Ends the sinks' tasks with the others, should the run be dropped in the middle.
    _abort_sinks: DropGuard,
    /// Knows how much can still be reported.
    pacer: Arc<Pacer>,
    stop: Stop,
}

impl Parts {
    /// Waits for a part to end, which none does by itself.
    async fn any_ended(&mut self) -> MapperError {
        tokio::select! {
            ended = self.server.ended() => ended,
            ended = self.manager.ended() => ended,
            ended = self.reporter.ended() => ended,
            ended = self.link.ended() => ended,
        }
    }

    /// Ends the parts one after the other, and aborts what has not ended in its time. Tells of how many devices something is left
    /// unreported.
    async fn stop(self, grace: Duration) -> usize {
        let deadline = Instant::now() + grace;
        let last_report = deadline - WIRE_CLOSING.min(grace / 4);
        self.stop.devices.cancel();
        self.manager.join(last_report).await;
        let left = last_report.saturating_duration_since(Instant::now());
        self.outbox.prefer_states(self.pacer.calls_within(left));
        self.stop.reports.cancel();
        let reports = self.reporter.drain(last_report, &self.outbox);
        let (unreported, ()) = tokio::join!(reports, self.sinks.stop(last_report));
        self.stop.wire.cancel();
        tokio::join!(self.link.join(deadline), self.server.join(deadline));
        unreported
    }
}

/// One task of the mapper's. Aborted when dropped.
struct Part {
    name: &'static str,
    task: JoinHandle<()>,
}

impl Part {
    fn spawn(name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { name, task: tokio::spawn(task) }
    }

    async fn ended(&mut self) -> MapperError {
        let reason = match (&mut self.task).await {
            Ok(()) => "it returned".to_owned(),
            Err(error) => describe(error),
        };
        MapperError::Ended { part: self.name, reason }
    }

    async fn join(mut self, deadline: Instant) {
        if !self.ends_by(deadline).await {
            tracing::warn!(part = self.name, "not stopped within shutdown.grace, and cut off");
        }
    }

    /// As [`join`](Self::join), for the reporter: that it has more to report than time is no defect, and is told by the number of
    /// devices of which something is left.
    async fn drain(mut self, deadline: Instant, outbox: &Outbox) -> usize {
        let ended = self.ends_by(deadline).await;
        // The report of a call that was cut off is not in the outbox.
        if ended { outbox.len() } else { outbox.len().max(1) }
    }

    /// Waits for the end, and aborts the task at the deadline. What the task held is dropped when this returns. Tells whether the
    /// task has ended by itself.
    async fn ends_by(&mut self, deadline: Instant) -> bool {
        if self.task.is_finished() {
            return true;
        }
        let ended = match timeout_at(deadline, &mut self.task).await {
            Ok(ended) => ended,
            Err(_) => {
                self.task.abort();
                let ended = (&mut self.task).await;
                if ended.as_ref().is_err_and(JoinError::is_cancelled) {
                    return false;
                }
                ended
            }
        };
        if let Err(error) = ended {
            tracing::error!(part = self.name, error = describe(error), "a part died while stopping");
        }
        true
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn describe(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => crate::runtime::panic_message(&*panic).to_owned(),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// Parts of which the reporter never ends, and the link and the server take this long.
    fn busy_parts(socket: Socket, closing: Duration) -> (Parts, CancellationToken, CancellationToken) {
        let stop = Stop::default();
        let (link_ended, server_ended) = (CancellationToken::new(), CancellationToken::new());
        let close = |ended: CancellationToken, socket: Option<Socket>| {
            let wire = stop.wire.clone();
            async move {
                wire.cancelled().await;
                sleep(closing).await;
                drop(socket);
                ended.cancel();
            }
        };
        let parts = Parts {
            server: Part::spawn("server", close(server_ended.clone(), Some(socket))),
            manager: Part::spawn("manager", stop.devices.clone().cancelled_owned()),
            reporter: Part::spawn("reporter", std::future::pending()),
            link: Part::spawn("link", close(link_ended.clone(), None)),
            outbox: Arc::default(),
            _abort_sinks: CancellationToken::new().drop_guard(),
            sinks: Sinks::none(Telemetry::default()),
            pacer: Arc::new(Pacer::new(1.0, 90)),
            stop,
        };
        (parts, link_ended, server_ended)
    }

    #[tokio::test(start_paused = true)]
    async fn the_link_and_the_server_have_time_to_end_after_a_reporter_that_takes_all_it_gets() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = Socket::bind(&folder.path().join("mapper.sock")).await.expect("the path is free");
        let (parts, link_ended, server_ended) = busy_parts(socket, Duration::from_millis(900));
        let started = Instant::now();
        assert_eq!(parts.stop(Duration::from_secs(10)).await, 1, "the report that was cut off counts");
        assert!(link_ended.is_cancelled() && server_ended.is_cancelled());
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn the_socket_file_goes_even_when_the_server_is_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mapper.sock");
        let socket = Socket::bind(&path).await.expect("the path is free");
        let (parts, _, server_ended) = busy_parts(socket, Duration::from_secs(3600));
        parts.stop(Duration::from_secs(2)).await;
        assert!(!server_ended.is_cancelled() && !path.exists());
    }
}
