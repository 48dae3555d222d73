//! What a user writes about a property in a device's manifest.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

use crate::{
    config::Retained,
    keys::{Pairs, Pattern, Pointer, decimal, factor, millis},
};

/// `visitors.configData`, beside the keys that are the framework's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Visitor {
    /// The topic on which the value comes, in place of the format's.
    pub(crate) topic: Option<String>,
    /// The name of the metric, of Sparkplug.
    pub(crate) metric: Option<String>,
    /// Where in a payload of JSON the value stands. Without it the whole payload is the value.
    pub(crate) pointer: Option<Pointer>,
    /// What of the text is the value.
    pub(crate) pattern: Option<Pattern>,
    /// Texts of the device, and the values that they stand for.
    #[serde(default)]
    pub(crate) map: Pairs,
    /// value = number * `scale` + `bias`
    #[serde(default, deserialize_with = "factor")]
    pub(crate) scale: Option<f64>,
    /// See `scale`.
    #[serde(default, deserialize_with = "decimal")]
    pub(crate) bias: Option<f64>,
    /// Where in the payload the time of the value stands.
    pub(crate) time: Option<Pointer>,
    /// The offset of times without one, in minutes to the east.
    #[serde(default, deserialize_with = "offset")]
    pub(crate) time_offset: Option<i32>,
    /// In place of the device's.
    #[serde(default, deserialize_with = "millis")]
    pub(crate) max_age: Option<Duration>,
    /// In place of the device's.
    pub(crate) retained: Option<Retained>,
    /// The topic on which the value is set, in place of the format's.
    pub(crate) command: Option<String>,
    /// What is published there, in place of the format's.
    pub(crate) payload: Option<String>,
    /// What shows that the device has taken a value.
    #[serde(default)]
    pub(crate) confirm: Confirm,
}

/// What shows that the device has taken a value that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Confirm {
    /// The device publishes this value.
    #[default]
    Value,
    /// The device publishes any value after the command: for devices that round.
    Answer,
    /// The broker has taken the command.
    Broker,
}

/// `+01:00`, `-0530` or `Z`.
pub(crate) fn offset_minutes(text: &str) -> Option<i32> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let digits: String = digits.chars().filter(|it| *it != ':').collect();
    let is_offset = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let (hours, minutes) = is_offset.then(|| digits.split_at(2))?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn offset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let minutes = offset_minutes(&text);
    minutes
        .map(Some)
        .ok_or_else(|| D::Error::custom(format_args!("found {text:?}, expected an offset such as \"+01:00\"")))
}
