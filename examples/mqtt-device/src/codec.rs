//! From what a device publishes to the value of a property, and back to what it takes.

use std::cell::OnceCell;

use mapper_framework::{DataType, DriverError, Property, Value, model::ValueError};
use serde_json::{Number, Value as Json};

use crate::visitor::Visitor;

/// The most characters of a payload that stand in a message.
const EXCERPT: usize = 60;

/// A payload, which is read as JSON once, however many properties stand in it.
pub(crate) struct Payload<'a> {
    bytes: &'a [u8],
    json: OnceCell<Option<Json>>,
}

impl<'a> Payload<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, json: OnceCell::new() }
    }

    /// As JSON, if it is that.
    pub(crate) fn json(&self) -> Option<&Json> {
        self.json.get_or_init(|| serde_json::from_slice(self.bytes).ok()).as_ref()
    }

    /// As text, without blanks around it.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes).ok().map(str::trim)
    }

    /// Its beginning, for messages.
    pub(crate) fn excerpt(&self) -> String {
        excerpt(&String::from_utf8_lossy(self.bytes))
    }
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The words of a format for true and false.
pub(crate) type Words = (&'static str, &'static str);

/// The value in a payload; `None` where the payload does not have it.
///
/// # Errors
///
/// What is there is no value of the property's type, or the payload is no JSON and should be.
pub(crate) fn decode(
    payload: &Payload<'_>,
    pointer: Option<&str>,
    property: &Property<Visitor>,
) -> Result<Option<Value>, DriverError> {
    let visitor = property.visitor();
    let Some(pointer) = pointer else {
        if property.data_type() == DataType::Bytes && visitor.pattern.is_none() && visitor.map.0.is_empty() {
            return Ok(Some(payload.bytes.to_vec().into()));
        }
        let text = payload.text().ok_or_else(|| DriverError::failed("the payload is no text"))?;
        return of_text(text, property);
    };
    let Some(json) = payload.json() else {
        return Err(DriverError::failed(format_args!("the payload is no JSON: {}", payload.excerpt())));
    };
    match json.pointer(pointer) {
        Some(part) => decode_json(part, property),
        None => Ok(None),
    }
}

/// As [`decode`], for a part of a payload.
///
/// # Errors
///
/// It is no value of the property's type.
pub(crate) fn decode_json(json: &Json, property: &Property<Visitor>) -> Result<Option<Value>, DriverError> {
    let (visitor, data_type) = (property.visitor(), property.data_type());
    let is_text = visitor.pattern.is_some() || !visitor.map.0.is_empty();
    match json {
        Json::Null => Err(DriverError::failed("the device publishes null, which is no value")),
        Json::String(text) => of_text(text, property),
        other if is_text => of_text(&other.to_string(), property),
        Json::Bool(boolean) => Ok(Some((*boolean).into())),
        Json::Number(number) if visitor.scale.is_some() || visitor.bias.is_some() => {
            Ok(number.as_f64().map(|number| scaled(number, property)))
        }
        Json::Number(number) => Ok(Some(of_number(number, data_type)?)),
        Json::Array(_) | Json::Object(_) if data_type == DataType::String => Ok(Some(json.to_string().into())),
        Json::Array(_) | Json::Object(_) => {
            let found = excerpt(&json.to_string());
            Err(DriverError::failed(format_args!("found {found}, which is no {data_type}: point to a part of it")))
        }
    }
}

fn of_number(number: &Number, data_type: DataType) -> Result<Value, ValueError> {
    match (number.as_i64(), number.as_u64()) {
        (Some(int), _) => Ok(Value::Int(int)),
        (None, Some(number)) => Value::from_u64(number, data_type),
        (None, None) => Ok(Value::Double(number.as_f64().unwrap_or(f64::NAN))),
    }
}

fn of_text(text: &str, property: &Property<Visitor>) -> Result<Option<Value>, DriverError> {
    let (visitor, data_type) = (property.visitor(), property.data_type());
    let text = match &visitor.pattern {
        None => text,
        Some(pattern) => match pattern.capture(text) {
            Some(captured) => captured,
            None => return Ok(None),
        },
    };
    if let Some((_, value)) = visitor.map.0.iter().find(|(word, _)| word == text) {
        return Ok(Some(Value::parse(value, data_type)?));
    }
    if data_type.is_numeric() && (visitor.scale.is_some() || visitor.bias.is_some()) {
        return match Value::parse(text.trim(), DataType::Double)? {
            Value::Double(number) => Ok(Some(scaled(number, property))),
            other => Ok(Some(other)),
        };
    }
    let value = match data_type {
        DataType::Boolean => match text.trim() {
            word if word.eq_ignore_ascii_case("on") => Value::Boolean(true),
            word if word.eq_ignore_ascii_case("off") => Value::Boolean(false),
            word => Value::parse(word, data_type)?,
        },
        DataType::String | DataType::Stream => text.into(),
        DataType::Bytes => text.as_bytes().to_vec().into(),
        _ => Value::parse(text.trim(), data_type)?,
    };
    Ok(Some(value))
}

fn scaled(number: f64, property: &Property<Visitor>) -> Value {
    let visitor = property.visitor();
    let value = number * visitor.scale.unwrap_or(1.0) + visitor.bias.unwrap_or(0.0);
    Value::Double(if property.data_type() == DataType::Int { near_whole(value) } else { value })
}

/// The whole number, where only rounding parts the number from it.
fn near_whole(number: f64) -> f64 {
    let whole = number.round();
    if (number - whole).abs() <= 1e-9 * whole.abs().max(1.0) { whole } else { number }
}

/// What a device takes for a value.
pub(crate) fn encode(value: &Value, property: &Property<Visitor>, words: Option<Words>) -> Result<Json, DriverError> {
    let (visitor, data_type) = (property.visitor(), property.data_type());
    let stands_for = |text: &str| Value::parse(text, data_type).is_ok_and(|it| it.is_close_to(value));
    if let Some((word, _)) = visitor.map.0.iter().find(|(_, text)| stands_for(text)) {
        return Ok(word.as_str().into());
    }
    let number = match value {
        Value::Boolean(boolean) => {
            return Ok(words.map_or(Json::Bool(*boolean), |(on, off)| if *boolean { on } else { off }.into()));
        }
        Value::Int(int) if visitor.scale.is_none() && visitor.bias.is_none() => return Ok((*int).into()),
        Value::Int(int) => *int as f64,
        Value::Double(number) => *number,
        // The number that its own decimals mean.
        Value::Float(number) => number.to_string().parse().unwrap_or(f64::from(*number)),
        other => return Ok(other.to_string().into()),
    };
    let raw = (number - visitor.bias.unwrap_or(0.0)) / visitor.scale.unwrap_or(1.0);
    let raw = near_whole(raw);
    let json =
        if raw.fract() == 0.0 && raw.abs() < 9e15 { Some(Number::from(raw as i64)) } else { Number::from_f64(raw) };
    json.map(Json::Number).ok_or_else(|| DriverError::refused(format_args!("{value} cannot be written as a number")))
}

/// Fills a template: `{value}` is the value as text, `{json}` the value as JSON.
pub(crate) fn fill(template: &str, json: &Json) -> String {
    let text = json.as_str().map_or_else(|| json.to_string(), ToOwned::to_owned);
    // Each part by itself, so that a text with braces in it stays what it is.
    let parts = template.split("{value}").map(|part| part.replace("{json}", &json.to_string()));
    parts.collect::<Vec<_>>().join(&text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn property(data_type: DataType, visitor: Json) -> Property<Visitor> {
        Property::builder("property", data_type).visitor(serde_json::from_value(visitor).expect("it is a visitor"))
    }

    fn read(payload: &str, data_type: DataType, visitor: Json) -> Result<Option<Value>, String> {
        let property = property(data_type, visitor);
        let pointer = property.visitor().pointer.as_ref().map(|pointer| pointer.0.as_str());
        let value = decode(&Payload::new(payload.as_bytes()), pointer, &property).map_err(|error| error.to_string())?;
        value.map(|value| value.conform(data_type)).transpose().map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_read_in_every_form() {
        use DataType as T;
        for (payload, data_type, visitor, expected) in [
            ("21.5", T::Double, json!({}), Value::Double(21.5)),
            (" 21.5\n", T::Double, json!({}), Value::Double(21.5)),
            (r#"{"a":{"b":[1,2]}}"#, T::Int, json!({"pointer": "/a/b/1"}), Value::Int(2)),
            (r#"{"a":"21"}"#, T::Int, json!({"pointer": "/a"}), Value::Int(21)),
            (r#"{"a":21.0}"#, T::Int, json!({"pointer": "/a"}), Value::Int(21)),
            (r#"{"a":[1,{"b":2}]}"#, T::String, json!({"pointer": "/a"}), Value::from(r#"[1,{"b":2}]"#)),
            (r#"{"POWER":"ON"}"#, T::Boolean, json!({"pointer": "/POWER"}), Value::Boolean(true)),
            ("off", T::Boolean, json!({}), Value::Boolean(false)),
            ("open", T::Boolean, json!({"map": "open=true, closed=false"}), Value::Boolean(true)),
            (r#"{"mode":2}"#, T::String, json!({"pointer": "/mode", "map": "1=heat, 2=cool"}), Value::from("cool")),
            ("T=21.5C H=40%", T::Double, json!({"pattern": r"H=(\d+)"}), Value::Double(40.0)),
            ("215", T::Double, json!({"scale": 0.1, "bias": 1}), Value::Double(22.5)),
            (r#"{"a":30}"#, T::Int, json!({"pointer": "/a", "scale": 0.1}), Value::Int(3)),
            (r#"{"a":18446744073709551615}"#, T::String, json!({"pointer": "/a"}), Value::from("18446744073709551615")),
            (r#"{"a":1}"#, T::Boolean, json!({"pointer": "/a"}), Value::Boolean(true)),
            (r#"{"a":true}"#, T::Int, json!({"pointer": "/a"}), Value::Int(1)),
            ("[1]", T::String, json!({"pointer": ""}), Value::from("[1]")),
            ("ab", T::Bytes, json!({}), Value::from(b"ab".to_vec())),
        ] {
            assert_eq!(read(payload, data_type, visitor), Ok(Some(expected)), "{payload}");
        }
    }

    #[test]
    fn what_is_not_there_is_none_and_what_does_not_fit_is_an_error() {
        use DataType as T;
        for (payload, data_type, visitor) in
            [(r#"{"a":1}"#, T::Int, json!({"pointer": "/b"})), ("T=21", T::Int, json!({"pattern": "H=(.*)"}))]
        {
            assert_eq!(read(payload, data_type, visitor), Ok(None), "{payload}");
        }
        for (payload, data_type, visitor, message) in [
            ("nonsense", T::Int, json!({"pointer": "/a"}), "the payload is no JSON: \"nonsense\""),
            ("nonsense", T::Int, json!({}), "\"nonsense\" is not a value of type INT"),
            (r#"{"a":null}"#, T::Int, json!({"pointer": "/a"}), "null, which is no value"),
            (r#"{"a":{}}"#, T::Int, json!({"pointer": "/a"}), "which is no INT: point to a part of it"),
            (r#"{"a":18446744073709551615}"#, T::Int, json!({"pointer": "/a"}), "beyond the greatest INT"),
            (r#"{"a":21.5}"#, T::Int, json!({"pointer": "/a"}), "not a value of type INT"),
            ("maybe", T::Boolean, json!({"map": "open=true"}), "not a value of type BOOLEAN"),
        ] {
            let error = read(payload, data_type, visitor).expect_err(message);
            assert!(error.contains(message), "{error}");
        }
        let error = decode(&Payload::new(b"\xff"), None, &property(T::Int, json!({}))).expect_err("it is no text");
        assert_eq!(error.to_string(), "the payload is no text");
    }

    #[test]
    fn a_value_is_written_as_it_is_read() {
        use DataType as T;
        for (value, data_type, visitor, words, expected) in [
            (Value::Int(7), T::Int, json!({}), None, json!(7)),
            (Value::Float(0.1), T::Float, json!({}), None, json!(0.1)),
            (Value::Double(22.5), T::Double, json!({"scale": 0.1, "bias": 1}), None, json!(215)),
            (Value::Boolean(true), T::Boolean, json!({}), Some(("ON", "OFF")), json!("ON")),
            (Value::Boolean(false), T::Boolean, json!({}), None, json!(false)),
            (Value::Boolean(false), T::Boolean, json!({"map": "open=true, closed=false"}), None, json!("closed")),
            (Value::from("cool"), T::String, json!({"map": "1=heat, 2=cool"}), None, json!("2")),
            (Value::from("blue"), T::String, json!({}), None, json!("blue")),
        ] {
            let property = property(data_type, visitor);
            assert_eq!(encode(&value, &property, words).expect("it can be written"), expected, "{value}");
        }
        assert!(encode(&Value::Double(f64::NAN), &property(T::Double, json!({})), None).is_err());
    }

    #[test]
    fn a_template_takes_the_value_as_text_and_as_json() {
        assert_eq!(fill("{value}", &json!("ON")), "ON");
        assert_eq!(fill(r#"{"state":{json}}"#, &json!("say \"{json}\"")), r#"{"state":"say \"{json}\""}"#);
        assert_eq!(fill("{value};{value}", &json!("{json}")), "{json};{json}");
        assert_eq!(fill(r#"{"brightness":{value}}"#, &json!(7)), r#"{"brightness":7}"#);
    }
}
