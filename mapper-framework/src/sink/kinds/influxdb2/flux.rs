//! History: a Flux script, and the annotated CSV that answers it.

use std::sync::Arc;

use humantime_serde::re::humantime::parse_rfc3339;
use serde_json::json;

use crate::model::Value;

use super::super::super::{Point, Query, Series, SinkError, record::to_millis};
use super::line::PointTemplate;

/// The body of a query's request.
///
/// # Errors
///
/// A route is none of this kind.
pub(super) fn request(bucket: &str, query: &Query) -> Result<Vec<u8>, SinkError> {
    let body = json!({
        "type": "flux",
        "query": script(bucket, query)?,
        "dialect": {"header": true, "delimiter": ",", "annotations": ["datatype", "group", "default"], "dateTimeFormat": "RFC3339"},
    });
    Ok(body.to_string().into_bytes())
}

/// One stream for each series, named by its number. A field has another type in each, so that they cannot be one table; as text they
/// could, but which series a row is of would have to be guessed from its tags.
fn script(bucket: &str, query: &Query) -> Result<String, SinkError> {
    let streams = query.series().iter().enumerate();
    streams.map(|(number, series)| Ok(stream(bucket, &series.route()?, number, query))).collect()
}

fn stream(bucket: &str, place: &PointTemplate, number: usize, query: &Query) -> String {
    let fixed = [("_measurement", &place.measurement), ("_field", &place.field)];
    let tags = place.tags.iter().map(|(key, value)| (key.as_str(), value));
    let terms = fixed.into_iter().chain(tags).map(|(key, value)| format!("r[{}] == {}", quoted(key), quoted(value)));
    format!(
        "from(bucket: {bucket})
  |> range(start: time(v: {start}), stop: time(v: {stop}))
  |> filter(fn: (r) => {terms})
  |> toString()
  |> group()
  |> sort(columns: [\"_time\"], desc: true)
  |> limit(n: {limit})
  |> keep(columns: [\"_time\", \"_value\"])
  |> yield(name: \"{number}\")
",
        bucket = quoted(bucket),
        start = nanos(query.from_ms()),
        stop = nanos(query.to_ms().saturating_add(1)),
        terms = terms.collect::<Vec<_>>().join(" and "),
        limit = query.limit(),
    )
}

/// The earliest and the latest time that InfluxDB knows, in nanoseconds.
const FIRST: i64 = -9_223_372_036_854_775_806;
const LAST: i64 = 9_223_372_036_854_775_806;

fn nanos(millis: i64) -> i64 {
    millis.saturating_mul(1_000_000).clamp(FIRST, LAST)
}

/// A text as a literal. A dollar sign would begin an expression.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted + "\""
}

/// The points of an answer, oldest first, the newest of all series.
///
/// # Errors
///
/// It is no answer to the query: not annotated CSV, an error that has come in the middle, or a value of another type.
pub(super) fn points(csv: &str, query: &Query) -> Result<Vec<Point>, SinkError> {
    let unusable = |what: String| SinkError::failed(format_args!("the answer of InfluxDB cannot be used: {what}"));
    let mut points = Vec::new();
    for row in rows(csv).map_err(unusable)? {
        let series = row.result.parse().ok().and_then(|number: usize| query.series().get(number));
        let series =
            series.ok_or_else(|| unusable(format!("it holds the result {:?}, which was not asked for", row.result)))?;
        points.push(point(series, &row).map_err(unusable)?);
    }
    points.sort_by_key(|point| point.timestamp_ms);
    points.drain(..points.len().saturating_sub(query.limit()));
    Ok(points)
}

fn point(series: &Arc<Series>, row: &Row) -> Result<Point, String> {
    let time = parse_rfc3339(&row.time).map_err(|error| format!("the time {:?}: {error}", row.time))?;
    let value = Value::parse(&row.value, series.data_type());
    let value = value.map_err(|error| format!("{} at {}: {error}", series.property(), row.time))?;
    Ok(Point::new(series.property(), value, to_millis(time)))
}

#[derive(Debug, PartialEq)]
struct Row {
    result: String,
    time: String,
    value: String,
}

/// The rows of all tables. A table begins with its annotations and its header, and ends with an empty line.
fn rows(csv: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let mut defaults: Vec<String> = Vec::new();
    let mut header: Option<Vec<String>> = None;
    for record in records(csv)? {
        if record.iter().all(String::is_empty) {
            (defaults, header) = (Vec::new(), None);
        } else if record[0].starts_with('#') {
            if record[0] == "#default" {
                defaults = record;
            }
            // Annotations without an empty line before them begin a table, too.
            header = None;
        } else if let Some(header) = &header {
            rows.push(row(header, &defaults, &record)?);
        } else {
            header = Some(record);
        }
    }
    Ok(rows)
}

fn row(header: &[String], defaults: &[String], record: &[String]) -> Result<Row, String> {
    if record.len() != header.len() {
        return Err(format!("a row has {} columns, and its header {}", record.len(), header.len()));
    }
    let cell = |name: &str| {
        let at = header.iter().position(|column| column == name)?;
        let default = || defaults.get(at).map_or("", String::as_str);
        Some(if record[at].is_empty() { default() } else { &record[at] }.to_owned())
    };
    if let Some(error) = cell("error") {
        return Err(format!("it ends with the error {error:?}"));
    }
    let column = |name| cell(name).ok_or_else(|| format!("a table has no column {name:?}"));
    Ok(Row { result: column("result")?, time: column("_time")?, value: column("_value")? })
}

/// CSV as RFC 4180 has it, with an empty line as a record of one empty cell.
fn records(csv: &str) -> Result<Vec<Vec<String>>, String> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut rest = csv;
    while !rest.is_empty() {
        let (cell, after) = cell(rest)?;
        record.push(cell);
        rest = match after.strip_prefix(',') {
            // A comma at the very end has an empty cell behind it.
            Some("") => {
                record.push(String::new());
                ""
            }
            Some(more) => {
                rest = more;
                continue;
            }
            None => after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')).unwrap_or(after),
        };
        records.push(std::mem::take(&mut record));
    }
    Ok(records)
}

/// The first cell, and what follows it: a comma, the end of a line, or nothing.
fn cell(text: &str) -> Result<(String, &str), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let end = if text[..end].ends_with('\r') { end - 1 } else { end };
        return match &text[..end] {
            cell if cell.contains(['"', '\r']) => {
                Err(format!("a quote or a carriage return stands within the cell {cell:?}"))
            }
            cell => Ok((cell.to_owned(), &text[end..])),
        };
    };
    let mut cell = String::new();
    loop {
        let (part, after) = rest.split_once('"').ok_or("a quoted cell has no end")?;
        cell.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                cell.push('"');
                rest = more;
            }
            None if after.is_empty() || after.starts_with([',', '\n']) || after.starts_with("\r\n") => {
                return Ok((cell, after));
            }
            None => return Err(format!("something follows the quoted cell {cell:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use crate::{
        model::{DataType, Device, Influxdb2Push, Property},
        sink::{Route, Target},
    };

    use super::*;

    fn query(limit: usize) -> Query {
        let all = [("pressure", DataType::Double), ("note $x \"1\"", DataType::String)];
        let series = all.map(|(name, data_type)| {
            let (device, property) = (Device::builder("boiler").build(), Property::builder(name, data_type).build());
            let push = Influxdb2Push { measurement: "m".into(), ..Influxdb2Push::default() };
            let place = PointTemplate::new(&device, &property, &push).unwrap();
            Arc::new(Series::new(&device, &property, Route::to(Target::new("influxdb2", &"here")).with(&place)))
        });
        let time = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        Query::new(series.into(), time(1_700_000_000_000), time(1_700_000_001_000), limit)
    }

    fn facts(csv: &str, limit: usize) -> Vec<(String, String, i64)> {
        let points = points(csv, &query(limit)).unwrap();
        points.into_iter().map(|point| (point.property, point.value.to_string(), point.timestamp_ms)).collect()
    }

    const ANSWER: &str = "#datatype,string,long,dateTime:RFC3339,string\r\n#group,false,false,false,false\r\n\
        #default,0,,,\r\n,result,table,_time,_value\r\n,,0,2023-11-14T22:13:20.123Z,2.5\r\n,,0,2023-11-14T22:13:20Z,-1.5e-7\r\n\r\n\
        #datatype,string,long,dateTime:RFC3339,string\r\n#group,false,false,false,false\r\n#default,1,,,\r\n\
        ,result,table,_time,_value\r\n,,0,2023-11-14T22:13:20.1Z,\"a \"\"quoted\"\",\nin two lines\"\r\n\r\n";

    #[test]
    fn the_script_looks_as_it_did() {
        let golden = include_str!("../../../../tests/golden/influxdb2/history.flux");
        assert_eq!(script("the \"bucket\"", &query(100)).unwrap(), golden);
    }

    #[test]
    fn rows_become_points_oldest_first_and_the_newest_are_kept() {
        let first = ("pressure".to_owned(), "-0.00000015".to_owned(), 1_700_000_000_000);
        let second = ("note $x \"1\"".to_owned(), "a \"quoted\",\nin two lines".to_owned(), 1_700_000_000_100);
        let third = ("pressure".to_owned(), "2.5".to_owned(), 1_700_000_000_123);
        assert_eq!(facts(ANSWER, 100), [first, second.clone(), third.clone()]);
        assert_eq!(facts(ANSWER, 2), [second, third]);
    }

    #[test]
    fn nothing_is_an_answer_and_so_is_one_without_annotations() {
        assert_eq!(facts("\r\n", 1), []);
        assert_eq!(facts("", 1), []);
        let plain = ",result,table,_time,_value\n,0,0,2023-11-14T22:13:20Z,7";
        assert_eq!(facts(plain, 1), [("pressure".to_owned(), "7".to_owned(), 1_700_000_000_000)]);
    }

    #[test]
    fn what_is_no_answer_is_told_as_it_is() {
        for (csv, part) in [
            ("error,reference\nthe query died,897\n", "the query died"),
            (",result,table,_time,_value\n,0,0,2023-11-14T22:13:20Z\n", "4 columns"),
            (",result,table,_time\n,0,0,2023-11-14T22:13:20Z\n", "\"_value\""),
            (",result,table,_time,_value\n,7,0,2023-11-14T22:13:20Z,1\n", "\"7\""),
            (",result,table,_time,_value\n,0,0,yesterday,1\n", "yesterday"),
            (",result,table,_time,_value\n,0,0,2023-11-14T22:13:20Z,x\n", "pressure at 2023"),
            ("a,\"b", "has no end"),
            ("a,\"b\"c", "something follows"),
            ("a,b\"c", "stands within"),
        ] {
            let error = points(csv, &query(1)).unwrap_err();
            assert!(error.is_retryable() && error.to_string().contains(part), "{csv:?}: {error}");
        }
    }

    #[test]
    fn a_cell_is_read_whatever_it_holds() {
        let read = |csv| records(csv).unwrap();
        assert_eq!(read("a,,c\n"), [["a", "", "c"]]);
        assert_eq!(read("a,\r\n,b"), [["a", ""], ["", "b"]]);
        assert_eq!(read("\"\",\",\"\"\r\n\"\n"), [["", ",\"\r\n"]]);
        assert_eq!(read("a\n\nb"), [["a"], [""], ["b"]]);
        assert_eq!(read("a,"), [["a", ""]]);
    }

    #[test]
    fn times_stay_within_what_influxdb_knows() {
        assert_eq!(nanos(1_700_000_000_123), 1_700_000_000_123_000_000);
        assert_eq!((nanos(i64::MIN), nanos(i64::MAX)), (FIRST, LAST));
    }
}
