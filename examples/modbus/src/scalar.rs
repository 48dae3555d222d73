//! Numbers of a manifest, as such or as text.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// A whole number: 31, 31.0, "31" or "0x1F". edgecore carries a number as a 32-bit float, so a long one has to be text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole(pub(crate) u64);

/// A number: 0.1 or "0.1".
struct Decimal(f64);

/// A whole number in a field that holds few of them.
///
/// # Errors
///
/// It is not whole, negative, or too large for the field.
pub(crate) fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let Some(Whole(number)) = Option::deserialize(deserializer)? else { return Ok(None) };
    let narrow = T::try_from(number);
    narrow.map(Some).map_err(|_| D::Error::custom(format_args!("{number} is too large here")))
}

/// Any finite number.
///
/// # Errors
///
/// It is no number, or not finite.
pub(crate) fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(|Decimal(number)| number))
}

/// The number in a text, in decimal or, after 0x, in hexadecimal.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a whole number from 0, such as 31 or "0x1F""#)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
        Ok(Whole(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
        let invalid = |_| E::invalid_value(serde::de::Unexpected::Signed(number), &self);
        u64::try_from(number).map(Whole).map_err(invalid)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
        let is_whole = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
        let invalid = || E::invalid_value(serde::de::Unexpected::Float(number), &self);
        if is_whole { Ok(Whole(number as u64)) } else { Err(invalid()) }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Whole, E> {
        parse(text).map(Whole).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a number is expected, such as 0.1")]
        enum Written {
            Number(f64),
            Text(String),
        }
        let number = match Written::deserialize(deserializer)? {
            Written::Number(number) => Some(number),
            Written::Text(text) => text.trim().parse().ok(),
        };
        let finite = number.filter(|number: &f64| number.is_finite());
        finite.map(Self).ok_or_else(|| D::Error::custom("a finite number is expected, such as 0.1"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Keys {
        #[serde(default, deserialize_with = "whole")]
        whole: Option<u16>,
        #[serde(default, deserialize_with = "decimal")]
        decimal: Option<f64>,
    }

    fn keys(json: Json) -> Result<Keys, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_number_is_read_from_a_float_and_from_text() {
        for written in [json!(31), json!(31.0), json!("31"), json!("0x1F"), json!(" 0X1f ")] {
            assert_eq!(keys(json!({ "whole": written })).unwrap().whole, Some(31));
        }
        assert_eq!(keys(json!({})).unwrap().whole, None);
    }

    #[test]
    fn what_is_no_whole_number_or_too_large_is_an_error() {
        for written in [json!(-1), json!(1.5), json!("40 001"), json!("1F"), json!(true), json!(1e300)] {
            let error = keys(json!({ "whole": written })).unwrap_err();
            assert!(error.contains("a whole number from 0, such as 31"), "{error}");
        }
        assert_eq!(keys(json!({"whole": 65536})).unwrap_err(), "65536 is too large here");
    }

    #[test]
    fn a_decimal_is_finite() {
        assert_eq!(keys(json!({"decimal": "0.1"})).unwrap().decimal, Some(0.1));
        assert_eq!(keys(json!({"decimal": -2})).unwrap().decimal, Some(-2.0));
        for written in [json!("NaN"), json!("1e999"), json!("x"), json!([1])] {
            assert!(keys(json!({ "decimal": written })).unwrap_err().contains("number is expected"));
        }
    }
}
