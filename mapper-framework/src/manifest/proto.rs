//! Manifests as the protobuf messages that edgecore makes of them.

use super::{
    DeviceManifest, ModelManifest,
    config::{self, overlay},
    schema,
};
use crate::dmi::generated as pb;

impl ModelManifest {
    /// The message. Visitors and the protocol's config do not travel with the model.
    pub(crate) fn to_proto(&self) -> pb::DeviceModel {
        pb::DeviceModel {
            name: self.id.name().to_owned(),
            namespace: self.id.namespace().to_owned(),
            spec: Some(pb::DeviceModelSpec {
                properties: self.spec.properties.iter().map(model_property).collect(),
                commands: Vec::new(),
            }),
        }
    }
}

impl DeviceManifest {
    /// The message, with what the model says of visitors and protocol laid under what the device says.
    pub(crate) fn to_proto(&self, model: &ModelManifest, twins: Vec<pb::Twin>) -> pb::Device {
        let spec = &self.spec;
        let report = spec.state_report.or(self.status).unwrap_or_default();
        let protocol = pb::ProtocolConfig {
            protocol_name: spec.protocol.protocol_name.clone(),
            config_data: overlay(model.spec.protocol_config_data.as_ref(), spec.protocol.config_data.as_ref()),
        };
        pb::Device {
            name: self.id.name().to_owned(),
            namespace: self.id.namespace().to_owned(),
            spec: Some(pb::DeviceSpec {
                device_model_reference: spec.device_model_ref.name.clone(),
                protocol: Some(protocol),
                properties: spec.properties.iter().map(|property| device_property(property, model)).collect(),
                methods: spec.methods.iter().map(method).collect(),
            }),
            status: Some(pb::DeviceStatus {
                twins,
                report_to_cloud: report.report_to_cloud,
                report_cycle: report.report_cycle,
            }),
        }
    }
}

fn model_property(property: &schema::ModelProperty) -> pb::ModelProperty {
    pb::ModelProperty {
        name: property.name.clone(),
        description: property.description.clone(),
        r#type: property.data_type.clone(),
        access_mode: property.access_mode.clone(),
        minimum: property.minimum.clone(),
        maximum: property.maximum.clone(),
        unit: property.unit.clone(),
    }
}

/// `desired` and `visitors` are there even where the manifest has none, for in Go they are no pointers.
fn device_property(property: &schema::Property, model: &ModelManifest) -> pb::DeviceProperty {
    let desired = property.desired.clone().unwrap_or_default();
    let declared = model.spec.properties.iter().find(|declared| declared.name == property.name);
    pb::DeviceProperty {
        name: property.name.clone(),
        desired: Some(pb::TwinProperty { value: desired.value, metadata: desired.metadata }),
        visitors: Some(visitors(declared.and_then(|declared| declared.visitors.as_ref()), property.visitors.as_ref())),
        report_cycle: property.report_cycle,
        collect_cycle: property.collect_cycle,
        report_to_cloud: property.report_to_cloud,
        push_method: property.push_method.as_ref().map(push_method),
    }
}

/// The protocol's name is the model's where the model has visitors at all: edgecore lays only the config over them.
fn visitors(model: Option<&schema::Visitors>, device: Option<&schema::Visitors>) -> pb::VisitorConfig {
    let config = |visitors: Option<&schema::Visitors>| visitors.and_then(|visitors| visitors.config_data.clone());
    pb::VisitorConfig {
        protocol_name: model.or(device).map(|visitors| visitors.protocol_name.clone()).unwrap_or_default(),
        config_data: overlay(config(model).as_ref(), config(device).as_ref()),
    }
}

fn method(method: &schema::Method) -> pb::DeviceMethod {
    pb::DeviceMethod {
        name: method.name.clone(),
        description: method.description.clone(),
        property_names: method.property_names.clone(),
    }
}

fn push_method(push: &schema::PushMethod) -> pb::PushMethod {
    pb::PushMethod {
        http: push.http.as_ref().map(|http| pb::PushMethodHttp {
            hostname: http.host_name.clone(),
            port: http.port,
            requestpath: http.request_path.clone(),
            timeout: http.timeout,
        }),
        mqtt: push.mqtt.as_ref().map(|mqtt| pb::PushMethodMqtt {
            address: mqtt.address.clone(),
            topic: mqtt.topic.clone(),
            qos: mqtt.qos,
            retained: mqtt.retained,
        }),
        db_method: push.db_method.as_ref().map(db_method),
        otel: push.otel.as_ref().map(|otel| pb::PushMethodOtel { endpoint_url: otel.endpoint_url.clone() }),
        anomaly_detection: push.anomaly_detection.as_ref().map(|data| pb::AnomalyDetection {
            data: data.iter().filter_map(|(key, value)| Some((key.clone(), config::to_any(value)?))).collect(),
        }),
    }
}

fn db_method(db: &schema::DbMethod) -> pb::DbMethod {
    pb::DbMethod {
        influxdb2: db.influxdb2.as_ref().map(influxdb2),
        redis: db.redis.as_ref().map(|redis| pb::DbMethodRedis {
            redis_client_config: redis.client.as_ref().map(|client| pb::RedisClientConfig {
                addr: client.addr.clone(),
                db: client.db,
                poolsize: client.poolsize,
                min_idle_conns: client.min_idle_conns,
            }),
        }),
        tdengine: db.tdengine.as_ref().map(|tdengine| pb::DbMethodTdEngine {
            td_engine_client_config: tdengine
                .client
                .as_ref()
                .map(|client| pb::TdEngineClientConfig { addr: client.addr.clone(), dbname: client.db_name.clone() }),
        }),
        mysql: db.mysql.as_ref().map(|mysql| pb::DbMethodMySql {
            mysql_client_config: mysql.client.as_ref().map(|client| pb::MySqlClientConfig {
                addr: client.addr.clone(),
                database: client.database.clone(),
                user_name: client.user_name.clone(),
            }),
        }),
    }
}

fn influxdb2(influxdb2: &schema::Influxdb2) -> pb::DbMethodInfluxdb2 {
    pb::DbMethodInfluxdb2 {
        influxdb2_client_config: influxdb2.client.as_ref().map(|client| pb::Influxdb2ClientConfig {
            url: client.url.clone(),
            org: client.org.clone(),
            bucket: client.bucket.clone(),
        }),
        influxdb2_data_config: influxdb2.data.as_ref().map(|data| pb::Influxdb2DataConfig {
            measurement: data.measurement.clone(),
            tag: data.tag.clone(),
            field_key: data.field_key.clone(),
        }),
    }
}
