//! Cycles, whose unit the old API does not define.

use super::{fields::Fields, note::Notes};
use crate::manifest::Fault;

/// A day in milliseconds. Nobody collects that rarely.
const DAY: i64 = 24 * 60 * 60 * 1000;
const NANOS_IN_MILLI: i64 = 1_000_000;

/// `collectCycle` or `reportCycle` in milliseconds.
///
//= KubeEdge v1.14 docs/proposals/device-management-enhance.md: `collectCycle: 500000000` in the samples, which are nanoseconds
//= mappers-go mappers/modbus/device/device.go: time.Duration(CollectCycle), and in older releases CollectCycle * time.Millisecond
pub(super) fn millis(fields: &mut Fields, key: &str, notes: &mut Notes) -> Option<i64> {
    let path = fields.path(key);
    let value = fields.take(key)?;
    let Some(number) = value.as_i64().filter(|number| *number >= 0) else {
        notes.left_out(&path, &value, "it is no time", "write milliseconds if the default of 1000 does not suit");
        return None;
    };
    let (in_nanos, is_whole) = (number / NANOS_IN_MILLI, number % NANOS_IN_MILLI == 0);
    if number > DAY && is_whole {
        let message = format!("{number} is taken for nanoseconds, and {in_nanos} milliseconds are written");
        notes.add(Fault::new(path, message, "correct it if another unit was meant"));
        return Some(in_nanos);
    }
    if number >= NANOS_IN_MILLI {
        let message = format!("{number} is taken for milliseconds, though some mappers read nanoseconds");
        notes.add(Fault::new(path, message, format!("write {} if nanoseconds were meant", in_nanos.max(1))));
    }
    Some(number)
}
