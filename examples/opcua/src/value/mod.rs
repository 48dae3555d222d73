//! Values: the server's as the framework's, and the other way round.

mod encode;
mod json;
mod part;
mod size;

use std::time::{Duration, SystemTime};

use mapper_framework::{DataType, DriverError, Reading, Value, model::Quality};
use ua::types::{DataValue, DateTime, StatusCode, Variant};

use crate::{status, types::Structures};

pub(crate) use encode::{Shape, encode, of_json};
pub(crate) use json::{object, to_json};
pub(crate) use part::{part, require_part};
pub(crate) use size::size;

/// From OPC UA's epoch, 1601, to that of Unix, in ticks of 100 nanoseconds.
const UNIX_EPOCH_TICKS: i64 = 116_444_736_000_000_000;

/// What a server says of a node, as a reading of a property.
///
/// # Errors
///
/// There is no value, or none that a property can have.
pub(crate) fn reading(
    what: &dyn std::fmt::Display,
    answer: DataValue,
    data_type: DataType,
    structures: &Structures,
) -> Result<Reading, DriverError> {
    let code = answer.status.unwrap_or(StatusCode::Good);
    let value = match answer.value {
        Some(value) if !matches!(value, Variant::Empty) => value,
        _ if code.is_bad() => return Err(status::of_operation(what, code)),
        _ => return Err(DriverError::failed(format_args!("{what}: the node has no value"))),
    };
    let value =
        to_value(value, data_type, structures).map_err(|error| DriverError::failed(format_args!("{what}: {error}")))?;
    let reading = Reading::new(value).quality(quality(code));
    let taken =
        [answer.source_timestamp, answer.server_timestamp].into_iter().flatten().find_map(|time| system_time(&time));
    Ok(match taken {
        Some(taken) => reading.at(taken),
        None => reading,
    })
}

fn quality(code: StatusCode) -> Quality {
    if code.is_bad() {
        Quality::Bad
    } else if code.is_uncertain() {
        Quality::Uncertain
    } else {
        Quality::Good
    }
}

/// A value in the form that suits the property best. Arrays, structures and whatever else has no form of its own become JSON.
///
/// # Errors
///
/// The value has no such form.
pub(crate) fn to_value(variant: Variant, data_type: DataType, structures: &Structures) -> Result<Value, String> {
    Ok(match variant {
        Variant::Boolean(it) => it.into(),
        Variant::SByte(it) => it.into(),
        Variant::Byte(it) => it.into(),
        Variant::Int16(it) => it.into(),
        Variant::UInt16(it) => it.into(),
        Variant::Int32(it) => it.into(),
        Variant::UInt32(it) => it.into(),
        Variant::Int64(it) => it.into(),
        Variant::UInt64(it) => Value::from_u64(it, data_type).map_err(|error| error.to_string())?,
        Variant::Float(it) => it.into(),
        Variant::Double(it) => it.into(),
        Variant::String(it) => it.as_ref().into(),
        Variant::ByteString(it) => it.value.unwrap_or_default().into(),
        Variant::DateTime(it) if data_type == DataType::Int => unix_millis(&it).into(),
        Variant::Variant(it) => to_value(*it, data_type, structures)?,
        // A part of one element is that element.
        Variant::Array(mut it) if it.values.len() == 1 && data_type != DataType::String && it.dimensions.is_none() => {
            to_value(it.values.remove(0), data_type, structures)?
        }
        other => match to_json(&other, structures)? {
            serde_json::Value::String(text) => text.into(),
            json => json.to_string().into(),
        },
    })
}

fn ticks_since_unix_epoch(time: &DateTime) -> Option<i64> {
    // Zero is no time at all, and so is what lies after the year 9999.
    Some(time.ticks())
        .filter(|ticks| (1..DateTime::endtimes_ticks()).contains(ticks))
        .map(|ticks| ticks - UNIX_EPOCH_TICKS)
}

pub(crate) fn system_time(time: &DateTime) -> Option<SystemTime> {
    let ticks = ticks_since_unix_epoch(time)?;
    let distance = Duration::from_nanos(ticks.unsigned_abs().saturating_mul(100));
    if ticks < 0 { SystemTime::UNIX_EPOCH.checked_sub(distance) } else { SystemTime::UNIX_EPOCH.checked_add(distance) }
}

fn unix_millis(time: &DateTime) -> i64 {
    ticks_since_unix_epoch(time).unwrap_or_default().div_euclid(10_000)
}

fn of_unix_millis(millis: i64) -> Option<DateTime> {
    let ticks = millis.checked_mul(10_000)?.checked_add(UNIX_EPOCH_TICKS)?;
    (0..DateTime::endtimes_ticks()).contains(&ticks).then(|| DateTime::from(ticks))
}

#[cfg(test)]
mod tests;
