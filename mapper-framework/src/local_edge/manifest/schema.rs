//! The custom resources of `devices.kubeedge.io/v1beta1`, as far as edgecore passes them on.

use std::collections::HashMap;

use serde::Deserialize;

use crate::model::ConfigData;

/// A document of either kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<Spec> {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
    #[serde(default)]
    pub(super) status: Option<StateReport>,
}

/// `metadata`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: Option<String>,
}

/// `DeviceModel.spec`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(in super::super) struct ModelSpec {
    pub(in super::super) protocol: String,
    pub(super) properties: Vec<ModelProperty>,
    pub(super) protocol_config_data: Option<ConfigData>,
}

/// `DeviceModel.spec.properties[]`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ModelProperty {
    pub(super) name: String,
    pub(super) description: String,
    #[serde(rename = "type")]
    pub(super) data_type: String,
    pub(super) access_mode: String,
    pub(super) minimum: String,
    pub(super) maximum: String,
    pub(super) unit: String,
    pub(super) visitors: Option<Visitors>,
}

/// `Device.spec`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(in super::super) struct DeviceSpec {
    pub(super) device_model_ref: ModelRef,
    /// Which node the device sits on. Here there is only one.
    node_name: Option<String>,
    pub(super) protocol: Protocol,
    pub(super) properties: Vec<Property>,
    pub(super) methods: Vec<Method>,
    pub(super) state_report: Option<StateReport>,
}

/// `Device.spec.deviceModelRef`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct ModelRef {
    pub(super) name: String,
}

/// `Device.spec.protocol`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Protocol {
    pub(super) protocol_name: String,
    pub(super) config_data: Option<ConfigData>,
}

/// `Device.spec.properties[]`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) desired: Option<Desired>,
    pub(super) visitors: Option<Visitors>,
    pub(super) report_cycle: i64,
    pub(super) collect_cycle: i64,
    pub(super) report_to_cloud: bool,
    pub(super) push_method: Option<PushMethod>,
}

/// `desired`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub(super) struct Desired {
    pub(super) value: String,
    #[serde(default)]
    pub(super) metadata: HashMap<String, String>,
}

/// `visitors`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Visitors {
    pub(super) protocol_name: String,
    pub(super) config_data: Option<ConfigData>,
}

/// `Device.spec.methods[]`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Method {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) property_names: Vec<String>,
}

/// `Device.spec.stateReport`, or what of `Device.status` said the same before v1.22.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StateReport {
    pub(super) report_to_cloud: bool,
    pub(super) report_cycle: i64,
}

/// `pushMethod`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PushMethod {
    pub(super) http: Option<Http>,
    pub(super) mqtt: Option<Mqtt>,
    pub(super) otel: Option<Otel>,
    pub(super) db_method: Option<DbMethod>,
    pub(super) anomaly_detection: Option<ConfigData>,
}

/// `pushMethod.http`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Http {
    pub(super) host_name: String,
    pub(super) port: i64,
    pub(super) request_path: String,
    pub(super) timeout: i64,
}

/// `pushMethod.mqtt`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct Mqtt {
    pub(super) address: String,
    pub(super) topic: String,
    pub(super) qos: i32,
    pub(super) retained: bool,
}

/// `pushMethod.otel`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct Otel {
    #[serde(rename = "endpointURL")]
    pub(super) endpoint_url: String,
}

/// `pushMethod.dbMethod`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct DbMethod {
    pub(super) influxdb2: Option<Influxdb2>,
    pub(super) redis: Option<Redis>,
    #[serde(rename = "TDEngine")]
    pub(super) tdengine: Option<Tdengine>,
    pub(super) mysql: Option<Mysql>,
}

/// `dbMethod.influxdb2`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct Influxdb2 {
    #[serde(rename = "influxdb2ClientConfig")]
    pub(super) client: Option<Influxdb2Client>,
    #[serde(rename = "influxdb2DataConfig")]
    pub(super) data: Option<Influxdb2Data>,
}

/// `influxdb2ClientConfig`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct Influxdb2Client {
    pub(super) url: String,
    pub(super) org: String,
    pub(super) bucket: String,
}

/// `influxdb2DataConfig`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Influxdb2Data {
    pub(super) measurement: String,
    pub(super) tag: HashMap<String, String>,
    pub(super) field_key: String,
}

/// `dbMethod.redis`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct Redis {
    #[serde(rename = "redisClientConfig")]
    pub(super) client: Option<RedisClient>,
}

/// `redisClientConfig`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RedisClient {
    pub(super) addr: String,
    pub(super) db: i32,
    pub(super) poolsize: i32,
    pub(super) min_idle_conns: i32,
}

/// `dbMethod.TDEngine`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct Tdengine {
    #[serde(rename = "TDEngineClientConfig")]
    pub(super) client: Option<TdengineClient>,
}

/// `TDEngineClientConfig`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TdengineClient {
    pub(super) addr: String,
    pub(super) db_name: String,
}

/// `dbMethod.mysql`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub(super) struct Mysql {
    #[serde(rename = "mysqlClientConfig")]
    pub(super) client: Option<MysqlClient>,
}

/// `mysqlClientConfig`
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MysqlClient {
    pub(super) addr: String,
    pub(super) database: String,
    pub(super) user_name: String,
}
