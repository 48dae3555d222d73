//! What the two layouts have in common: rows, names, and how many rows go into a statement.

use std::collections::BTreeMap;

use mysql_async::Value;

use super::super::super::{Query, Record};

/// The most characters in the name of a database or a table.
pub(super) const MAX_NAME: usize = 64;

/// The most rows in one statement, which is what a batch has by default. MySQL takes 65,535 placeholders.
const MAX_ROWS: usize = 500;

/// Many rows go by the hundred.
const HUNDRED: usize = 100;

/// The most bytes in one statement, unless a single row has more or the server takes less.
const MAX_BYTES: usize = 1 << 20;

/// From when the times are counted. The server does the calendar.
pub(super) const EPOCH: &str = "TIMESTAMP'1970-01-01 00:00:00'";

/// The first and the last millisecond that a `DATETIME(3)` can hold, the years 1000 and 9999.
const TIMES: (i64, i64) = (-30_610_224_000_000, 253_402_300_799_999);

/// Which tables there are, and how a record becomes a row.
pub(super) trait Layout: Send + Sync {
    /// The quoted name of a record's table.
    fn table(&self, record: &Record) -> String;

    /// The statement that makes a table if there is none.
    fn create(&self, table: &str) -> String;

    /// The statement that adds this many rows.
    fn insert(&self, table: &str, rows: usize) -> String;

    /// The values of a record's row.
    fn row(&self, record: &Record) -> Vec<Value>;

    /// The statements that read a history: property, text and milliseconds, newest first.
    fn selects(&self, query: &Query) -> Vec<Select>;
}

/// A statement that reads, with its values.
#[derive(Debug, PartialEq)]
pub(super) struct Select {
    pub(super) statement: String,
    pub(super) values: Vec<Value>,
}

/// A row to insert.
pub(super) struct Row {
    pub(super) values: Vec<Value>,
    /// About how many bytes it takes in a statement.
    pub(super) bytes: usize,
}

/// Rows by the quoted name of their table.
pub(super) type Tables = BTreeMap<String, Vec<Row>>;

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Self {
        let bytes_of = |value: &Value| match value {
            Value::Bytes(bytes) => bytes.len() + 9,
            _ => 12,
        };
        let bytes = values.iter().map(bytes_of).sum();
        Self { values, bytes }
    }
}

/// Cuts rows into what one statement takes: hundreds, and of the rest a power of two, so that a dozen of prepared statements serves for
/// all batches and a full one needs a single statement.
/// `room` is the number of bytes for which the server has room; no row has more.
pub(super) fn cut(mut rows: &[Row], room: usize) -> impl Iterator<Item = &[Row]> {
    let room = room.min(MAX_BYTES);
    std::iter::from_fn(move || {
        let mut count = round_down(rows.len().min(MAX_ROWS))?;
        while count > 1 && rows[..count].iter().map(|row| row.bytes).sum::<usize>() > room {
            count = round_down(count - 1)?;
        }
        let (now, later) = rows.split_at(count);
        rows = later;
        Some(now)
    })
}

/// The most rows for which there is a statement, of so many; none of none.
fn round_down(rows: usize) -> Option<usize> {
    if rows >= HUNDRED { Some(rows / HUNDRED * HUNDRED) } else { Some(1 << rows.checked_ilog2()?) }
}

/// A name as it stands in a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A time as the value for `TIMESTAMPADD(MICROSECOND, ?, …)`.
pub(super) fn micros(millis: i64) -> Value {
    Value::Int(millis.saturating_mul(1_000))
}

/// The same for one end of a range, which may lie where no time of a row can.
pub(super) fn bound(millis: i64) -> Value {
    micros(millis.clamp(TIMES.0, TIMES.1))
}

/// `(?, …), (?, …)` with this many rows.
pub(super) fn rows_of(row: &str, rows: usize) -> String {
    vec![row; rows].join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use std::{
        sync::Arc,
        time::{Duration, UNIX_EPOCH},
    };

    use crate::{
        model::{self, DataType, Device, DeviceId, Property},
        sink::{Route, Series, Target},
    };

    use super::*;

    /// The series of a property of the device `plant/boiler`.
    pub(in super::super) fn series(property: &str, data_type: DataType) -> Arc<Series> {
        let property = Property::builder(property, data_type).unit("bar").build();
        let mut device = Device::builder("boiler").property(property.clone()).build();
        device.id = DeviceId::new("plant", "boiler");
        Arc::new(Series::new(&device, &property, Route::to(Target::new("mysql", &()))))
    }

    pub(in super::super) fn record(property: &str, data_type: DataType, value: impl Into<model::Value>) -> Record {
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        Record::new(series(property, data_type), value.into(), time)
    }

    /// The last hour before that record, and itself.
    pub(in super::super) fn last_hour(series: Vec<Arc<Series>>) -> Query {
        let to = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        Query::new(series, to - Duration::from_secs(3600), to, 100)
    }

    fn sizes(rows: &[Row]) -> Vec<usize> {
        cut(rows, usize::MAX).map(<[Row]>::len).collect()
    }

    fn rows(count: usize, bytes: usize) -> Vec<Row> {
        (0..count).map(|_| Row { values: Vec::new(), bytes }).collect()
    }

    #[test]
    fn rows_are_cut_into_hundreds_and_powers_of_two() {
        assert_eq!(sizes(&rows(500, 100)), [500]);
        assert_eq!(sizes(&rows(1_399, 100)), [500, 500, 300, 64, 32, 2, 1]);
        assert!(sizes(&[]).is_empty());
    }

    #[test]
    fn large_rows_go_in_few_at_a_time() {
        assert_eq!(sizes(&rows(7, MAX_BYTES / 2)), [2, 2, 2, 1]);
        assert_eq!(sizes(&rows(2, MAX_BYTES * 3)), [1, 1]);
        let of_a_small_server: Vec<_> = cut(&rows(8, 400), 1_000).map(<[Row]>::len).collect();
        assert_eq!(of_a_small_server, [2, 2, 2, 2]);
    }

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(quoted("x`; DROP"), "`x``; DROP`");
    }

    #[test]
    fn the_ends_of_a_range_are_times_that_the_server_knows() {
        assert_eq!(bound(i64::MAX), Value::Int(253_402_300_799_999_000));
        assert_eq!(bound(i64::MIN), Value::Int(-30_610_224_000_000_000));
        assert_eq!(bound(-5), Value::Int(-5_000));
    }
}
