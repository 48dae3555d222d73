//! Values as they are stored.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use humantime_serde::re::humantime;
use serde_json::Value as Json;

use super::{
    SqlError, error,
    parser::{Literal, Precision, Type},
};

/// A stored value.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    /// In units of the database.
    Time(i64),
}

/// The value in a column of this type.
pub(super) fn cell(column: &str, of_type: Type, literal: &Literal, precision: Precision) -> Result<Cell, SqlError> {
    let misfit = || error::bad_type(&format!("{literal:?} in {column}"));
    match (of_type, literal) {
        (_, Literal::Null) => Ok(Cell::Null),
        (Type::Timestamp, Literal::Number(number)) => number.parse().map(Cell::Time).map_err(|_| misfit()),
        (Type::Timestamp, Literal::Text(text)) => time(text, precision).map(Cell::Time).ok_or_else(misfit),
        (Type::BigInt, Literal::Number(number)) => number.parse().map(Cell::Int).map_err(|_| misfit()),
        (Type::Double, Literal::Number(number)) => match number.parse::<f64>() {
            Ok(double) if double.is_subnormal() => Err(error::bad_number(number)),
            Ok(double) if double.is_finite() => Ok(Cell::Double(double)),
            _ => Err(misfit()),
        },
        (Type::Bool, Literal::Bool(bool)) => Ok(Cell::Bool(*bool)),
        (Type::Nchar(length), Literal::Text(text)) if text.chars().count() > length => {
            Err(error::too_long_value(column))
        }
        (Type::Varchar(length), Literal::Text(text)) if text.len() > length => Err(error::too_long_value(column)),
        (Type::Nchar(_) | Type::Varchar(_), Literal::Text(text)) => Ok(Cell::Text(text.clone())),
        _ => Err(misfit()),
    }
}

/// How many units a second has.
pub(super) fn units(precision: Precision) -> i64 {
    match precision {
        Precision::Milli => 1_000,
        Precision::Micro => 1_000_000,
        Precision::Nano => 1_000_000_000,
    }
}

fn time(text: &str, precision: Precision) -> Option<i64> {
    let since = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let nanos_per_unit = 1_000_000_000 / units(precision);
    i64::try_from(since.as_nanos() / u128::from(nanos_per_unit.unsigned_abs())).ok()
}

impl Cell {
    /// As taosAdapter writes it.
    pub(super) fn to_json(&self, precision: Precision) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(bool) => Json::from(*bool),
            Self::Int(int) => Json::from(*int),
            Self::Double(double) => Json::from(*double),
            Self::Text(text) => Json::from(text.as_str()),
            Self::Time(time) => Json::from(rfc3339(*time, precision)),
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(bool) => bool.fmt(f),
            Self::Int(int) | Self::Time(int) => int.fmt(f),
            Self::Double(double) => double.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

fn rfc3339(time: i64, precision: Precision) -> String {
    let nanos_per_unit = 1_000_000_000 / units(precision).unsigned_abs();
    let time: SystemTime = UNIX_EPOCH + Duration::from_nanos(time.unsigned_abs() * nanos_per_unit);
    match precision {
        Precision::Milli => humantime::format_rfc3339_millis(time).to_string(),
        Precision::Micro => humantime::format_rfc3339_micros(time).to_string(),
        Precision::Nano => humantime::format_rfc3339_nanos(time).to_string(),
    }
}

impl Type {
    /// As many bytes as it takes at most, with the length in front where that varies.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Timestamp | Self::BigInt | Self::Double => 8,
            Self::Bool => 1,
            Self::Nchar(length) => 4 * length + 2,
            Self::Varchar(length) => length + 2,
        }
    }

    /// For comparisons: a longer text is equal to none.
    pub(super) fn unbounded(self) -> Self {
        match self {
            Self::Nchar(_) => Self::Nchar(usize::MAX),
            Self::Varchar(_) => Self::Varchar(usize::MAX),
            other => other,
        }
    }

    /// Its name, and its number on the wire.
    pub(super) fn on_the_wire(self) -> (&'static str, u8) {
        match self {
            Self::Bool => ("BOOL", 1),
            Self::BigInt => ("BIGINT", 5),
            Self::Double => ("DOUBLE", 7),
            Self::Varchar(_) => ("VARCHAR", 8),
            Self::Timestamp => ("TIMESTAMP", 9),
            Self::Nchar(_) => ("NCHAR", 10),
        }
    }
}
