//! The custom resources of `devices.kubeedge.io/v1beta1`, as far as edgecore passes them on.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use crate::model::ConfigData;

/// A document of either kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Document<Spec> {
    pub(crate) metadata: Metadata,
    pub(crate) spec: Spec,
    pub(crate) status: Option<StateReport>,
}

/// `metadata`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// The namespace, which is `default` where none is given.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or("default")
    }
}

/// `DeviceModel.spec`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ModelSpec {
    pub(crate) protocol: String,
    pub(crate) properties: Vec<ModelProperty>,
    pub(crate) protocol_config_data: Option<ConfigData>,
}

/// `DeviceModel.spec.properties[]`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ModelProperty {
    pub(crate) name: String,
    pub(crate) description: String,
    #[serde(rename = "type")]
    pub(crate) data_type: String,
    pub(crate) access_mode: String,
    pub(crate) minimum: String,
    pub(crate) maximum: String,
    pub(crate) unit: String,
    pub(crate) visitors: Option<Visitors>,
}

/// `Device.spec`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeviceSpec {
    pub(crate) device_model_ref: ModelRef,
    /// Which node the device sits on. Here there is only one.
    pub(crate) node_name: Option<String>,
    pub(crate) protocol: Protocol,
    pub(crate) properties: Vec<Property>,
    pub(crate) methods: Vec<Method>,
    pub(crate) state_report: Option<StateReport>,
}

/// `Device.spec.deviceModelRef`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct ModelRef {
    pub(crate) name: String,
}

/// `Device.spec.protocol`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Protocol {
    pub(crate) protocol_name: String,
    pub(crate) config_data: Option<ConfigData>,
}

/// `Device.spec.properties[]`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) desired: Option<Desired>,
    pub(crate) visitors: Option<Visitors>,
    pub(crate) report_cycle: i64,
    pub(crate) collect_cycle: i64,
    pub(crate) report_to_cloud: bool,
    pub(crate) push_method: Option<PushMethod>,
}

/// `desired`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Desired {
    pub(crate) value: String,
    pub(crate) metadata: HashMap<String, String>,
}

/// `visitors`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Visitors {
    pub(crate) protocol_name: String,
    pub(crate) config_data: Option<ConfigData>,
}

/// `Device.spec.methods[]`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) property_names: Vec<String>,
}

/// `Device.spec.stateReport`, or what of `Device.status` says the same from v1.19 to v1.22.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct StateReport {
    pub(crate) report_to_cloud: bool,
    pub(crate) report_cycle: i64,
}

/// `pushMethod`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PushMethod {
    pub(crate) http: Option<Http>,
    pub(crate) mqtt: Option<Mqtt>,
    pub(crate) otel: Option<Otel>,
    pub(crate) db_method: Option<DbMethod>,
    pub(crate) anomaly_detection: Option<ConfigData>,
}

/// `pushMethod.http`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Http {
    pub(crate) host_name: String,
    pub(crate) port: i64,
    pub(crate) request_path: String,
    pub(crate) timeout: i64,
}

/// `pushMethod.mqtt`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Mqtt {
    pub(crate) address: String,
    pub(crate) topic: String,
    pub(crate) qos: i32,
    pub(crate) retained: bool,
}

/// `pushMethod.otel`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Otel {
    #[serde(rename = "endpointURL")]
    pub(crate) endpoint_url: String,
}

/// `pushMethod.dbMethod`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct DbMethod {
    pub(crate) influxdb2: Option<Influxdb2>,
    pub(crate) redis: Option<Redis>,
    #[serde(rename = "TDEngine")]
    pub(crate) tdengine: Option<Tdengine>,
    pub(crate) mysql: Option<Mysql>,
}

/// `dbMethod.influxdb2`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Influxdb2 {
    #[serde(rename = "influxdb2ClientConfig")]
    pub(crate) client: Option<Influxdb2Client>,
    #[serde(rename = "influxdb2DataConfig")]
    pub(crate) data: Option<Influxdb2Data>,
}

/// `influxdb2ClientConfig`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Influxdb2Client {
    pub(crate) url: String,
    pub(crate) org: String,
    pub(crate) bucket: String,
}

/// `influxdb2DataConfig`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Influxdb2Data {
    pub(crate) measurement: String,
    pub(crate) tag: HashMap<String, String>,
    pub(crate) field_key: String,
}

/// `dbMethod.redis`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Redis {
    #[serde(rename = "redisClientConfig")]
    pub(crate) client: Option<RedisClient>,
}

/// `redisClientConfig`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RedisClient {
    pub(crate) addr: String,
    pub(crate) db: i32,
    pub(crate) poolsize: i32,
    pub(crate) min_idle_conns: i32,
}

/// `dbMethod.TDEngine`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Tdengine {
    #[serde(rename = "TDEngineClientConfig")]
    pub(crate) client: Option<TdengineClient>,
}

/// `TDEngineClientConfig`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TdengineClient {
    pub(crate) addr: String,
    pub(crate) db_name: String,
}

/// `dbMethod.mysql`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(crate) struct Mysql {
    #[serde(rename = "mysqlClientConfig")]
    pub(crate) client: Option<MysqlClient>,
}

/// `mysqlClientConfig`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MysqlClient {
    pub(crate) addr: String,
    pub(crate) database: String,
    pub(crate) user_name: String,
}
