//! The mapper: the only place that wires the parts together.

mod builder;
mod configured;
mod parts;
mod reporting;

use std::{fmt, future::Future, sync::Arc};

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

#[cfg(feature = "http")]
use crate::http::{self, HttpError};
use crate::{
    config::{Config, ConfigError, Package},
    credentials::CredentialSources,
    dmi::{
        client::MapperInfo,
        server,
        socket::{Socket, SocketError, check_edgecore},
    },
    driver::Driver,
    hook::Finding,
    runtime::{
        Handle,
        link::Link,
        manager::{COMMANDS, Manager},
    },
    sink::{self, Sinks},
    telemetry::{
        Telemetry,
        mapper::{HttpListening, Listening, ReportsCutOff, Stopping},
        sinks::{ProxyIgnored, ProxyUsed},
    },
    twin::{Outbox, Pacer},
};

pub use builder::MapperBuilder;
use configured::MakeDriver;
use parts::{KeptWrites, Part, Parts, Stop};
use reporting::Reporting;

/// Why a mapper cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MapperError {
    /// The config cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The mapper's author refuses what stands in a section of its own, `driver.settings` or that of a sink.
    #[error("`{section}` cannot be used: {reason}")]
    #[non_exhaustive]
    Refused {
        /// The section.
        section: String,
        /// Why.
        reason: String,
    },
    /// The mapper's socket cannot be listened on.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The HTTP server cannot listen, or a file of it cannot be used.
    #[cfg(feature = "http")]
    #[error(transparent)]
    Http(#[from] HttpError),
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
/// use mapper_framework::{Device, Driver, DriverError, Mapper, Property, Reading, Session, config::Config};
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
///     async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
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
/// config.spool.dir = folder.path().join("spool");
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
    pacer: Arc<Pacer>,
    sinks: Sinks,
    telemetry: Telemetry,
    /// Where credentials are looked for.
    credentials: CredentialSources,
    /// The variables of the environment that name a proxy.
    proxies: Vec<String>,
    /// What the anomaly detection has found, for the endpoints of the manifests.
    findings: mpsc::Receiver<Finding>,
    make_driver: Option<MakeDriver>,
    /// What it is, for whoever looks into it.
    package: Package,
    /// Where the HTTP server listens, if that is decided.
    #[cfg(feature = "http")]
    http: Option<http::Bound>,
    /// Why there is a kind of sink that could not be made.
    problem: Option<MapperError>,
}

impl Mapper {
    /// Starts with a driver.
    pub fn builder(driver: impl Driver) -> MapperBuilder {
        MapperBuilder::new(driver)
    }

    /// A handle to the mapper, which answers once it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until `shutdown`, and then stops: collects no more, closes the sessions, reports what is pending
    /// and that devices are offline, delivers what waits for the sinks or keeps it on disk, all within `shutdown.grace`.
    ///
    /// That edgecore is not there, or goes away, does not end a mapper.
    ///
    /// # Errors
    ///
    /// The config cannot work, or the socket cannot be listened on.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) -> Result<(), MapperError> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        self.config = self.config.checked()?;
        if let Some(make) = self.make_driver.take() {
            make(&self.config)?;
        }
        check_edgecore(&self.config.common.edgecore_sock)?;
        let socket = Socket::bind(&self.config.grpc_server.socket_path).await?;
        self.telemetry.emit(Listening { socket: socket.path() });
        self.log_proxy();
        let _http = AbortOnDropHandle::new(tokio::spawn(self.serve_http().await?));
        let grace = self.config.shutdown.grace;
        let telemetry = self.telemetry.clone();
        let _watches = telemetry.closing();
        let statistics = telemetry.clone().log_now_and_then(self.config.log.statistics);
        let _statistics = AbortOnDropHandle::new(tokio::spawn(statistics));
        let kept = KeptWrites::open(&self.config.writes, &self.telemetry).await;
        self.manager.keep_writes(kept.memory.clone(), kept.audit.clone());
        let mut parts = self.start(socket, kept);
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            ended = parts.any_ended() => Err(ended),
        };
        telemetry.emit(Stopping {});
        let devices = parts.stop(grace).await;
        if devices > 0 {
            telemetry.emit(ReportsCutOff { devices });
        }
        telemetry.log_stopped();
        ended
    }

    /// Says which proxy the sinks use, or that they do not use that of the environment.
    fn log_proxy(&self) {
        match &*self.config.sinks.proxy {
            "" if self.proxies.is_empty() => {}
            "" => self.telemetry.emit(ProxyIgnored { variables: &self.proxies.join(", ") }),
            proxy => self.telemetry.emit(ProxyUsed { proxy }),
        }
    }

    /// Listens for whoever looks into the mapper, and returns what serves them until it is dropped.
    #[cfg(feature = "http")]
    async fn serve_http(&mut self) -> Result<impl Future<Output = ()> + use<>, MapperError> {
        let mut server = None;
        if self.config.http.enabled {
            let bound = match self.http.take() {
                Some(bound) => bound,
                None => http::Bound::bind(&self.config, false).await?,
            };
            let sources = http::Sources {
                handle: self.handle.clone(),
                outbox: Arc::clone(&self.outbox),
                pacer: Arc::clone(&self.pacer),
                config: self.config.clone(),
                package: self.package,
            };
            let site = http::Site::new(sources, &bound)?;
            self.handle.set_http_address(bound.address());
            self.telemetry.emit(HttpListening { url: &bound.url(self.config.http.tls.is_on()) });
            server = Some((bound, site));
        }
        Ok(async {
            if let Some((bound, site)) = server {
                http::serve(bound, site).await;
            }
        })
    }

    #[cfg(not(feature = "http"))]
    async fn serve_http(&mut self) -> Result<impl Future<Output = ()> + use<>, MapperError> {
        Ok(std::future::ready(()))
    }

    fn start(self, socket: Socket, writes: KeptWrites) -> Parts {
        let Self { config, manager, handle, outbox, pacer, sinks, telemetry, credentials, findings, .. } = self;
        sinks.resume();
        let stop = Stop::default();
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
        let reporting = Reporting {
            outbox: Arc::clone(&outbox),
            pacer: Arc::clone(&pacer),
            telemetry: telemetry.clone(),
            edge: connected,
            illegal: config.report.illegal,
        };
        let (way, reporting) = reporting.by(&config, credentials, stop.reports.clone());
        let server = async {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the DMI server has failed");
            }
        };
        let posting = sink::post_findings(findings, &config.sinks, telemetry);
        Parts {
            _findings: AbortOnDropHandle::new(tokio::spawn(posting)),
            server: Part::spawn("DMI server", server),
            manager: Part::spawn("device manager", manager.run(received, stop.devices.clone())),
            reporter: Part::spawn("reporter", reporting),
            link: Part::spawn("link to edgecore", link.run(stop.wire.clone())),
            outbox,
            _abort_sinks: sinks.abort_guard(),
            sinks,
            pacer,
            way,
            writes,
            stop,
        }
    }
}

impl fmt::Debug for Mapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let common = &self.config.common;
        f.debug_struct("Mapper").field("name", &common.name).field("protocol", &common.protocol).finish_non_exhaustive()
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
