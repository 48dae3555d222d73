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
pub(super) struct JsonValue<'a>(pub(super) &'a Value);

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
#[cfg(any(test, feature = "sink-redis"))]
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

#[cfg(any(test, feature = "sink-redis"))]
impl Record {
    /// The record as the Go framework writes it: `{"DeviceName":…,"PropertyName":…,"Namespace":…,"Value":…,"Type":…,"TimeStamp":…}`,
    /// with the value as text and the time in milliseconds.
    pub(super) fn to_go_json(&self) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Duration, SystemTime, UNIX_EPOCH},
    };

    use crate::{
        model::{DataType, Device, DeviceId, Property, Quality},
        sink::{Route, Series, Target},
    };

    use super::*;

    fn record_at(timestamp: SystemTime, unit: &str, data_type: DataType, value: Value) -> Record {
        let property = Property::builder("p", data_type).unit(unit).build();
        let mut device = Device::builder("boiler").build();
        device.id = DeviceId::new("plant", "boiler");
        let route = Route::to(Target::new("test", &()));
        Record::new(Arc::new(Series::new(&device, &property, route)), value, timestamp)
    }

    fn record(data_type: DataType, value: Value) -> Record {
        record_at(UNIX_EPOCH + Duration::from_millis(1_700_000_000_123), "", data_type, value)
    }

    /// The document as a golden file holds it, with the end of the line.
    fn line(document: Vec<u8>) -> String {
        String::from_utf8(document).unwrap() + "\n"
    }

    macro_rules! golden {
        ($name:literal) => {
            include_str!(concat!("../../tests/golden/payload/", $name, ".json"))
        };
    }

    /// Each type, with its document and the one of the Go framework.
    fn of_all_types() -> [(DataType, Value, &'static str, &'static str); 8] {
        let text = "it's \"quoted\", a back\\slash and 21 °C\nin two lines";
        let bytes = || Value::from(vec![0, 1, 254, 255]);
        [
            (DataType::Int, Value::Int(-9_007_199_254_740_993), golden!("int"), golden!("go-int")),
            (DataType::Float, Value::Float(0.1), golden!("float"), golden!("go-float")),
            (DataType::Double, Value::Double(-1.5e-7), golden!("double"), golden!("go-double")),
            (DataType::Boolean, Value::Boolean(true), golden!("boolean"), golden!("go-boolean")),
            (DataType::String, Value::from(text), golden!("string"), golden!("go-string")),
            (DataType::Bytes, bytes(), golden!("bytes"), golden!("go-bytes")),
            (DataType::Stream, Value::from("frame-000017.jpg"), golden!("stream"), golden!("go-stream")),
            (DataType::Stream, bytes(), golden!("stream-of-bytes"), golden!("go-stream-of-bytes")),
        ]
    }

    #[test]
    fn a_value_of_each_type_makes_the_document_of_its_golden_file() {
        for (data_type, value, golden, _) in of_all_types() {
            assert_eq!(line(record(data_type, value).to_json()), golden);
        }
    }

    #[test]
    fn a_value_of_each_type_makes_the_document_of_the_go_framework() {
        for (data_type, value, _, golden) in of_all_types() {
            assert_eq!(line(record(data_type, value).to_go_json()), golden);
        }
    }

    #[test]
    fn unit_and_quality_stand_in_the_document() {
        let before = UNIX_EPOCH - Duration::from_millis(1);
        let record = record_at(before, "°C", DataType::Double, Value::Double(21.5)).with_quality(Quality::Uncertain);
        assert_eq!(line(record.to_json()), golden!("unit-and-quality"));
    }
}
