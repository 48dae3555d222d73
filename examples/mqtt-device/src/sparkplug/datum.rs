//! Values of metrics, by the data types of Sparkplug B.

use std::time::{Duration, SystemTime};

use mapper_framework::model::Quality;
use serde_json::{Number, Value as Json};

use super::payload::{Content, Metric};
use crate::time::after_1970;

/// The number of the data type Boolean.
pub(super) const BOOLEAN: u32 = 11;

/// The latest value of a metric.
#[derive(Clone, Debug)]
pub(crate) struct Datum {
    /// The value, or why there is none.
    pub(crate) value: Result<Content, String>,
    pub(crate) datatype: u32,
    /// `None` without one that makes sense.
    pub(crate) time: Option<SystemTime>,
    pub(crate) quality: Quality,
    /// Whether a later one is known.
    pub(crate) is_historical: bool,
}

impl Datum {
    /// What a metric holds, of this type unless it names its own.
    pub(super) fn of(metric: Metric, datatype: u32, sent: Option<u64>) -> Self {
        let datatype = metric.datatype.filter(|own| *own != 0).unwrap_or(datatype);
        let time = metric.timestamp.or(sent).map(Duration::from_millis).and_then(after_1970);
        let quality = quality(&metric);
        let is_historical = metric.is_historical.unwrap_or(false);
        let value = match metric.content {
            Some(content) if metric.is_null != Some(true) => Ok(content),
            _ => Err("the device publishes null, which is no value".to_owned()),
        };
        Self { value, datatype, time, quality, is_historical }
    }

    /// The value as JSON; bytes have none.
    ///
    /// # Errors
    ///
    /// It has no value, or one of a type that is not read.
    pub(crate) fn json(&self) -> Result<Json, String> {
        let content = self.value.as_ref().map_err(Clone::clone)?;
        Ok(match (self.datatype, content) {
            // Some encoders widen before they take the complement.
            (1, Content::Int(bits)) => (*bits as i8).into(),
            (2, Content::Int(bits)) => (*bits as i16).into(),
            (3, Content::Int(bits)) => bits.cast_signed().into(),
            (3 | 4, Content::Long(bits)) => bits.cast_signed().into(),
            (_, Content::Int(number)) => (*number).into(),
            (_, Content::Long(number)) => (*number).into(),
            // The number that its own decimals mean.
            (_, Content::Float(number)) => finite(number.to_string().parse().unwrap_or(f64::from(*number)))?,
            (_, Content::Double(number)) => finite(*number)?,
            (_, Content::Boolean(boolean)) => (*boolean).into(),
            (_, Content::Text(text)) => text.as_str().into(),
            (datatype, Content::Bytes(_)) => return Err(format!("its data type {datatype} can be read as BYTES only")),
        })
    }
}

/// What is put into a metric of this type. A number or a truth may be text, as the words of a `map` are.
///
/// # Errors
///
/// The type does not take such a value.
pub(super) fn content(json: &Json, datatype: u32) -> Result<Content, String> {
    let refused = || format!("a metric of the data type {datatype} does not take {json}");
    let text = json.as_str().map(str::trim);
    let int = || json.as_i64().or_else(|| text?.parse().ok()).ok_or_else(refused);
    let natural = || json.as_u64().or_else(|| text?.parse().ok()).ok_or_else(refused);
    let double = || json.as_f64().or_else(|| text?.parse().ok()).filter(|it| it.is_finite()).ok_or_else(refused);
    let float = || Ok(double()? as f32).and_then(|it| if it.is_finite() { Ok(it) } else { Err(refused()) });
    let boolean = || json.as_bool().or_else(|| text?.parse().ok()).ok_or_else(refused);
    let within = |min: i64, max: i64| int()?.checked_sub(0).filter(|it| (min..=max).contains(it)).ok_or_else(refused);
    Ok(match datatype {
        1 => Content::Int((within(i8::MIN.into(), i8::MAX.into())? as i32).cast_unsigned()),
        2 => Content::Int((within(i16::MIN.into(), i16::MAX.into())? as i32).cast_unsigned()),
        3 => Content::Int((within(i32::MIN.into(), i32::MAX.into())? as i32).cast_unsigned()),
        4 => Content::Long(int()?.cast_unsigned()),
        5 => Content::Int(within(0, u8::MAX.into())? as u32),
        6 => Content::Int(within(0, u16::MAX.into())? as u32),
        7 => Content::Int(within(0, u32::MAX.into())? as u32),
        8 | 13 => Content::Long(natural()?),
        9 => Content::Float(float()?),
        10 => Content::Double(double()?),
        BOOLEAN => Content::Boolean(boolean()?),
        12 | 14 | 15 => Content::Text(json.as_str().map_or_else(|| json.to_string(), ToOwned::to_owned)),
        _ => return Err(format!("a metric of the data type {datatype} cannot be written")),
    })
}

fn finite(number: f64) -> Result<Json, String> {
    Number::from_f64(number).map(Json::Number).ok_or_else(|| format!("{number} is no value"))
}

/// By the property of that name: 192 is good, 500 stale, and 0 bad.
fn quality(metric: &Metric) -> Quality {
    let properties = metric.properties.iter().flat_map(|all| all.keys.iter().zip(&all.values));
    let quality = properties.into_iter().find(|(key, _)| key.eq_ignore_ascii_case("quality"));
    match quality.and_then(|(_, value)| value.int_value) {
        Some(0) => Quality::Bad,
        Some(500) => Quality::Uncertain,
        _ => Quality::Good,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(datatype: u32, content: Content) -> Result<Json, String> {
        Datum::of(Metric { content: Some(content), ..Metric::default() }, datatype, None).json()
    }

    #[test]
    fn each_type_is_written_as_it_is_read() {
        for (datatype, json) in [
            (1, json!(-5)),
            (2, json!(-500)),
            (3, json!(-70_000)),
            (4, json!(-5_000_000_000_i64)),
            (5, json!(200)),
            (6, json!(65_535)),
            (7, json!(4_000_000_000_u32)),
            (8, json!(u64::MAX)),
            (9, json!(0.1)),
            (10, json!(0.1)),
            (11, json!(true)),
            (12, json!("text")),
        ] {
            let content = content(&json, datatype).expect("it can be written");
            assert_eq!(read(datatype, content), Ok(json), "{datatype}");
        }
    }

    #[test]
    fn numbers_and_truths_are_written_from_text_as_well() {
        for (datatype, text, json) in [
            (1, "-5", json!(-5)),
            (2, " 2 ", json!(2)),
            (4, "-5000000000", json!(-5_000_000_000_i64)),
            (7, "4000000000", json!(4_000_000_000_u32)),
            (8, "18446744073709551615", json!(u64::MAX)),
            (9, "0.1", json!(0.1)),
            (10, "-2.5", json!(-2.5)),
            (11, "true", json!(true)),
        ] {
            let content = content(&json!(text), datatype).expect("it can be written");
            assert_eq!(read(datatype, content), Ok(json), "{datatype}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(read(1, Content::Int(0xfb)), Ok(json!(-5)), "a narrow complement");
        for (datatype, json) in [
            (1, json!(200)),
            (1, json!("200")),
            (3, json!(1.5)),
            (3, json!("1.5")),
            (5, json!(-1)),
            (8, json!("-1")),
            (9, json!(1e300)),
            (9, json!("1e300")),
            (10, json!("inf")),
            (10, json!("NaN")),
            (11, json!("on")),
            (16, json!(1)),
        ] {
            assert!(content(&json, datatype).is_err(), "{datatype} {json}");
        }
        assert!(read(10, Content::Double(f64::NAN)).is_err());
        assert!(read(17, Content::Bytes(vec![1])).is_err());
        assert!(Datum::of(Metric::default(), 3, None).json().is_err());
        let sent = |millis| Datum::of(Metric::default(), 3, Some(millis)).time;
        assert!(sent(1_764_338_520_000).is_some() && sent(1_764_338_520_000_000).is_none(), "microseconds are no time");
    }
}
