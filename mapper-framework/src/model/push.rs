//! Where the samples of a property go, as a device's manifest says (`pushMethod`).
//!
//! These are the addresses only. The credentials for them never stand in a manifest.

use std::{collections::BTreeMap, time::Duration};

use super::ConfigData;

/// One destination of a property's samples. A property has any number of them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PushMethod {
    /// An HTTP endpoint.
    Http(HttpPush),
    /// An MQTT broker.
    Mqtt(MqttPush),
    /// An OpenTelemetry collector.
    Otel(OtelPush),
    /// InfluxDB 2.
    Influxdb2(Influxdb2Push),
    /// Redis.
    Redis(RedisPush),
    /// TDengine.
    Tdengine(TdenginePush),
    /// MySQL.
    Mysql(MysqlPush),
    /// The settings of an anomaly detection, since KubeEdge v1.23.
    AnomalyDetection(ConfigData),
}

impl PushMethod {
    /// The kind of sink that it names, such as `redis`; `None` for what is no sink.
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Http(_) => Some("http"),
            Self::Mqtt(_) => Some("mqtt"),
            Self::Otel(_) => Some("otel"),
            Self::Influxdb2(_) => Some("influxdb2"),
            Self::Redis(_) => Some("redis"),
            Self::Tdengine(_) => Some("tdengine"),
            Self::Mysql(_) => Some("mysql"),
            Self::AnomalyDetection(_) => None,
        }
    }
}

/// `pushMethod.http`
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HttpPush {
    /// `hostName`: a host, with or without a scheme.
    pub host_name: String,
    /// `port`; 0 when the manifest names none.
    pub port: u16,
    /// `requestPath`
    pub request_path: String,
    /// `timeout`, which the manifest gives in milliseconds; `None` when it names none.
    pub timeout: Option<Duration>,
}

/// `pushMethod.mqtt`
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MqttPush {
    /// `address`, such as `mqtt://127.0.0.1:1883` or `tcp://…`.
    pub address: String,
    /// `topic`
    pub topic: String,
    /// `qos`: 0, 1 or 2.
    pub qos: u8,
    /// `retained`
    pub retained: bool,
}

/// `pushMethod.otel`
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct OtelPush {
    /// `endpointURL`, such as `http://localhost:4318/v1/metrics`.
    pub endpoint_url: String,
}

/// `pushMethod.dbMethod.influxdb2`
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Influxdb2Push {
    /// `influxdb2ClientConfig.url`
    pub url: String,
    /// `influxdb2ClientConfig.org`
    pub org: String,
    /// `influxdb2ClientConfig.bucket`
    pub bucket: String,
    /// `influxdb2DataConfig.measurement`
    pub measurement: String,
    /// `influxdb2DataConfig.tag`
    pub tags: BTreeMap<String, String>,
    /// `influxdb2DataConfig.fieldKey`
    pub field_key: String,
}

/// `pushMethod.dbMethod.redis`
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RedisPush {
    /// `redisClientConfig.addr`
    pub addr: String,
    /// `redisClientConfig.db`
    pub db: i32,
    /// `redisClientConfig.poolsize`
    pub pool_size: i32,
    /// `redisClientConfig.minIdleConns`
    pub min_idle_conns: i32,
}

/// `pushMethod.dbMethod.TDEngine`
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TdenginePush {
    /// `TDEngineClientConfig.addr`, such as `127.0.0.1:6041`.
    pub addr: String,
    /// `TDEngineClientConfig.dbName`
    pub db_name: String,
}

/// `pushMethod.dbMethod.mysql`
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MysqlPush {
    /// `mysqlClientConfig.addr`
    pub addr: String,
    /// `mysqlClientConfig.database`
    pub database: String,
    /// `mysqlClientConfig.userName`
    pub user_name: String,
}
