//! `configData`: YAML scalars as edgecore sends them.

use std::collections::HashMap;

use prost::{Message, Name};
use prost_types::Any;
use serde_json::Value;

use crate::{dmi::generated::CustomizedValue, model::ConfigData};

/// What is wrong with a value under `configData`, and the cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsendable {
    pub(super) message: &'static str,
    pub(super) cure: &'static str,
}

/// Finds the keys that edgecore cannot send.
pub(super) fn unsendable(config: &ConfigData) -> impl Iterator<Item = (&str, Unsendable)> {
    config.iter().filter_map(|(key, value)| Some((key.as_str(), check_value(value).err()?)))
}

fn check_value(value: &Value) -> Result<(), Unsendable> {
    match value {
        Value::String(_) | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::Null => Err(Unsendable {
            message: "edgecore cannot send a value of null, and leaves the device out",
            cure: "leave the key out, or give it a value",
        }),
        Value::Array(_) | Value::Object(_) => Err(Unsendable {
            message: "edgecore can send numbers, strings and booleans only, and leaves the device out",
            cure: "write one key for each value, or one string for them all",
        }),
    }
}

/// Lays the device's keys over the model's. Nothing comes of nothing: edgecore sends no empty map then.
pub(super) fn overlay(model: Option<&ConfigData>, device: Option<&ConfigData>) -> Option<CustomizedValue> {
    if model.is_none() && device.is_none() {
        return None;
    }
    let keys = model.into_iter().flatten().chain(device.into_iter().flatten());
    let data: HashMap<String, Any> = keys.filter_map(|(key, value)| Some((key.clone(), to_any(value)?))).collect();
    Some(CustomizedValue { data })
}

/// A scalar as edgecore wraps it: each number as a 32-bit float. `None` for what [`unsendable`] finds.
pub(super) fn to_any(value: &Value) -> Option<Any> {
    match value {
        Value::String(text) => Some(wrap(text)),
        Value::Bool(flag) => Some(wrap(flag)),
        Value::Number(number) => number.as_f64().map(|number| wrap(&(number as f32))),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// prost implements the wrapper messages (`FloatValue`, …) on the Rust types that they wrap.
fn wrap<T: Message + Name>(value: &T) -> Any {
    Any { type_url: format!("type.googleapis.com/{}", T::full_name()), value: value.encode_to_vec() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn float(value: &Value) -> f32 {
        let any = to_any(value).unwrap();
        assert_eq!(any.type_url, "type.googleapis.com/google.protobuf.FloatValue");
        f32::decode(&any.value[..]).unwrap()
    }

    fn map(value: Value) -> ConfigData {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_number_becomes_a_32_bit_float() {
        assert_eq!(float(&json!(10502)), 10502.0);
        assert_eq!(float(&json!(0.1)), 0.1_f32);
        assert_eq!(float(&json!(123_456_789)), 123_456_792.0);
        assert_eq!(float(&json!(u64::MAX)), 18_446_744_073_709_551_615.0);
        assert_eq!(float(&json!(0)), 0.0);
    }

    #[test]
    fn strings_and_booleans_keep_their_type() {
        assert_eq!(to_any(&json!("tcp")).unwrap().type_url, "type.googleapis.com/google.protobuf.StringValue");
        assert_eq!(to_any(&json!(true)).unwrap().type_url, "type.googleapis.com/google.protobuf.BoolValue");
    }

    #[test]
    fn maps_lists_and_nulls_are_refused_by_their_key() {
        for value in [json!({"a": 1}), json!([1]), Value::Null] {
            let config = map(json!({"fine": 1, "odd": value}));
            assert_eq!(unsendable(&config).map(|(key, _)| key).collect::<Vec<_>>(), ["odd"]);
        }
    }

    #[test]
    fn the_keys_of_the_device_win() {
        let (model, device) = (map(json!({"port": 502, "unit": 1})), map(json!({"port": 10502})));
        let merged = overlay(Some(&model), Some(&device)).unwrap();
        assert_eq!(merged.data.len(), 2);
        assert_eq!(merged.data["port"], to_any(&json!(10502)).unwrap());
        assert_eq!(overlay(None, None), None);
    }
}
