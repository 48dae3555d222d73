//! The statements, the same for both transports. Nothing here does anything but write and read text.
//!
//! No name from outside becomes an identifier: the database is checked, the supertables are constants, and a subtable is named by a
//! hash. All other names are literals, and so are times, in RFC 3339: a number would mean something else in a database that counts
//! microseconds.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use humantime_serde::re::humantime;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::model::{DataType, Value};

use super::super::super::{Outcome, Query, Record, Series, SinkError};

/// Fails, or gives nothing, where TDengine cannot be written to.
pub(super) const HEALTH: &str = "SELECT SERVER_STATUS()";

/// The most bytes of a statement: what `maxSQLLength` allows by default is 1,048,576, and some room.
const MAX_STATEMENT: usize = 1_000_000;

/// The most characters of a text. In bytes, four each, it fits into a column of the first TDengine 3, which takes 16,374.
const MAX_TEXT: usize = 4_000;

/// The most bytes in base64.
const MAX_BYTES: usize = 16_000;

/// The last millisecond of the year 9999, the last one with a text in RFC 3339.
const MAX_TIME: i64 = 253_402_300_799_999;

/// The tags in their order, with how many characters fit. Namespaces have at most 63, and names in Kubernetes 253.
const TAGS: [(&str, usize); 5] = [("namespace", 64), ("device", 256), ("property", 256), ("model", 256), ("unit", 64)];

/// Why a text is no name of a database, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadName {
    pub(super) message: &'static str,
    pub(super) cure: &'static str,
}

/// The name of a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Database(String);

impl Database {
    /// Reads a name as TDengine reads one without quotes: in lower case.
    ///
    /// # Errors
    ///
    /// It is no identifier, or the name of one of TDengine's own databases.
    pub(super) fn parse(name: &str) -> Result<Self, BadName> {
        let is_identifier = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !name.starts_with(|first: char| first.is_ascii_digit());
        let name = name.to_ascii_lowercase();
        let wrong = |message, cure| Err(BadName { message, cure });
        match name.as_str() {
            "" => wrong("is empty", "name a database, which is made if there is none"),
            "information_schema" | "performance_schema" => {
                wrong("is one of TDengine's own databases", "name another one")
            }
            _ if !is_identifier => {
                wrong("is no name of a database", "use letters, digits and _, and no digit in front")
            }
            _ if name.len() > 64 => wrong("is too long", "use at most 64 characters"),
            _ => Ok(Self(name)),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A type of values, which has a supertable of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Int,
    Double,
    Bool,
    Text,
    Bytes,
}

impl Column {
    pub(super) const ALL: [Self; 5] = [Self::Int, Self::Double, Self::Bool, Self::Text, Self::Bytes];

    fn of(value: &Value) -> Self {
        match value {
            Value::Int(_) => Self::Int,
            Value::Float(_) | Value::Double(_) => Self::Double,
            Value::Boolean(_) => Self::Bool,
            Value::String(_) => Self::Text,
            Value::Bytes(_) => Self::Bytes,
        }
    }

    /// The name of the supertable.
    fn supertable(self) -> &'static str {
        match self {
            Self::Int => "mapper_int",
            Self::Double => "mapper_double",
            Self::Bool => "mapper_bool",
            Self::Text => "mapper_text",
            Self::Bytes => "mapper_bytes",
        }
    }

    /// The type of `value`.
    fn sql_type(self) -> String {
        match self {
            Self::Int => "BIGINT".to_owned(),
            Self::Double => "DOUBLE".to_owned(),
            Self::Bool => "BOOL".to_owned(),
            Self::Text => format!("NCHAR({MAX_TEXT})"),
            Self::Bytes => format!("VARCHAR({MAX_BYTES})"),
        }
    }
}

/// The statements that make the database and the supertables where there are none.
pub(super) fn schema(database: &Database, keep_days: u64) -> Vec<String> {
    let tags = TAGS.map(|(name, length)| format!("`{name}` NCHAR({length})")).join(", ");
    let create = |column: Column| {
        let (name, sql_type) = (column.supertable(), column.sql_type());
        format!(
            "CREATE STABLE IF NOT EXISTS `{database}`.`{name}` \
             (`ts` TIMESTAMP, `value` {sql_type}, `quality` VARCHAR(16)) TAGS ({tags})"
        )
    };
    // A file holds DURATION days, ten by default, and KEEP must be three times that or more.
    let keep = match keep_days {
        0 => String::new(),
        days => format!(" KEEP {days}d DURATION {}d", (days / 3).clamp(1, 10)),
    };
    let mut statements = vec![format!("CREATE DATABASE IF NOT EXISTS `{database}` PRECISION 'ms'{keep}")];
    statements.extend(Column::ALL.map(create));
    statements
}

/// What a batch comes to, once all its statements are executed.
#[derive(Debug)]
pub(super) struct Inserts {
    pub(super) statements: Vec<String>,
    /// In the order of the records: those that are in no statement are rejected.
    pub(super) outcomes: Vec<Outcome>,
}

/// The statements that insert a batch, each as long as it may be.
pub(super) fn inserts(database: &Database, batch: &[Record]) -> Inserts {
    let mut groups: Vec<Group> = Vec::new();
    let mut by_table: HashMap<String, usize> = HashMap::new();
    let outcomes = batch.iter().map(|record| {
        let row = row(record)?;
        let (series, column) = (record.series(), Column::of(record.value()));
        let index = match by_table.entry(subtable(series, column)) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                groups.push(Group { clause: clause(database, entry.key(), column, series)?, rows: Vec::new() });
                *entry.insert(groups.len() - 1)
            }
        };
        groups[index].rows.push(row);
        Ok(Outcome::Accepted)
    });
    let outcomes = outcomes.map(|outcome| outcome.unwrap_or_else(Outcome::Rejected)).collect();
    Inserts { statements: statements(&groups), outcomes }
}

/// The rows for one subtable.
struct Group {
    /// All that stands before them.
    clause: String,
    rows: Vec<String>,
}

fn statements(groups: &[Group]) -> Vec<String> {
    let mut statements = Vec::new();
    let mut sql = String::new();
    for Group { clause, rows } in groups {
        let mut begun = false;
        for row in rows {
            if !sql.is_empty() && sql.len() + 1 + clause.len() + row.len() > MAX_STATEMENT {
                statements.push(std::mem::take(&mut sql));
                begun = false;
            }
            if sql.is_empty() {
                sql.push_str("INSERT INTO");
            }
            if !begun {
                sql.push(' ');
                sql.push_str(clause);
                begun = true;
            }
            sql.push_str(row);
        }
    }
    if !sql.is_empty() {
        statements.push(sql);
    }
    statements
}

/// The name of the subtable of a series: a hash of all that distinguishes it, each part with its length in front, so that no two
/// lists of parts run together to the same text.
fn subtable(series: &Series, column: Column) -> String {
    let mut hash = Sha256::new();
    for part in [column.supertable()].into_iter().chain(tags(series)) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t_{hex}")
}

/// The values of [`TAGS`].
fn tags(series: &Series) -> [&str; TAGS.len()] {
    let device = series.device();
    [device.namespace(), device.name(), series.property(), series.model().name(), series.unit()]
}

fn clause(database: &Database, table: &str, column: Column, series: &Series) -> Result<String, String> {
    let names = TAGS.map(|(name, _)| format!("`{name}`")).join(", ");
    let mut values = Vec::with_capacity(TAGS.len());
    for ((name, max), tag) in TAGS.into_iter().zip(tags(series)) {
        values.push(literal(&format_args!("the {name}"), tag, max)?);
    }
    let (supertable, values) = (column.supertable(), values.join(", "));
    Ok(format!(
        "`{database}`.`{table}` USING `{database}`.`{supertable}` ({names}) TAGS ({values}) (`ts`, `value`, `quality`) VALUES "
    ))
}

/// The values of a record in parentheses, or why TDengine has no place for them.
fn row(record: &Record) -> Result<String, String> {
    let millis = record.timestamp_ms();
    if !(0..=MAX_TIME).contains(&millis) {
        return Err(format!("the time, {millis} ms, is not between 1970 and 9999"));
    }
    let value = match record.value() {
        Value::Int(int) => int.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        // With an exponent where it is large or small, and not with hundreds of zeros.
        Value::Float(float) if float.is_finite() => format!("{float:?}"),
        // TDengine takes none that is as near to zero as that (0x0216).
        Value::Double(double) if double.is_subnormal() => "0.0".to_owned(),
        Value::Double(double) if double.is_finite() => format!("{double:?}"),
        Value::Float(_) | Value::Double(_) => return Err(format!("{} is not finite", record.value())),
        Value::String(text) => literal(&"the text", text, MAX_TEXT)?,
        bytes @ Value::Bytes(_) => literal(&"the value in base64", &bytes.to_string(), MAX_BYTES)?,
    };
    Ok(format!("('{}', {value}, '{}')", time(millis), record.quality()))
}

/// A text in quotes.
fn literal(what: &dyn fmt::Display, text: &str, max_chars: usize) -> Result<String, String> {
    let length = text.chars().count();
    if length > max_chars {
        return Err(format!("{what} has {length} characters, and at most {max_chars} fit"));
    }
    if text.contains('\0') {
        return Err(format!("{what} holds a NUL character, with which a statement ends for TDengine"));
    }
    Ok(format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")))
}

fn time(millis: i64) -> String {
    let since = Duration::from_millis(millis.clamp(0, MAX_TIME).unsigned_abs());
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

/// The newest rows of a supertable that a query asks for, newest first; `None` if there cannot be any.
pub(super) fn history(database: &Database, column: Column, query: &Query) -> Option<String> {
    let (from, to) = (query.from_ms(), query.to_ms());
    if to < 0 || from > MAX_TIME {
        return None;
    }
    // What has no literal was never written.
    let literal = |text| literal(&"", text, usize::MAX).ok();
    let properties: Vec<_> = query.series().iter().filter_map(|series| literal(series.property())).collect();
    if properties.is_empty() {
        return None;
    }
    let (namespace, device) = (literal(query.device().namespace())?, literal(query.device().name())?);
    let (supertable, properties, limit) = (column.supertable(), properties.join(", "), query.limit());
    let (from, to) = (time(from), time(to));
    Some(format!(
        "SELECT `ts`, `value`, `property` FROM `{database}`.`{supertable}` \
         WHERE `namespace` = {namespace} AND `device` = {device} AND `property` IN ({properties}) \
         AND `ts` >= '{from}' AND `ts` <= '{to}' ORDER BY `ts` DESC LIMIT {limit}"
    ))
}

/// Reads a row that [`history`] gives: the time, the value and the property. There is no value in a row that somebody else has
/// written without one.
///
/// # Errors
///
/// It is no such row.
pub(super) fn read_row(column: Column, row: &[Json]) -> Result<(i64, Option<Value>, &str), SinkError> {
    let read = || {
        let [Json::String(time), value, Json::String(property)] = row else { return None };
        Some((millis(time)?, read_value(column, value), property.as_str()))
    };
    read().ok_or_else(|| {
        let supertable = column.supertable();
        SinkError::failed(format_args!("a row of {supertable} does not begin with a time in UTC, or has no property"))
    })
}

fn millis(time: &str) -> Option<i64> {
    let time: SystemTime = humantime::parse_rfc3339(time).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

fn read_value(column: Column, value: &Json) -> Option<Value> {
    match column {
        Column::Int => value.as_i64().map(Value::Int),
        Column::Double => value.as_f64().map(Value::Double),
        Column::Bool => value.as_bool().map(Value::Boolean),
        Column::Text => value.as_str().map(Value::from),
        Column::Bytes => Value::parse(value.as_str()?, DataType::Bytes).ok(),
    }
}

#[cfg(test)]
mod tests;
