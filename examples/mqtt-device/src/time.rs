//! The times that devices put beside their values.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use crate::visitor::offset_minutes;

/// Numbers from here on are milliseconds, and smaller ones seconds: 1973 in the one, and 5138 in the other.
const MILLIS_FROM: f64 = 1e11;

/// The first second of the year 10000. What is later is a number of something else, such as microseconds, and no time that can be written.
const END: Duration = Duration::from_secs(253_402_300_800);

/// The time at this distance from 1970; none after the year 9999.
pub(crate) fn after_1970(since: Duration) -> Option<SystemTime> {
    if since < END { UNIX_EPOCH.checked_add(since) } else { None }
}

/// The time in a part of a payload. A text without an offset is taken to be at `offset`, in minutes to the east.
///
/// # Errors
///
/// It is no time, one after the year 9999, or one without an offset where none is known.
pub(crate) fn parse(json: &Json, offset: Option<i32>) -> Result<SystemTime, String> {
    match json {
        Json::Number(number) => {
            let number = number.as_f64().unwrap_or(-1.0);
            let seconds = if number < MILLIS_FROM { number } else { number / 1000.0 };
            let time = Duration::try_from_secs_f64(seconds).ok().and_then(after_1970);
            time.ok_or_else(|| format!("{number} is no time: expected seconds or milliseconds since 1970"))
        }
        Json::String(text) => of_text(text, offset),
        other => Err(format!("{other} is no time")),
    }
}

fn of_text(text: &str, offset: Option<i32>) -> Result<SystemTime, String> {
    let none = || {
        format!("{text:?} is no time: expected one such as 2026-11-30T12:00:00Z, or seconds or milliseconds since 1970")
    };
    // The date has two dashes, so an offset begins behind it.
    let zone = text.char_indices().skip(10).find(|(_, it)| matches!(it, '+' | '-' | 'Z' | 'z')).map(|(at, _)| at);
    let (local, minutes) = match zone {
        Some(at) => (&text[..at], offset_minutes(&text[at..]).ok_or_else(none)?),
        None => {
            let cure = "write the offset of the device's clock as `timeOffset`, such as \"+01:00\"";
            (text, offset.ok_or_else(|| format!("{text:?} has no offset: {cure}"))?)
        }
    };
    let time = humantime::parse_rfc3339_weak(local).map_err(|_| none())?;
    let shift = Duration::from_secs(u64::from(minutes.unsigned_abs()) * 60);
    let shifted = if minutes >= 0 { time.checked_sub(shift) } else { time.checked_add(shift) };
    shifted.filter(|time| *time < UNIX_EPOCH + END).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_of_all_layouts_are_the_same_moment() {
        let moment = UNIX_EPOCH + Duration::from_secs(1_764_338_520);
        for (json, offset) in [
            (json!(1_764_338_520), None),
            (json!(1_764_338_520_000_u64), None),
            (json!("2025-11-28T14:02:00Z"), None),
            (json!("2025-11-28T15:02:00+01:00"), None),
            (json!("2025-11-28 08:32:00.000-0530"), None),
            (json!("2025-11-28T15:02:00"), Some(60)),
        ] {
            assert_eq!(parse(&json, offset), Ok(moment), "{json}");
        }
    }

    #[test]
    fn what_is_no_time_is_named() {
        for (json, message) in [
            (json!("2025-11-28T15:02:00"), "has no offset: write the offset of the device's clock as `timeOffset`"),
            (json!("yesterday"), "no offset"),
            (json!("2025-13-28T15:02:00Z"), "is no time"),
            (json!("2025-11-28T15:02:00+1"), "is no time"),
            (json!(-1), "is no time"),
            (json!(1e300), "is no time"),
            (json!(1_764_338_520_000_000_u64), "is no time: expected seconds or milliseconds since 1970"),
            (json!("9999-12-31T23:59:59-01:00"), "is no time"),
            (json!(null), "null is no time"),
            (json!("é"), "has no offset"),
        ] {
            let error = parse(&json, None).expect_err(message);
            assert!(error.contains(message), "{error}");
        }
    }
}
