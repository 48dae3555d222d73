//! The mapper's configuration: one file, the environment and flags.
//!
//! All keys are optional, except that the protocol must come from somewhere: the mapper's author sets it in code, or whoever
//! deploys the mapper does.
//!
//! # Where a value comes from
//!
//! defaults < file < environment < flags: the later one wins, key by key. So the file in a container's image or `ConfigMap` can
//! be shared, and an `EdgeApplication` overrides `env`, `command` or `args` for a group of nodes. An empty value, wherever it
//! stands, counts as absent.
//!
//! - **The file** is `config.yaml` in the working directory, if it exists, or the one `--config-file` names, which must exist.
//!   A `config.yaml` written for the Go framework works unchanged.
//! - **The environment**: `MAPPER_`, then the key in upper case with `__` for each dot. Letter case does not matter.
//!   `MAPPER_TEST_…` is left to tests, and what Kubernetes sets for a Service named `mapper` is not mistaken for a key.
//! - **Flags** exist for what differs from one start to the next, and `--set KEY=VALUE` for every key.
//!
//! # Sections of your own
//!
//! `driver.settings` is of the driver's own type where the driver comes from [`Mapper::configured`](crate::Mapper::configured), and
//! `sinks.<kind>` of a sink's own where it comes from [`MapperBuilder::configured_sink`](crate::MapperBuilder::configured_sink). Their
//! keys are the fields of that type, and their defaults its [`Default`]. They come from the file, the environment
//! (`MAPPER_DRIVER__SETTINGS__…`) and `--set`, are listed by `--help`, and are held against the type like all others. A field that
//! serializes to nothing, an empty list or an empty map takes a list or a mapping, too; in a variable or a flag that is written
//! `[a, b]` or `{a: b}`.
//!
//! # Keys
//!
//! | key | default | environment | flag |
//! | --- | --- | --- | --- |
//! | `grpc_server.socket_path` | `/etc/kubeedge/<protocol>.sock` | `MAPPER_GRPC_SERVER__SOCKET_PATH` | `--socket-path` |
//! | `common.name` | the package's name, or `<protocol>-mapper` | `MAPPER_COMMON__NAME` | `--name` |
//! | `common.version` | the package's version | `MAPPER_COMMON__VERSION` | |
//! | `common.api_version` | `v1.0.0` | `MAPPER_COMMON__API_VERSION` | |
//! | `common.protocol` | what the mapper's author set | `MAPPER_COMMON__PROTOCOL` | `--protocol` |
//! | `common.address` | `127.0.0.1` | `MAPPER_COMMON__ADDRESS` | |
//! | `common.edgecore_sock` | `/etc/kubeedge/dmi.sock` | `MAPPER_COMMON__EDGECORE_SOCK` | `--edgecore-sock` |
//! | `common.http_port` | `7777` | `MAPPER_COMMON__HTTP_PORT` | `--http-port` |
//! | `driver.call_timeout` | `10s` | `MAPPER_DRIVER__CALL_TIMEOUT` | |
//! | `driver.backoff_max` | `10s` | `MAPPER_DRIVER__BACKOFF_MAX` | |
//! | `driver.credentials` |  | `MAPPER_DRIVER__CREDENTIALS` | |
//! | `driver.max_frame_bytes` | `16777216` | `MAPPER_DRIVER__MAX_FRAME_BYTES` | |
//! | `report.calls_per_second` | `1.0` | `MAPPER_REPORT__CALLS_PER_SECOND` | |
//! | `report.burst` | `90` | `MAPPER_REPORT__BURST` | |
//! | `report.strategy` | `onChange` | `MAPPER_REPORT__STRATEGY` | |
//! | `report.deadband` | `0.0` | `MAPPER_REPORT__DEADBAND` | |
//! | `report.deadband_percent` | `0.0` | `MAPPER_REPORT__DEADBAND_PERCENT` | |
//! | `report.min_interval` | `0s` | `MAPPER_REPORT__MIN_INTERVAL` | |
//! | `report.max_silence` | `5m` | `MAPPER_REPORT__MAX_SILENCE` | |
//! | `report.illegal` | `hold` | `MAPPER_REPORT__ILLEGAL` | |
//! | `report.via` | `dmi` | `MAPPER_REPORT__VIA` | |
//! | `report.eventbus.address` | `mqtt://127.0.0.1:1883`, or none with `via: dmi` | `MAPPER_REPORT__EVENTBUS__ADDRESS` | |
//! | `report.eventbus.credentials` |  | `MAPPER_REPORT__EVENTBUS__CREDENTIALS` | |
//! | `report.eventbus.version` | `3.1.1` | `MAPPER_REPORT__EVENTBUS__VERSION` | |
//! | `report.eventbus.client_id` | the mapper's name and `-eventbus` | `MAPPER_REPORT__EVENTBUS__CLIENT_ID` | |
//! | `report.eventbus.keep_alive` | `30s` | `MAPPER_REPORT__EVENTBUS__KEEP_ALIVE` | |
//! | `report.eventbus.twins_per_second` | `250.0` | `MAPPER_REPORT__EVENTBUS__TWINS_PER_SECOND` | |
//! | `report.eventbus.tls.ca_file` |  | `MAPPER_REPORT__EVENTBUS__TLS__CA_FILE` | |
//! | `report.eventbus.tls.cert_file` |  | `MAPPER_REPORT__EVENTBUS__TLS__CERT_FILE` | |
//! | `report.eventbus.tls.key_file` |  | `MAPPER_REPORT__EVENTBUS__TLS__KEY_FILE` | |
//! | `http.enabled` | `true` for a program | `MAPPER_HTTP__ENABLED` | |
//! | `http.token` |  | `MAPPER_HTTP__TOKEN` | |
//! | `http.read_without_token` | `loopback` | `MAPPER_HTTP__READ_WITHOUT_TOKEN` | |
//! | `http.hosts` | `[]` | `MAPPER_HTTP__HOSTS` | |
//! | `http.go_writes` | `false` | `MAPPER_HTTP__GO_WRITES` | |
//! | `http.metrics` | `device` | `MAPPER_HTTP__METRICS` | |
//! | `http.tls.cert_file` |  | `MAPPER_HTTP__TLS__CERT_FILE` | |
//! | `http.tls.key_file` |  | `MAPPER_HTTP__TLS__KEY_FILE` | |
//! | `http.tls.client_ca_file` |  | `MAPPER_HTTP__TLS__CLIENT_CA_FILE` | |
//! | `shutdown.grace` | `10s` | `MAPPER_SHUTDOWN__GRACE` | |
//! | `sinks.batch_records` | `500` | `MAPPER_SINKS__BATCH_RECORDS` | |
//! | `sinks.batch_linger` | `100ms` | `MAPPER_SINKS__BATCH_LINGER` | |
//! | `sinks.queue_records` | `10000` | `MAPPER_SINKS__QUEUE_RECORDS` | |
//! | `sinks.memory_bytes` | `33554432` | `MAPPER_SINKS__MEMORY_BYTES` | |
//! | `sinks.write_timeout` | `10s` | `MAPPER_SINKS__WRITE_TIMEOUT` | |
//! | `sinks.backoff_max` | `30s` | `MAPPER_SINKS__BACKOFF_MAX` | |
//! | `sinks.push_strategy` | `always` | `MAPPER_SINKS__PUSH_STRATEGY` | |
//! | `sinks.push_deadband` | `0.0` | `MAPPER_SINKS__PUSH_DEADBAND` | |
//! | `sinks.push_deadband_percent` | `0.0` | `MAPPER_SINKS__PUSH_DEADBAND_PERCENT` | |
//! | `sinks.push_min_interval` | `0s` | `MAPPER_SINKS__PUSH_MIN_INTERVAL` | |
//! | `sinks.push_max_silence` | `5m` | `MAPPER_SINKS__PUSH_MAX_SILENCE` | |
//! | `sinks.push_error_bound` | `0.0` | `MAPPER_SINKS__PUSH_ERROR_BOUND` | |
//! | `sinks.tls.ca_file` |  | `MAPPER_SINKS__TLS__CA_FILE` | |
//! | `sinks.tls.cert_file` |  | `MAPPER_SINKS__TLS__CERT_FILE` | |
//! | `sinks.tls.key_file` |  | `MAPPER_SINKS__TLS__KEY_FILE` | |
//! | `sinks.proxy` |  | `MAPPER_SINKS__PROXY` | |
//! | `sinks.proxy_credentials` |  | `MAPPER_SINKS__PROXY_CREDENTIALS` | |
//! | `sinks.targets` | `[]` | `MAPPER_SINKS__TARGETS` | |
//! | `sinks.go_credentials` | `false` | `MAPPER_SINKS__GO_CREDENTIALS` | |
//! | `sinks.http.credentials` |  | `MAPPER_SINKS__HTTP__CREDENTIALS` | |
//! | `sinks.http.allowed` | `[]` | `MAPPER_SINKS__HTTP__ALLOWED` | |
//! | `sinks.http.plaintext` | `false` | `MAPPER_SINKS__HTTP__PLAINTEXT` | |
//! | `sinks.http.format` | `ndjson` | `MAPPER_SINKS__HTTP__FORMAT` | |
//! | `sinks.http.headers` |  | `MAPPER_SINKS__HTTP__HEADERS` | |
//! | `sinks.http.gzip` | `false` | `MAPPER_SINKS__HTTP__GZIP` | |
//! | `sinks.influxdb2.credentials` |  | `MAPPER_SINKS__INFLUXDB2__CREDENTIALS` | |
//! | `sinks.influxdb2.allowed` | `[]` | `MAPPER_SINKS__INFLUXDB2__ALLOWED` | |
//! | `sinks.influxdb2.plaintext` | `false` | `MAPPER_SINKS__INFLUXDB2__PLAINTEXT` | |
//! | `sinks.mqtt.credentials` |  | `MAPPER_SINKS__MQTT__CREDENTIALS` | |
//! | `sinks.mqtt.allowed` | `[]` | `MAPPER_SINKS__MQTT__ALLOWED` | |
//! | `sinks.mqtt.plaintext` | `false` | `MAPPER_SINKS__MQTT__PLAINTEXT` | |
//! | `sinks.mqtt.version` | `3.1.1` | `MAPPER_SINKS__MQTT__VERSION` | |
//! | `sinks.mqtt.client_id` | the mapper's name | `MAPPER_SINKS__MQTT__CLIENT_ID` | |
//! | `sinks.mqtt.node_name` | the host's name | `MAPPER_SINKS__MQTT__NODE_NAME` | |
//! | `sinks.mqtt.keep_alive` | `30s` | `MAPPER_SINKS__MQTT__KEEP_ALIVE` | |
//! | `sinks.mqtt.max_packet_bytes` | `1048576` | `MAPPER_SINKS__MQTT__MAX_PACKET_BYTES` | |
//! | `sinks.mqtt.will.topic` |  | `MAPPER_SINKS__MQTT__WILL__TOPIC` | |
//! | `sinks.mqtt.will.online` | `online` | `MAPPER_SINKS__MQTT__WILL__ONLINE` | |
//! | `sinks.mqtt.will.offline` | `offline` | `MAPPER_SINKS__MQTT__WILL__OFFLINE` | |
//! | `sinks.mysql.credentials` |  | `MAPPER_SINKS__MYSQL__CREDENTIALS` | |
//! | `sinks.mysql.allowed` | `[]` | `MAPPER_SINKS__MYSQL__ALLOWED` | |
//! | `sinks.mysql.plaintext` | `false` | `MAPPER_SINKS__MYSQL__PLAINTEXT` | |
//! | `sinks.mysql.layout` | `single` | `MAPPER_SINKS__MYSQL__LAYOUT` | |
//! | `sinks.mysql.table` | `device_data` | `MAPPER_SINKS__MYSQL__TABLE` | |
//! | `sinks.mysql.tls` | `false` | `MAPPER_SINKS__MYSQL__TLS` | |
//! | `sinks.mysql.keep` | `0s` | `MAPPER_SINKS__MYSQL__KEEP` | |
//! | `sinks.otel.credentials` |  | `MAPPER_SINKS__OTEL__CREDENTIALS` | |
//! | `sinks.otel.allowed` | `[]` | `MAPPER_SINKS__OTEL__ALLOWED` | |
//! | `sinks.otel.plaintext` | `false` | `MAPPER_SINKS__OTEL__PLAINTEXT` | |
//! | `sinks.otel.service_name` | the mapper's name | `MAPPER_SINKS__OTEL__SERVICE_NAME` | |
//! | `sinks.otel.resource_attributes` |  | `MAPPER_SINKS__OTEL__RESOURCE_ATTRIBUTES` | |
//! | `sinks.otel.headers` |  | `MAPPER_SINKS__OTEL__HEADERS` | |
//! | `sinks.otel.gzip` | `false` | `MAPPER_SINKS__OTEL__GZIP` | |
//! | `sinks.redis.credentials` |  | `MAPPER_SINKS__REDIS__CREDENTIALS` | |
//! | `sinks.redis.allowed` | `[]` | `MAPPER_SINKS__REDIS__ALLOWED` | |
//! | `sinks.redis.plaintext` | `false` | `MAPPER_SINKS__REDIS__PLAINTEXT` | |
//! | `sinks.redis.sorted_set` | `true` | `MAPPER_SINKS__REDIS__SORTED_SET` | |
//! | `sinks.redis.stream` | `false` | `MAPPER_SINKS__REDIS__STREAM` | |
//! | `sinks.redis.last_value` | `false` | `MAPPER_SINKS__REDIS__LAST_VALUE` | |
//! | `sinks.redis.max_length` | `100000` | `MAPPER_SINKS__REDIS__MAX_LENGTH` | |
//! | `sinks.redis.ttl` | `0s` | `MAPPER_SINKS__REDIS__TTL` | |
//! | `sinks.redis.wait_replicas` | `0` | `MAPPER_SINKS__REDIS__WAIT_REPLICAS` | |
//! | `sinks.redis.wait_timeout` | `1s` | `MAPPER_SINKS__REDIS__WAIT_TIMEOUT` | |
//! | `sinks.redis.sentinel_login` | `false` | `MAPPER_SINKS__REDIS__SENTINEL_LOGIN` | |
//! | `sinks.tdengine.credentials` |  | `MAPPER_SINKS__TDENGINE__CREDENTIALS` | |
//! | `sinks.tdengine.allowed` | `[]` | `MAPPER_SINKS__TDENGINE__ALLOWED` | |
//! | `sinks.tdengine.plaintext` | `false` | `MAPPER_SINKS__TDENGINE__PLAINTEXT` | |
//! | `sinks.tdengine.keep` | `0s` | `MAPPER_SINKS__TDENGINE__KEEP` | |
//! | `spool.dir` | `/var/lib/kubeedge/<name>/spool` | `MAPPER_SPOOL__DIR` | |
//! | `spool.max_bytes` | `67108864` | `MAPPER_SPOOL__MAX_BYTES` | |
//! | `spool.total_bytes` | `536870912` | `MAPPER_SPOOL__TOTAL_BYTES` | |
//! | `spool.orphan_age` | `7days` | `MAPPER_SPOOL__ORPHAN_AGE` | |
//! | `spool.sync` | `batch` | `MAPPER_SPOOL__SYNC` | |
//! | `spool.linger` | `1s` | `MAPPER_SPOOL__LINGER` | |
//! | `streams.dir` | `<spool.dir>/recordings` | `MAPPER_STREAMS__DIR` | |
//! | `writes.mode` | `enabled` | `MAPPER_WRITES__MODE` | |
//! | `writes.dry_run` | `false` | `MAPPER_WRITES__DRY_RUN` | |
//! | `writes.first_start` | `write` | `MAPPER_WRITES__FIRST_START` | |
//! | `writes.memory` | `<spool.dir>/writes.memory` | `MAPPER_WRITES__MEMORY` | |
//! | `writes.audit.path` |  | `MAPPER_WRITES__AUDIT__PATH` | |
//! | `writes.audit.max_bytes` | `10485760` | `MAPPER_WRITES__AUDIT__MAX_BYTES` | |
//! | `writes.audit.files` | `5` | `MAPPER_WRITES__AUDIT__FILES` | |
//! | `log.level` | `info` | `MAPPER_LOG__LEVEL` | `--v` |
//! | `log.format` | `text` | `MAPPER_LOG__FORMAT` | `--log-format` |
//! | `log.statistics` | `10m` | `MAPPER_LOG__STATISTICS` | |
//!
//! A list is written `[a, b]` in a variable or a flag, and one of mappings `[{host: a, plaintext: true}]`.
//!
//! The fields of [`Config`] say what each key does. A duration is a number with a unit: `500ms`, `10s`, `1m 30s`. Paths of unix
//! sockets hold at most 107 bytes.
//!
//! # Mistakes
//!
//! An unknown key is ignored with a [`ConfigWarning`] that names the nearest known one: a file may be newer or older than the
//! mapper that reads it. A value that does not fit is a [`ConfigError`], which says where it stands and what would fit. A key that has
//! got another name is never ignored: it is taken with a warning for a while, and then an error that names the new one.
//!
//! # Example
//!
//! ```
//! use mapper_framework::config::{Config, Sources};
//!
//! let mut defaults = Config::default();
//! defaults.common.protocol = "modbus".into();
//!
//! let sources = Sources::new(defaults)
//!     .contents("config.yaml", "common: {http_port: 8080}\nreport: {brust: 50}\n")
//!     .env([("MAPPER_DRIVER__CALL_TIMEOUT", "500ms")]);
//! let (config, warnings) = Config::load(sources)?;
//!
//! assert_eq!(config.common.http_port, 8080);
//! assert_eq!(config.driver.call_timeout.as_millis(), 500);
//! assert_eq!(config.grpc_server.socket_path.to_str(), Some("/etc/kubeedge/modbus.sock"));
//! assert_eq!(
//!     warnings[0].to_string(),
//!     "config.yaml:2:10: unknown key `report.brust` is ignored; did you mean `report.burst`?"
//! );
//! # Ok::<(), mapper_framework::config::ConfigError>(())
//! ```

mod env;
mod error;
mod eventbus;
mod flags;
mod http;
mod own;
mod package;
mod renamed;
mod sections;
mod settings;
mod sink_targets;
mod sinks;
mod sources;
mod strategies;
mod streams;
mod validate;
mod warning;
mod writes;
mod yaml;

pub(crate) use own::{DRIVER_SETTINGS, OwnSection, section_of_sink};
pub(crate) use validate::{MAX_SOCKET_PATH, api_socket};

#[cfg(test)]
mod tests;

pub use crate::model::IllegalValues;
pub use error::{ConfigError, InvalidValue};
pub use eventbus::{EventbusConfig, ReportVia};
pub use http::{HttpConfig, HttpTlsConfig, MetricsDetail, ReadWithoutToken};
pub use package::Package;
pub use sections::{
    CommonConfig, Config, DriverConfig, GrpcServerConfig, LogConfig, LogFormat, LogLevel, ReportConfig, ShutdownConfig,
};
pub(crate) use sink_targets::RTSP_KIND;
pub use sink_targets::SinkTargetConfig;
pub use sinks::{
    HttpFormat, HttpSinkConfig, Influxdb2SinkConfig, MqttSinkConfig, MqttVersion, MqttWillConfig, MysqlLayout,
    MysqlSinkConfig, OtelSinkConfig, RedisSinkConfig, SinksConfig, SpoolConfig, SpoolSync, TdengineSinkConfig,
    TlsConfig,
};
pub use sources::{Origin, Sources};
pub(crate) use strategies::MAX_SILENCE;
pub use strategies::{PushStrategy, ReportStrategy};
pub use streams::StreamsConfig;
pub use warning::ConfigWarning;
pub use writes::{AuditConfig, FirstStart, WritesConfig, WritesMode};

use settings::{Origins, Settings};

impl Config {
    /// Lays the sources over each other and checks what comes out.
    ///
    /// The warnings are for the log, which is set up only after this, since its level and format stand in the config.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is not YAML, a value has the wrong type, or a value cannot work. Trying again does not help.
    pub fn load(sources: Sources) -> Result<(Self, Vec<ConfigWarning>), ConfigError> {
        let mut settings = Settings::over(&sources.defaults)?;
        let mut warnings = Vec::new();
        if let Some((name, text)) = sources.file.read()? {
            warnings.extend(yaml::overlay(&mut settings, sources.renamed, &name, &text)?);
        }
        warnings.extend(env::overlay(&mut settings, sources.renamed, sources.env)?);
        warnings.extend(flags::overlay(&mut settings, sources.renamed, sources.flags)?);
        let (config, origins) = settings.into_config()?;
        Ok((config.checked_with(&origins)?, warnings))
    }

    /// Fills in the defaults that depend on other values, and checks what comes out, as [`load`](Self::load) does. For a config that
    /// was made in code.
    ///
    /// # Errors
    ///
    /// A value cannot work.
    pub(crate) fn checked(self) -> Result<Self, ConfigError> {
        self.checked_with(&Origins::default())
    }

    /// Fills in the defaults that depend on other values.
    pub(crate) fn completed(mut self) -> Self {
        self.derive_defaults();
        self
    }

    fn checked_with(self, origins: &Origins) -> Result<Self, ConfigError> {
        let config = self.completed();
        match validate::first_problem(&config) {
            Some((key, problem)) => Err(ConfigError::Invalid { key: key.to_owned(), origin: origins.of(key), problem }),
            None => Ok(config),
        }
    }
}
