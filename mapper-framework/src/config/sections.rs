//! The sections of the config and their defaults.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{
    EventbusConfig, HttpConfig, IllegalValues, Package, ReportStrategy, ReportVia, SinksConfig, SpoolConfig,
    StreamsConfig, WritesConfig, eventbus::DEFAULT_ADDRESS, own::OwnSections, strategies::MAX_SILENCE,
};

/// The mapper's configuration. [`Config::load`] makes it; [`Config::default`] is where it starts from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Config {
    /// Where edgecore calls the mapper.
    pub grpc_server: GrpcServerConfig,
    /// Who the mapper is and where edgecore is.
    pub common: CommonConfig,
    /// How long the framework waits for the driver.
    pub driver: DriverConfig,
    /// How often the mapper calls edgecore, and what it reports.
    pub report: ReportConfig,
    /// How records are delivered to brokers and databases.
    pub sinks: SinksConfig,
    /// What waits on disk for a sink that is away.
    pub spool: SpoolConfig,
    /// Where the frames of devices are recorded.
    pub streams: StreamsConfig,
    /// Whether devices are written to, and what is kept of it.
    pub writes: WritesConfig,
    /// The HTTP server.
    pub http: HttpConfig,
    /// How the mapper stops.
    pub shutdown: ShutdownConfig,
    /// What the mapper logs, and how.
    pub log: LogConfig,
    /// `driver.settings`, and the sections of sinks that are not built in.
    #[serde(skip)]
    pub(crate) own: OwnSections,
}

/// `grpc_server`: where edgecore calls the mapper.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GrpcServerConfig {
    /// The unix socket on which the mapper listens, an absolute path of at most 107 bytes. Empty, as by default, it becomes
    /// `/etc/kubeedge/<protocol>.sock`.
    ///
    /// edgecore dials this very path, so it must be the same inside the mapper's container and outside of it.
    pub socket_path: PathBuf,
}

/// `common`: who the mapper is and where edgecore is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CommonConfig {
    /// The mapper's name at edgecore. Empty, it becomes `<protocol>-mapper`.
    pub name: String,
    /// The mapper's version at edgecore.
    pub version: String,
    /// The version of the mapper's API, for edgecore's records only. By default `v1.0.0`, as the Go framework has it.
    pub api_version: String,
    /// The devices' `spec.protocol.protocolName`: edgecore gives the mapper every device of this protocol. One edgecore knows
    /// one mapper for each protocol.
    pub protocol: String,
    /// The IP address on which the HTTP server listens, see [`HttpConfig`]. By default `127.0.0.1`: whoever is on this machine, or in this
    /// pod. `0.0.0.0` is all addresses.
    pub address: String,
    /// The unix socket on which edgecore listens. By default `/etc/kubeedge/dmi.sock`.
    pub edgecore_sock: PathBuf,
    /// The port of the HTTP server. By default 7777; 0 takes a free one, which is logged. One that is taken is an error, but with
    /// `--standalone`, which then takes a free one.
    pub http_port: u16,
}

impl Default for CommonConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            version: String::new(),
            api_version: "v1.0.0".to_owned(),
            protocol: String::new(),
            address: "127.0.0.1".to_owned(),
            edgecore_sock: "/etc/kubeedge/dmi.sock".into(),
            http_port: 7777,
        }
    }
}

/// `driver`: how long the framework waits for the driver, what it takes of it, and where its devices' credentials are.
///
/// `driver.settings` holds what the driver itself wants to be set, see [`Mapper::configured`](crate::Mapper::configured).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DriverConfig {
    /// The deadline of each call of the driver, at which its future is dropped. By default ten seconds.
    #[serde(with = "humantime_serde")]
    pub call_timeout: Duration,
    /// The longest pause between two attempts to connect to a device. By default ten seconds.
    #[serde(with = "humantime_serde")]
    pub backoff_max: Duration,
    /// A folder of the devices' credentials, which holds a folder of files for each, as mounted Secrets are: named as a device's
    /// `configData` says by `credentials: NAME`, or else `<namespace>.<device>`. See
    /// [`Device::credentials`](crate::Device::credentials). None by default.
    pub credentials: PathBuf,
    /// The most bytes of a frame of a device's stream, above zero. By default 16 MiB. A larger frame is refused, and counted. Each device with a
    /// stream keeps its newest frame in memory.
    pub max_frame_bytes: u32,
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(10),
            backoff_max: Duration::from_secs(10),
            credentials: PathBuf::new(),
            max_frame_bytes: 16 << 20,
        }
    }
}

/// `report`: how often the mapper calls edgecore, and what it reports of twins unless a manifest says otherwise.
///
/// edgecore takes a burst of 100 calls and then one call per second, of *all mappers of its node together*, and refuses the
/// rest. The defaults leave a little to others; where several mappers share a node, give each its part. A higher rate does not
/// report faster, it gets refused: the mapper then slows down on its own and nothing but superseded values is lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReportConfig {
    /// Calls per second in the long run, at least 0.01. By default 1. One call carries all pending properties of a device.
    pub calls_per_second: f64,
    /// How many calls may go out at once after a pause, at least 1. By default 90.
    pub burst: u32,
    /// Which samples go to the twin. By default `onChange`; `always` reports each one.
    pub strategy: ReportStrategy,
    /// By how much a number may differ from the last that was reported and be no change. By default 0.
    pub deadband: f64,
    /// The same as a part of the last that was reported, in percent; the greater one counts. By default 0.
    pub deadband_percent: f64,
    /// The least time from one report of a twin to the next. By default zero.
    #[serde(with = "humantime_serde")]
    pub min_interval: Duration,
    /// After which time a twin is reported though nothing has changed. By default five minutes; `0s` is never.
    #[serde(with = "humantime_serde")]
    pub max_silence: Duration,
    /// What a twin gets of a text that edgecore would drop. By default `hold`: nothing.
    pub illegal: IllegalValues,
    /// By which way twins and states go to edgecore. By default `dmi`.
    pub via: ReportVia,
    /// The event bus.
    pub eventbus: EventbusConfig,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self {
            calls_per_second: 1.0,
            burst: 90,
            strategy: ReportStrategy::default(),
            deadband: 0.0,
            deadband_percent: 0.0,
            min_interval: Duration::ZERO,
            max_silence: MAX_SILENCE,
            illegal: IllegalValues::default(),
            via: ReportVia::default(),
            eventbus: EventbusConfig::default(),
        }
    }
}

/// `shutdown`: how the mapper stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShutdownConfig {
    /// How long the mapper may take to deliver what is pending, report its devices offline and close its sessions. By default
    /// ten seconds. Keep it below the pod's `terminationGracePeriodSeconds`, or the kubelet cuts it short.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { grace: Duration::from_secs(10) }
    }
}

/// `log`: what the mapper logs, and how. Logs go to standard error. `RUST_LOG`, if set, wins over [`level`](Self::level).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogConfig {
    /// The least important level that is logged. By default `info`.
    pub level: LogLevel,
    /// One line of text for each event, or one JSON object. By default `text`.
    pub format: LogFormat,
    /// How often the counters are logged, in a line `statistics` at the level `info`. By default ten minutes; `0s` is never.
    #[serde(with = "humantime_serde")]
    pub statistics: Duration,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: LogLevel::default(), format: LogFormat::default(), statistics: Duration::from_secs(600) }
    }
}

/// How important a log event is. The config takes its name in any case, and `warning` for `warn`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LogLevel {
    /// Data is lost or an operator must act.
    Error,
    /// Something unexpected happened, nothing is lost.
    Warn,
    /// The life cycle of the mapper and its devices.
    #[default]
    Info,
    /// What the mapper decides, and why.
    Debug,
    /// Every sample and every call.
    Trace,
}

impl LogLevel {
    /// The level's name, as the config has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl<'de> Deserialize<'de> for LogLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.to_ascii_lowercase().as_str() {
            "error" => Ok(Self::Error),
            "warn" | "warning" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => Err(D::Error::unknown_variant(&name, &["error", "warn", "info", "debug", "trace"])),
        }
    }
}

/// What a log line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object on each line, for log collectors.
    Json,
}

impl Config {
    /// The defaults of a mapper: its package gives it its name and its version.
    pub fn from_package(package: &Package) -> Self {
        let mut config = Self::default();
        package.name().clone_into(&mut config.common.name);
        package.version().clone_into(&mut config.common.version);
        config.http.enabled = true;
        config
    }

    /// All keys with their values, as a file has them.
    pub(crate) fn as_json(&self) -> serde_json::Value {
        let Ok(serde_json::Value::Object(mut tree)) = serde_json::to_value(self) else {
            return serde_json::Value::Null;
        };
        // A section that has no place in the tree was refused when the config was read.
        self.own.join_into(&mut tree).ok();
        tree.into()
    }

    /// Fills in the defaults that depend on the protocol.
    pub(super) fn derive_defaults(&mut self) {
        let protocol = &self.common.protocol;
        if self.common.name.is_empty() {
            self.common.name = format!("{protocol}-mapper");
        }
        if self.grpc_server.socket_path.as_os_str().is_empty() {
            // A slash, as in `opc/ua`, would name a directory that is not there.
            self.grpc_server.socket_path = format!("/etc/kubeedge/{}.sock", protocol.replace('/', "-")).into();
        }
        let bus = &mut self.report.eventbus;
        if bus.address.is_empty() && self.report.via != ReportVia::Dmi {
            DEFAULT_ADDRESS.clone_into(&mut bus.address);
        }
        if bus.client_id.is_empty() && !bus.address.is_empty() {
            bus.client_id = format!("{}-eventbus", self.common.name);
        }
        if self.sinks.mqtt.client_id.is_empty() {
            self.common.name.clone_into(&mut self.sinks.mqtt.client_id);
        }
        if self.sinks.otel.service_name.is_empty() {
            self.common.name.clone_into(&mut self.sinks.otel.service_name);
        }
        if self.spool.dir.as_os_str().is_empty() {
            self.spool.dir = format!("/var/lib/kubeedge/{}/spool", self.common.name.replace('/', "-")).into();
        }
        if self.streams.dir.as_os_str().is_empty() {
            // On the spool's volume, which takes no notice of folders that are not its own.
            self.streams.dir = self.spool.dir.join("recordings");
        }
        if self.writes.memory.as_os_str().is_empty() {
            // The one folder that outlives a pod. The spool takes no notice of files.
            self.writes.memory = self.spool.dir.join("writes.memory");
        }
    }
}
