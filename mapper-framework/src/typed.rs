//! Values as somebody's own types, and in plain words what does not fit.
//!
//! The types are those of `serde`: a section of the config, a device's `configData`. A number may be written as text, and so may a
//! list or a mapping, since some of the ways that a value takes know nothing but text. What `serde` says of a value that does not fit
//! is meant for programmers: [`plain`] puts it into words for whoever wrote the value.

mod fault;
mod lenient;
mod search;
mod words;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use search::{read_keys, unread_keys};
pub(crate) use words::plain;

use fault::Fault;
use lenient::Lenient;

/// Why a value is not of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The key within the value, such as `serial.baud`. Empty for the value as a whole.
    pub(crate) path: String,
    /// What was found and what would fit.
    pub(crate) message: String,
    /// Whether a key is missing. Its `path` is then that of what it is missing from.
    pub(crate) is_missing: bool,
}

/// Reads a value as a type. The error is the first one that the type finds: see [`read_keys`] for all of them.
pub(crate) fn read<T: DeserializeOwned>(value: Value) -> Result<T, Misfit> {
    serde_path_to_error::deserialize(Lenient(value)).map_err(|error| Misfit::of(&error))
}

impl Misfit {
    fn of(error: &serde_path_to_error::Error<Fault>) -> Self {
        let (path, Fault { message, missing, .. }) = (error.path().to_string(), error.inner().clone());
        Self { path: if path == "." { String::new() } else { path }, message, is_missing: missing.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, num::NonZeroU16, time::Duration};

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Line {
        port: u16,
        offset: i64,
        factor: f64,
        is_slow: bool,
        parity: Parity,
        label: Option<String>,
        units: Vec<u8>,
        names: BTreeMap<u8, String>,
        pair: (u8, u8),
        below: Option<Box<Line>>,
        #[serde(with = "humantime_serde")]
        pause: Duration,
        strict: Option<NonZeroU16>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Parity {
        #[default]
        None,
        Even,
    }

    fn misfit(value: Value) -> String {
        let Misfit { path, message, .. } = read::<Line>(value).unwrap_err();
        format!("{path}: {message}")
    }

    #[test]
    fn numbers_and_switches_may_be_written_as_text() {
        let line: Line = read(json!({
            "port": " 502 ", "offset": "-7", "factor": "1e-3", "is_slow": "true", "parity": "even", "label": "007",
            "units": ["1", 2], "names": {"3": "c"}, "pair": ["1", 2], "below": {"port": "0x10"}, "pause": "10s",
            "strict": "9",
        }))
        .unwrap();
        assert_eq!((line.port, line.offset, line.factor, line.is_slow), (502, -7, 1e-3, true));
        assert_eq!(
            (line.parity, line.label.as_deref(), line.pause),
            (Parity::Even, Some("007"), Duration::from_secs(10))
        );
        assert_eq!((line.units, line.pair), (vec![1, 2], (1, 2)));
        assert_eq!((line.names[&3].as_str(), line.below.unwrap().port), ("c", 16));
        assert_eq!(line.strict.map(NonZeroU16::get), Some(9));
    }

    #[test]
    fn lists_and_mappings_may_be_written_as_text() {
        let line: Line =
            read(json!({"units": "[1, 2]", "names": "{1: a}", "below": "{port: 5}", "pair": "[3, 4]"})).unwrap();
        assert_eq!((line.units, line.pair), (vec![1, 2], (3, 4)));
        assert_eq!((line.names[&1].as_str(), line.below.unwrap().port), ("a", 5));
    }

    #[test]
    fn what_does_not_fit_is_said_in_plain_words() {
        for (value, expected) in [
            (json!({"port": "seven"}), "port: found \"seven\", expected a whole number from 0 to 65535"),
            (json!({"port": 70000}), "port: found 70000, expected a whole number from 0 to 65535"),
            (json!({"port": "70000"}), "port: found 70000, expected a whole number from 0 to 65535"),
            (json!({"port": 1.5}), "port: found 1.5, expected a whole number from 0 to 65535"),
            (json!({"port": null}), "port: found nothing, expected a whole number from 0 to 65535"),
            (json!({"port": ""}), "port: found \"\", expected a whole number from 0 to 65535"),
            (json!({"strict": 0}), "strict: found 0, expected a whole number from 1 to 65535"),
            (json!({"factor": [1]}), "factor: found a list, expected a number"),
            (json!({"is_slow": "often"}), "is_slow: found \"often\", expected true or false"),
            (json!({"parity": "odd"}), "parity: found `odd`, expected `none` or `even`"),
            (json!({"label": 7}), "label: found 7, expected text"),
            (json!({"units": "1"}), "units: found \"1\", expected a list"),
            (json!({"units": [1, 256]}), "units[1]: found 256, expected a whole number from 0 to 255"),
            (json!({"below": [1]}), "below: found a list, expected a mapping of keys to values"),
            (json!({"below": {"port": -1}}), "below.port: found -1, expected a whole number from 0 to 65535"),
            (json!({"pause": "10"}), "pause: found \"10\", expected a duration, such as `10s` or `500ms`"),
            (json!({"pair": [1]}), "pair: found 1 of them, expected a list of 2"),
            (json!("x"), ": found \"x\", expected a mapping of keys to values"),
        ] {
            assert_eq!(misfit(value), expected);
        }
    }

    #[test]
    fn numbers_keep_their_value_as_numbers_and_as_text() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Numbers {
            greatest: u64,
            least: i64,
            odd: i64,
            double: f64,
            float: f32,
        }
        let expected =
            Numbers { greatest: u64::MAX, least: i64::MIN, odd: 9_007_199_254_740_993, double: 0.1, float: 0.1 };
        let numbers = json!({
            "greatest": u64::MAX, "least": i64::MIN, "odd": 9_007_199_254_740_993_u64, "double": 0.1, "float": 0.1,
        });
        let texts = json!({
            "greatest": "18446744073709551615", "least": "-9223372036854775808", "odd": "9007199254740993", "double": "0.1",
            "float": "0.1",
        });
        for value in [numbers, texts] {
            assert_eq!(read::<Numbers>(value.clone()).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn a_struct_is_no_list() {
        assert_eq!(
            read::<Line>(json!([502])).unwrap_err().message,
            "found a list, expected a mapping of keys to values"
        );
    }
}
