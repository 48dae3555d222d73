//! Records as bytes, for the spool.
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | the version of this form, 1 |
//! | 4 | the length of the series |
//! | … | the series, a JSON array |
//! | 8 | the timestamp, milliseconds since 1970 UTC, signed |
//! | 1 | the quality: 0 good, 1 uncertain, 2 bad |
//! | 1 | the variant of the value |
//! | … | the value: numbers in their width, text and bytes to the end |
//!
//! All numbers are little-endian. The series stands in each record, so that a record can be read without any other.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use bytes::Bytes;
use serde_json::Value as Json;

use crate::model::{DeviceId, ModelId, Quality, Value};

use super::{Record, Route, Series, Target, record::from_millis};

/// The version of the form.
const VERSION: u8 = 1;

/// A series as it is stored, a JSON array without keys, since it stands in every record: namespace and name of the device, namespace
/// and name of the model, property, data type, unit, description, and the route's detail. The target is not stored: a spool holds the
/// records of one.
type StoredSeries<'a> = (Text<'a>, Text<'a>, Text<'a>, Text<'a>, Text<'a>, Text<'a>, Text<'a>, Text<'a>, Cow<'a, Json>);

type Text<'a> = Cow<'a, str>;

/// The record as bytes.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    let series = record.series();
    let stored: StoredSeries<'_> = (
        series.device().namespace().into(),
        series.device().name().into(),
        series.model().namespace().into(),
        series.model().name().into(),
        series.property().into(),
        series.data_type().as_str().into(),
        series.unit().into(),
        series.description().into(),
        Cow::Borrowed(series.route.raw_detail()),
    );
    let mut bytes = vec![VERSION, 0, 0, 0, 0];
    serde_json::to_writer(&mut bytes, &stored).expect("a document of strings has a form in JSON");
    let length = u32::try_from(bytes.len() - 5).expect("a series is shorter than 4 GiB");
    bytes[1..5].copy_from_slice(&length.to_le_bytes());
    bytes.extend(record.timestamp_ms().to_le_bytes());
    bytes.push(match record.quality() {
        Quality::Good => 0,
        Quality::Uncertain => 1,
        Quality::Bad => 2,
    });
    encode_value(record.value(), &mut bytes);
    bytes
}

fn encode_value(value: &Value, bytes: &mut Vec<u8>) {
    let (variant, content): (u8, &[u8]) = match value {
        Value::Int(int) => (0, &int.to_le_bytes()),
        Value::Float(float) => (1, &float.to_le_bytes()),
        Value::Double(double) => (2, &double.to_le_bytes()),
        Value::String(text) => (3, text.as_bytes()),
        Value::Boolean(boolean) => (4, &[u8::from(*boolean)]),
        Value::Bytes(content) => (5, content),
    };
    bytes.push(variant);
    bytes.extend(content);
}

/// How many series a decoder keeps. A mapper with more properties for one target decodes some of them again.
const SERIES_KEPT: usize = 16_384;

/// Reads records that were written for a target. Records of the same series share it again.
#[derive(Debug)]
pub(super) struct Decoder {
    target: Target,
    series: HashMap<Vec<u8>, Arc<Series>>,
}

impl Decoder {
    pub(super) fn new(target: Target) -> Self {
        Self { target, series: HashMap::new() }
    }

    /// The record; `None` if it was written in a form that is not known here.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Option<Record> {
        let (&[version, a, b, c, d], rest) = bytes.split_first_chunk::<5>()?;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if version != VERSION || length > rest.len() {
            return None;
        }
        let (series, rest) = rest.split_at(length);
        let (timestamp, rest) = rest.split_first_chunk::<8>()?;
        let (&[quality, variant], content) = rest.split_first_chunk::<2>()?;
        let quality = [Quality::Good, Quality::Uncertain, Quality::Bad].get(usize::from(quality)).copied()?;
        let (value, timestamp) = (decode_value(variant, content)?, from_millis(i64::from_le_bytes(*timestamp)));
        Some(Record::new(self.series(series)?, value, timestamp).with_quality(quality))
    }

    fn series(&mut self, bytes: &[u8]) -> Option<Arc<Series>> {
        if let Some(series) = self.series.get(bytes) {
            return Some(Arc::clone(series));
        }
        let (namespace, device, model_namespace, model, property, data_type, unit, description, route): StoredSeries<
            '_,
        > = serde_json::from_slice(bytes).ok()?;
        let series = Arc::new(Series {
            device: DeviceId::new(&namespace, &device),
            model: ModelId::new(&model_namespace, &model),
            property: property.into_owned(),
            data_type: data_type.parse().ok()?,
            unit: unit.into_owned(),
            description: description.into_owned(),
            route: Route::from_raw(self.target.clone(), route.into_owned()),
        });
        if self.series.len() >= SERIES_KEPT {
            self.series.clear();
        }
        self.series.insert(bytes.to_vec(), Arc::clone(&series));
        Some(series)
    }
}

fn decode_value(variant: u8, content: &[u8]) -> Option<Value> {
    Some(match variant {
        0 => Value::Int(i64::from_le_bytes(content.try_into().ok()?)),
        1 => Value::Float(f32::from_le_bytes(content.try_into().ok()?)),
        2 => Value::Double(f64::from_le_bytes(content.try_into().ok()?)),
        3 => Value::String(std::str::from_utf8(content).ok()?.to_owned()),
        4 => Value::Boolean(match content {
            [0] => false,
            [1] => true,
            _ => return None,
        }),
        5 => Value::Bytes(Bytes::copy_from_slice(content)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use crate::model::{DataType, Device, Property};

    use super::*;

    fn series(name: &str) -> Arc<Series> {
        let route = Route::to(Target::new("mqtt", &"broker")).with(&("a topic", 1));
        let property = Property::builder(name, DataType::Double).unit("°C").description("it's \"warm\"").build();
        Arc::new(Series::new(&Device::builder("boiler").build(), &property, route))
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::Int),
            any::<f32>().prop_filter("NaN equals nothing", |float| !float.is_nan()).prop_map(Value::Float),
            any::<f64>().prop_filter("NaN equals nothing", |float| !float.is_nan()).prop_map(Value::Double),
            any::<String>().prop_map(Value::String),
            any::<bool>().prop_map(Value::Boolean),
            vec(any::<u8>(), 0..100).prop_map(Value::from),
        ]
    }

    proptest! {
        #[test]
        fn a_record_comes_back_as_it_was(name in ".{0,40}", value in any_value(), millis in -10_000_000_000_000_i64..10_000_000_000_000) {
            let record = Record::new(series(&name), value, from_millis(millis)).with_quality(Quality::Uncertain);
            let decoded = Decoder::new(Target::new("mqtt", &"broker")).decode(&encode(&record));
            prop_assert_eq!(decoded, Some(record));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut decoder = Decoder::new(Target::new("mqtt", &"broker"));
            decoder.decode(&bytes);
            let mut valid = encode(&Record::new(series("p"), Value::Int(1), from_millis(0)));
            let at = at.index(valid.len());
            valid[at] = byte;
            decoder.decode(&valid);
        }
    }

    #[test]
    fn records_of_one_series_share_it() {
        let mut decoder = Decoder::new(Target::new("mqtt", &"broker"));
        let bytes = encode(&Record::new(series("p"), Value::Int(1), from_millis(0)));
        let (one, two) = (decoder.decode(&bytes).unwrap(), decoder.decode(&bytes).unwrap());
        assert!(Arc::ptr_eq(one.series(), two.series()));
    }

    #[test]
    fn another_version_is_not_read() {
        let mut bytes = encode(&Record::new(series("p"), Value::Int(1), from_millis(0)));
        bytes[0] = VERSION + 1;
        assert_eq!(Decoder::new(Target::new("mqtt", &"broker")).decode(&bytes), None);
    }
}
