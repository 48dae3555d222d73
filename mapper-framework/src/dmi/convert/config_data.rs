//! `configData`: a flat map of wrapped scalars.

use prost::Message;
use prost_types::Any;
use serde_json::Value as Json;

use super::Unreadable;
use crate::{
    dmi::generated::CustomizedValue,
    model::{ConfigData, Problem},
};

const PREFIX: &str = "type.googleapis.com/";

/// Reads a `configData`. An entry that cannot be read is left out, and given to `problem` with its key.
pub(crate) fn to_config_data(data: Option<CustomizedValue>, mut problem: impl FnMut(String, Unreadable)) -> ConfigData {
    let mut config = ConfigData::new();
    for (key, any) in data.unwrap_or_default().data {
        match to_json(&any) {
            Ok(value) => drop(config.insert(key, value)),
            Err(unreadable) => problem(key, unreadable),
        }
    }
    config
}

/// Writes a `configData` as edgecore does, with every number as a `FloatValue`.
pub(crate) fn from_config_data(config: &ConfigData) -> Result<CustomizedValue, Problem> {
    let mut data = std::collections::HashMap::with_capacity(config.len());
    for (key, value) in config {
        let any = match value {
            Json::String(text) => wrap("StringValue", text),
            Json::Bool(boolean) => wrap("BoolValue", boolean),
            Json::Number(number) => wrap("FloatValue", &(number.as_f64().unwrap_or(f64::NAN) as f32)),
            _ => return Err(Problem::of_device(key, "only text, numbers and booleans can stand in configData")),
        };
        data.insert(key.clone(), any);
    }
    Ok(CustomizedValue { data })
}

fn wrap(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("{PREFIX}google.protobuf.{name}"), value: message.encode_to_vec() }
}

/// The JSON form of a wrapped scalar.
fn to_json(any: &Any) -> Result<Json, Unreadable> {
    let name = any.type_url.rsplit('/').next().unwrap_or_default();
    let bytes = any.value.as_slice();
    let json = match name.strip_prefix("google.protobuf.").unwrap_or(name) {
        "FloatValue" => f32::decode(bytes).map(float),
        "DoubleValue" => f64::decode(bytes).map(double),
        "Int32Value" => i32::decode(bytes).map(Json::from),
        "Int64Value" => i64::decode(bytes).map(Json::from),
        "UInt32Value" => u32::decode(bytes).map(Json::from),
        "UInt64Value" => u64::decode(bytes).map(Json::from),
        "BoolValue" => bool::decode(bytes).map(Json::from),
        "StringValue" => String::decode(bytes).map(Json::from),
        "BytesValue" => Vec::<u8>::decode(bytes).map(|bytes| String::from_utf8_lossy(&bytes).into_owned().into()),
        _ => {
            let message = format!("the type {name:?} is not a scalar");
            return Err(Unreadable::new(message, "write text, a number or a boolean"));
        }
    };
    match json {
        Ok(Json::Null) => Err(Unreadable::new("the number is not finite", "write digits, such as 12.5")),
        Ok(json) => Ok(json),
        Err(error) => {
            Err(Unreadable::new(format!("the {name} cannot be decoded: {error}"), "write text, a number or a boolean"))
        }
    }
}

/// A 32-bit float is all that is left of any number that passed edgecore: an integral one is an integer again, so that a `u16`
/// can be read from it, and any other is its shortest decimal, 0.1 and not 0.10000000149011612.
fn float(number: f32) -> Json {
    if number.fract() == 0.0 {
        return double(f64::from(number));
    }
    number.to_string().parse::<f64>().map_or(Json::Null, Json::from)
}

/// An integral number as an integer, another as it is, one that is not finite as null.
fn double(number: f64) -> Json {
    // Every i64 is less than 2^63, and -2^63 is one.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number) {
        Json::from(number as i64)
    } else {
        Json::from(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(any: &Any) -> Result<Json, Unreadable> {
        to_json(any)
    }

    #[test]
    fn an_integral_float_is_an_integer() {
        assert_eq!(read(&wrap("FloatValue", &10502.0_f32)), Ok(Json::from(10502)));
        assert_eq!(read(&wrap("FloatValue", &-3.0_f32)), Ok(Json::from(-3)));
        assert_eq!(read(&wrap("FloatValue", &123_456_789.0_f32)), Ok(Json::from(123_456_792)));
    }

    #[test]
    fn another_float_is_its_shortest_decimal() {
        assert_eq!(read(&wrap("FloatValue", &0.1_f32)), Ok(Json::from(0.1)));
        assert_eq!(read(&wrap("FloatValue", &1e30_f32)).map(|json| json.is_f64()), Ok(true));
    }

    #[test]
    fn every_wrapper_is_tolerated() {
        assert_eq!(read(&wrap("Int32Value", &-7_i32)), Ok(Json::from(-7)));
        assert_eq!(read(&wrap("Int64Value", &i64::MIN)), Ok(Json::from(i64::MIN)));
        assert_eq!(read(&wrap("UInt32Value", &7_u32)), Ok(Json::from(7)));
        assert_eq!(read(&wrap("UInt64Value", &u64::MAX)), Ok(Json::from(u64::MAX)));
        assert_eq!(read(&wrap("DoubleValue", &0.1_f64)), Ok(Json::from(0.1)));
        assert_eq!(read(&wrap("BoolValue", &true)), Ok(Json::from(true)));
        assert_eq!(read(&wrap("StringValue", &"COM1".to_owned())), Ok(Json::from("COM1")));
        assert_eq!(read(&wrap("BytesValue", &b"abc".to_vec())), Ok(Json::from("abc")));
    }

    #[test]
    fn what_is_no_number_or_no_scalar_is_refused() {
        assert!(read(&wrap("FloatValue", &f32::NAN)).is_err());
        assert!(read(&wrap("Struct", &true)).unwrap_err().message.contains("not a scalar"));
        let torn = Any { type_url: format!("{PREFIX}google.protobuf.FloatValue"), value: vec![0x0d, 0x00] };
        assert!(read(&torn).unwrap_err().message.contains("cannot be decoded"));
    }

    #[test]
    fn an_entry_that_cannot_be_read_leaves_the_others() {
        let entries = [("port", wrap("FloatValue", &502.0_f32)), ("odd", wrap("Struct", &true))];
        let data = entries.into_iter().map(|(key, any)| (key.to_owned(), any)).collect();
        let mut problems = Vec::new();
        let config = to_config_data(Some(CustomizedValue { data }), |key, _| problems.push(key));
        assert_eq!((config.get("port"), problems), (Some(&Json::from(502)), vec!["odd".to_owned()]));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let config = serde_json::json!({"port": 502, "host": "plc", "fast": true, "scale": 0.1});
        let config = config.as_object().expect("an object");
        let written = from_config_data(config).expect("only scalars");
        assert_eq!(&to_config_data(Some(written), |key, message| panic!("{key}: {message}")), config);
    }
}
