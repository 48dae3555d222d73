//! The sections of the sinks, and of the spool behind them.
//!
//! All keys are known whatever sinks are compiled, so that one file serves every build.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{PushStrategy, SinkTargetConfig, strategies::MAX_SILENCE};

/// `spool`: what waits on disk for a sink that is away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SpoolConfig {
    /// The folder, of this mapper alone; it is made when it is first needed. Empty, as by default, it becomes
    /// `/var/lib/kubeedge/<name>/spool`. Where it cannot be written, records wait in memory only, and that is logged once.
    ///
    /// In a container, mount a `hostPath` there, or what waits is lost with the pod.
    pub dir: PathBuf,
    /// The most bytes that may wait for one target, at least 1,000,000. By default 64 MiB. When they are used up, the oldest
    /// records are dropped, and counted. A single record may have an eighth of them, and 8 MiB at most.
    pub max_bytes: u64,
    /// The most bytes that may wait for all targets together, at least 1,000,000. By default 512 MiB. When they are used up, the target
    /// that takes the most loses its oldest records, and they are counted.
    pub total_bytes: u64,
    /// After which time what waits for a target is given up that no device names any more and to which nothing could be delivered. By
    /// default seven days; `0s` is never. A restart of the mapper does not begin it anew.
    #[serde(with = "humantime_serde")]
    pub orphan_age: Duration,
    /// When records are forced to the disk. By default `batch`.
    pub sync: SpoolSync,
    /// How long records gather in memory before they are written to disk together, and forced there with [`SpoolSync::Batch`]. By default
    /// one second; `0s` writes each as it comes, which wears out flash storage. At 1 MiB they are written at once. A power loss, or a
    /// mapper that is killed, costs what has not been written; a mapper that stops writes it.
    #[serde(with = "humantime_serde")]
    pub linger: Duration,
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::new(),
            max_bytes: 64 << 20,
            total_bytes: 512 << 20,
            orphan_age: Duration::from_secs(7 * 24 * 3600),
            sync: SpoolSync::Batch,
            linger: Duration::from_secs(1),
        }
    }
}

/// When records in the spool are forced to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SpoolSync {
    /// With each write, by `fdatasync`: a power loss costs no record that was written.
    #[default]
    Batch,
    /// When the operating system likes to. A crash of the mapper costs nothing, a power loss up to about half a minute.
    Never,
}

/// `sinks`: how records are delivered to brokers and databases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SinksConfig {
    /// The most records in one batch. By default 500.
    pub batch_records: u32,
    /// How long a record waits for others to make a batch with. By default 100 ms.
    #[serde(with = "humantime_serde")]
    pub batch_linger: Duration,
    /// The most records that wait in memory for one target. By default 10,000. More go to the spool.
    pub queue_records: u32,
    /// The most bytes that the records of all targets take in memory together, at least 1,000,000. By default 32 MiB. A quarter of it can
    /// wait in queues before those that have more than their share go to the spool. What a sink makes of a batch, and what its client
    /// library keeps, comes on top.
    pub memory_bytes: u64,
    /// The deadline of each call of a sink. By default ten seconds.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    /// The longest pause between two attempts. By default 30 seconds.
    #[serde(with = "humantime_serde")]
    pub backoff_max: Duration,
    /// Which samples go to the sinks, unless a manifest says otherwise. By default `always`.
    pub push_strategy: PushStrategy,
    /// By how much a number may differ from the last that was pushed and be no change. By default 0.
    pub push_deadband: f64,
    /// The same as a part of the last that was pushed, in percent; the greater one counts. By default 0.
    pub push_deadband_percent: f64,
    /// The least time from one push of a property to the next. By default zero. A swinging door has none.
    #[serde(with = "humantime_serde")]
    pub push_min_interval: Duration,
    /// After which time a sample is pushed though nothing has changed. By default five minutes; `0s` is never.
    #[serde(with = "humantime_serde")]
    pub push_max_silence: Duration,
    /// How far the line between the samples that a swinging door lets through may be from those that it does not, in the property's
    /// unit. By default 0.
    pub push_error_bound: f64,
    /// Certificates, for all sinks that use TLS and have none of their own in `targets`.
    pub tls: TlsConfig,
    /// The proxy through which sinks speak HTTP and HTTPS with other machines: `http://host:port`, or `https://host:port`. Empty, as by default,
    /// none. `HTTP_PROXY` and its like in the environment have no effect.
    pub proxy: String,
    /// A folder with the files `username` and `password` for the proxy, as a mounted Secret is.
    pub proxy_credentials: PathBuf,
    /// What holds for single hosts: credentials, certificates. None by default.
    pub targets: Vec<SinkTargetConfig>,
    /// Whether the variables `USERNAME`, `PASSWORD` and `TOKEN` of the environment, which the Go framework has, count where a kind of sink
    /// has no credentials of its own. Not by default: they would be shown to every kind of sink.
    pub go_credentials: bool,
    /// `pushMethod.http`
    pub http: HttpSinkConfig,
    /// `pushMethod.dbMethod.influxdb2`
    pub influxdb2: Influxdb2SinkConfig,
    /// `pushMethod.mqtt`
    pub mqtt: MqttSinkConfig,
    /// `pushMethod.dbMethod.mysql`
    pub mysql: MysqlSinkConfig,
    /// `pushMethod.otel`
    pub otel: OtelSinkConfig,
    /// `pushMethod.dbMethod.redis`
    pub redis: RedisSinkConfig,
    /// `pushMethod.dbMethod.TDEngine`
    pub tdengine: TdengineSinkConfig,
}

impl Default for SinksConfig {
    fn default() -> Self {
        Self {
            batch_records: 500,
            batch_linger: Duration::from_millis(100),
            queue_records: 10_000,
            memory_bytes: 32 << 20,
            write_timeout: Duration::from_secs(10),
            backoff_max: Duration::from_secs(30),
            push_strategy: PushStrategy::default(),
            push_deadband: 0.0,
            push_deadband_percent: 0.0,
            push_min_interval: Duration::ZERO,
            push_max_silence: MAX_SILENCE,
            push_error_bound: 0.0,
            tls: TlsConfig::default(),
            proxy: String::new(),
            proxy_credentials: PathBuf::new(),
            targets: Vec::new(),
            go_credentials: false,
            http: HttpSinkConfig::default(),
            influxdb2: Influxdb2SinkConfig::default(),
            mqtt: MqttSinkConfig::default(),
            mysql: MysqlSinkConfig::default(),
            otel: OtelSinkConfig::default(),
            redis: RedisSinkConfig::default(),
            tdengine: TdengineSinkConfig::default(),
        }
    }
}

/// `sinks.tls` and `report.eventbus.tls`: whom the mapper trusts, and who it says it is. The files are in PEM form, and read again for each connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsConfig {
    /// Certificates of authorities that are trusted besides those of the web.
    pub ca_file: PathBuf,
    /// The mapper's own certificate with its chain, for servers that ask for one.
    pub cert_file: PathBuf,
    /// The key to it.
    pub key_file: PathBuf,
}

/// `sinks.http`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HttpSinkConfig {
    /// A folder with the files `username`, `password` and `token`, as a mounted Secret is.
    pub credentials: PathBuf,
    /// The hosts that manifests may name for this kind of sink, such as `db.example`, `db.example:6379` or `*.plant.example`. They get
    /// its credentials. Empty, as by default: any host, of which only this machine gets them, and those in `sinks.targets`.
    pub allowed: Vec<String>,
    /// Whether credentials may be sent without TLS to another machine. Not by default.
    pub plaintext: bool,
    /// What a request holds. By default `ndjson`.
    pub format: HttpFormat,
    /// More headers, one `Name: value` on each line. A credential does not belong here.
    pub headers: String,
    /// Whether bodies are compressed by gzip. Not by default: a server has to know it.
    pub gzip: bool,
}

/// What an HTTP request holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HttpFormat {
    /// A batch, one JSON document on each line.
    #[default]
    Ndjson,
    /// A batch, one JSON array of documents.
    Array,
    /// One sample as a form, `property=value&time=…`, as the Go framework sends it.
    Form,
}

/// `sinks.influxdb2`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Influxdb2SinkConfig {
    /// A folder with the file `token`, as a mounted Secret is.
    pub credentials: PathBuf,
    /// The hosts that manifests may name for this kind of sink, such as `db.example`, `db.example:6379` or `*.plant.example`. They get
    /// its credentials. Empty, as by default: any host, of which only this machine gets them, and those in `sinks.targets`.
    pub allowed: Vec<String>,
    /// Whether credentials may be sent without TLS to another machine. Not by default.
    pub plaintext: bool,
}

/// `sinks.mqtt`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MqttSinkConfig {
    /// A folder with the files `username` and `password`, as a mounted Secret is.
    pub credentials: PathBuf,
    /// The hosts that manifests may name for this kind of sink, such as `db.example`, `db.example:6379` or `*.plant.example`. They get
    /// its credentials. Empty, as by default: any host, of which only this machine gets them, and those in `sinks.targets`.
    pub allowed: Vec<String>,
    /// Whether credentials may be sent without TLS to another machine. Not by default.
    pub plaintext: bool,
    /// The version of the protocol. By default `3.1.1`.
    pub version: MqttVersion,
    /// What the client ids begin with; the rest is made from the broker's address and the host's name, and the same at each start.
    /// Empty, as by default, it becomes the mapper's name.
    ///
    /// Two mappers with the same id at one broker would end each other's connection without end. Where hosts share a name, give each
    /// an id of its own, or set `node_name`.
    pub client_id: String,
    /// The node's name, which takes the place of the host's in the client ids: a pod's host name changes with each pod, so that a broker would
    /// take each for a new client. The chart sets it. Empty, as by default, the host's name is taken.
    pub node_name: String,
    /// How long the connection may be silent before the broker is asked whether it is still there. By default 30 seconds; less
    /// than five are five.
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    /// The largest packet in bytes. By default 1 MiB. A larger sample is rejected.
    pub max_packet_bytes: u32,
    /// What the broker says of the mapper. By default nothing.
    pub will: MqttWillConfig,
}

/// `sinks.mqtt.will`: a topic of each broker that says whether the mapper is connected, for good as far as the broker retains it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MqttWillConfig {
    /// The topic, of this mapper alone. `{node}` in it stands for `node_name`, or the host's name. Empty, as by default, nothing is said.
    pub topic: String,
    /// What is published when the mapper has connected, before all records. By default `online`.
    pub online: String,
    /// What the mapper publishes when it disconnects, and the broker when the mapper is gone without a word. By default `offline`.
    pub offline: String,
}

impl Default for MqttWillConfig {
    fn default() -> Self {
        Self { topic: String::new(), online: "online".to_owned(), offline: "offline".to_owned() }
    }
}

impl Default for MqttSinkConfig {
    fn default() -> Self {
        Self {
            credentials: PathBuf::new(),
            allowed: Vec::new(),
            plaintext: false,
            version: MqttVersion::V3,
            client_id: String::new(),
            node_name: String::new(),
            keep_alive: Duration::from_secs(30),
            max_packet_bytes: 1 << 20,
            will: MqttWillConfig::default(),
        }
    }
}

/// A version of MQTT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MqttVersion {
    /// MQTT 3.1.1.
    #[default]
    #[serde(rename = "3.1.1")]
    V3,
    /// MQTT 5.
    #[serde(rename = "5")]
    V5,
}

/// `sinks.mysql`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MysqlSinkConfig {
    /// A folder with the files `username` and `password`, as a mounted Secret is. The manifest's `userName` wins over a `username`.
    pub credentials: PathBuf,
    /// The hosts that manifests may name for this kind of sink, such as `db.example`, `db.example:6379` or `*.plant.example`. They get
    /// its credentials. Empty, as by default: any host, of which only this machine gets them, and those in `sinks.targets`.
    pub allowed: Vec<String>,
    /// Whether credentials may be sent without TLS to another machine. Not by default.
    pub plaintext: bool,
    /// Which tables there are. By default `single`.
    pub layout: MysqlLayout,
    /// The name of the single table. By default `device_data`.
    pub table: String,
    /// Whether the connection uses TLS. Not by default.
    pub tls: bool,
    /// How long rows are kept, by the server's clock; older ones are deleted, at most every ten minutes. By default, 0, for ever.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
}

impl Default for MysqlSinkConfig {
    fn default() -> Self {
        Self {
            credentials: PathBuf::new(),
            allowed: Vec::new(),
            plaintext: false,
            layout: MysqlLayout::Single,
            table: "device_data".to_owned(),
            tls: false,
            keep: Duration::ZERO,
        }
    }
}

/// Which tables the mysql sink writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MysqlLayout {
    /// One table for everything.
    #[default]
    Single,
    /// A table per property, named `namespace/device/property`, as the Go framework has it.
    Property,
}

/// `sinks.otel`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OtelSinkConfig {
    /// A folder with the file `token`, as a mounted Secret is.
    pub credentials: PathBuf,
    /// The hosts that manifests may name for this kind of sink, such as `db.example`, `db.example:6379` or `*.plant.example`. They get
    /// its credentials. Empty, as by default: any host, of which only this machine gets them, and those in `sinks.targets`.
    pub allowed: Vec<String>,
    /// Whether credentials may be sent without TLS to another machine. Not by default.
    pub plaintext: bool,
    /// What the metrics name as their `service.name`. Empty, as by default, it becomes the mapper's name.
    pub service_name: String,
    /// What else the metrics say of where they come from, one `key=value` on each line, such as `k8s.node.name=edge-7`.
    pub resource_attributes: String,
    /// More headers, one `Name: value` on each line. A credential does not belong here.
    pub headers: String,
    /// Whether bodies are compressed by gzip, which every collector has to know. Not by default.
    pub gzip: bool,
}

/// `sinks.redis`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RedisSinkConfig {
    /// A folder with the files `username` and `password`, as a mounted Secret is.
    pub credentials: PathBuf,
    /// The hosts that manifests may name for this kind of sink, such as `db.example`, `db.example:6379` or `*.plant.example`. They get
    /// its credentials. Empty, as by default: any host, of which only this machine gets them, and those in `sinks.targets`.
    pub allowed: Vec<String>,
    /// Whether credentials may be sent without TLS to another machine. Not by default.
    pub plaintext: bool,
    /// Whether each device has a sorted set by time, named like the device, as the Go framework writes it. By default yes.
    pub sorted_set: bool,
    /// Whether each device has a stream, named `<namespace>/<device>/stream`. Not by default.
    pub stream: bool,
    /// Whether each device has a hash with its last values, named `<namespace>/<device>/last`. Not by default.
    pub last_value: bool,
    /// The most members of a sorted set or a stream; the oldest go. By default 100,000; 0 is no bound.
    pub max_length: u64,
    /// After how long without a new sample a device's keys are removed. By default, 0, never.
    #[serde(with = "humantime_serde")]
    pub ttl: Duration,
    /// How many replicas have to confirm a batch before it counts as delivered. By default, 0, the master's word is enough, and what it
    /// has not passed on yet is lost with it.
    pub wait_replicas: u32,
    /// How long these replicas may take, less than `sinks.write_timeout`. By default one second. Then the batch comes again.
    #[serde(with = "humantime_serde")]
    pub wait_timeout: Duration,
    /// Whether the user name and the password are for the Sentinels, too. Not by default.
    pub sentinel_login: bool,
}

impl Default for RedisSinkConfig {
    fn default() -> Self {
        Self {
            credentials: PathBuf::new(),
            allowed: Vec::new(),
            plaintext: false,
            sorted_set: true,
            stream: false,
            last_value: false,
            max_length: 100_000,
            ttl: Duration::ZERO,
            wait_replicas: 0,
            wait_timeout: Duration::from_secs(1),
            sentinel_login: false,
        }
    }
}

/// `sinks.tdengine`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TdengineSinkConfig {
    /// A folder with the files `username` and `password`, as a mounted Secret is. Without any, TDengine's own defaults are used,
    /// `root` and `taosdata`.
    pub credentials: PathBuf,
    /// The hosts that manifests may name for this kind of sink, such as `db.example`, `db.example:6379` or `*.plant.example`. They get
    /// its credentials. Empty, as by default: any host, of which only this machine gets them, and those in `sinks.targets`.
    pub allowed: Vec<String>,
    /// Whether credentials may be sent without TLS to another machine. Not by default.
    pub plaintext: bool,
    /// How long a database that the mapper makes keeps its rows: `KEEP`, in whole days, at least three. By default, 0, what TDengine has
    /// for it, which is ten years. A database that is there keeps what it has.
    #[serde(with = "humantime_serde")]
    pub keep: Duration,
}
