//! The JSON documents that leave the mapper. `crate::sink` describes the one of our own.

use serde::{Serialize, Serializer};

use crate::model::Value;

use super::Record;

/// The version of the document.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    namespace: &'a str,
    device: &'a str,
    property: &'a str,
    value: JsonValue<'a>,
    r#type: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'a str,
    timestamp: i64,
    quality: &'a str,
}

/// A value in its own JSON type.
struct JsonValue<'a>(&'a Value);

impl Serialize for JsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Int(int) => serializer.serialize_i64(*int),
            Value::Float(float) => serializer.serialize_f32(*float),
            Value::Double(double) => serializer.serialize_f64(*double),
            Value::Boolean(boolean) => serializer.serialize_bool(*boolean),
            Value::String(text) => serializer.serialize_str(text),
            bytes @ Value::Bytes(_) => serializer.collect_str(bytes),
        }
    }
}

impl Record {
    /// The record as the JSON document of this version of the framework, on one line. The [module](crate::sink#payload) describes
    /// it.
    pub fn to_json(&self) -> Vec<u8> {
        let (device, series) = (self.device(), self.series());
        let document = Document {
            version: VERSION,
            namespace: device.namespace(),
            device: device.name(),
            property: self.property(),
            value: JsonValue(self.value()),
            r#type: series.data_type().as_str(),
            unit: series.unit(),
            timestamp: self.timestamp_ms(),
            quality: self.quality().as_str(),
        };
        serde_json::to_vec(&document).expect("a document of strings and numbers has a form in JSON")
    }
}

/// The JSON document of the Go framework, which its readers expect in redis.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GoDocument<'a> {
    device_name: &'a str,
    property_name: &'a str,
    namespace: &'a str,
    value: String,
    r#type: &'a str,
    time_stamp: i64,
}

impl Record {
    /// The record as the Go framework writes it: `{"DeviceName":…,"PropertyName":…,"Namespace":…,"Value":…,"Type":…,"TimeStamp":…}`,
    /// with the value as text and the time in milliseconds.
    pub fn to_go_json(&self) -> Vec<u8> {
        let document = GoDocument {
            device_name: self.device().name(),
            property_name: self.property(),
            namespace: self.device().namespace(),
            value: self.value().to_string(),
            r#type: self.series().data_type().as_str(),
            time_stamp: self.timestamp_ms(),
        };
        serde_json::to_vec(&document).expect("a document of strings and numbers has a form in JSON")
    }
}
