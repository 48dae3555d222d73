//! A reader of the one shape of Flux script that the sink writes, and what such a script gives.

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use humantime_serde::re::humantime::format_rfc3339_millis;

use super::{Field, StoredAt};

/// One stream of a script.
pub(super) struct Stream {
    pub(super) bucket: String,
    /// In nanoseconds; the end does not belong to it.
    range: (i64, i64),
    terms: BTreeMap<String, String>,
    limit: usize,
    name: String,
}

/// The streams of a script, or what is wrong with it.
pub(super) fn parse(script: &str) -> Result<Vec<Stream>, String> {
    let mut reader = Reader(script);
    let mut streams = Vec::new();
    while !reader.0.is_empty() {
        streams.push(reader.stream()?);
    }
    Ok(streams)
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn stream(&mut self) -> Result<Stream, String> {
        self.expect("from(bucket: ")?;
        let bucket = self.literal()?;
        self.expect(")\n  |> range(start: time(v: ")?;
        let start = self.number()?;
        self.expect("), stop: time(v: ")?;
        let stop = self.number()?;
        self.expect("))\n  |> filter(fn: (r) => ")?;
        let terms = self.terms()?;
        self.expect(")\n  |> toString()\n  |> group()\n  |> sort(columns: [\"_time\"], desc: true)\n  |> limit(n: ")?;
        let limit = self.number()?;
        self.expect(")\n  |> keep(columns: [\"_time\", \"_value\"])\n  |> yield(name: ")?;
        let name = self.literal()?;
        self.expect(")\n")?;
        if start >= stop {
            return Err("cannot query an empty range".to_owned());
        }
        let limit = usize::try_from(limit).map_err(|error| error.to_string())?;
        Ok(Stream { bucket, range: (start, stop), terms, limit, name })
    }

    fn terms(&mut self) -> Result<BTreeMap<String, String>, String> {
        let mut terms = BTreeMap::new();
        loop {
            self.expect("r[")?;
            let key = self.literal()?;
            self.expect("] == ")?;
            terms.insert(key, self.literal()?);
            if self.expect(" and ").is_err() {
                return Ok(terms);
            }
        }
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        let rest = self.0.strip_prefix(text);
        self.0 = rest.ok_or_else(|| format!("expected {text:?} at {:?}", self.0))?;
        Ok(())
    }

    fn number(&mut self) -> Result<i64, String> {
        let end = self.0.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(self.0.len());
        let (number, rest) = self.0.split_at(end);
        self.0 = rest;
        number.parse().map_err(|error| format!("{number:?}: {error}"))
    }

    fn literal(&mut self) -> Result<String, String> {
        self.expect("\"")?;
        let mut text = String::new();
        let mut characters = self.0.chars();
        loop {
            match characters.next().ok_or("a text has no end")? {
                '"' => break,
                '\\' => match characters.next() {
                    Some(escaped @ ('"' | '\\' | '$')) => text.push(escaped),
                    other => return Err(format!("{other:?} cannot be escaped")),
                },
                '$' if characters.as_str().starts_with('{') => return Err("an expression in a text".to_owned()),
                other => text.push(other),
            }
        }
        self.0 = characters.as_str();
        Ok(text)
    }
}

impl Stream {
    /// The stream's table in annotated CSV; nothing when it has no row.
    pub(super) fn csv(&self, points: &BTreeMap<StoredAt, BTreeMap<i64, Field>>) -> String {
        let nanos = |millis: i64| millis.saturating_mul(1_000_000);
        let mut rows: Vec<_> = points
            .iter()
            .filter(|(place, _)| self.is_about(place))
            .flat_map(|(_, points)| points)
            .filter(|(millis, _)| (self.range.0..self.range.1).contains(&nanos(**millis)))
            .collect();
        rows.sort_by_key(|(millis, _)| -**millis);
        rows.truncate(self.limit);
        if rows.is_empty() {
            return String::new();
        }
        let row = |(millis, value): &(&i64, &Field)| {
            let time = UNIX_EPOCH + Duration::from_millis(millis.unsigned_abs());
            format!(",,0,{},{}\r\n", format_rfc3339_millis(time), cell(&value.to_string()))
        };
        format!(
            "#datatype,string,long,dateTime:RFC3339,string\r\n#group,false,false,false,false\r\n#default,{},,,\r\n\
             ,result,table,_time,_value\r\n{}\r\n",
            cell(&self.name),
            rows.iter().map(row).collect::<String>()
        )
    }

    fn is_about(&self, place: &StoredAt) -> bool {
        self.terms.iter().all(|(key, wanted)| match key.as_str() {
            "_measurement" => &place.measurement == wanted,
            "_field" => &place.field == wanted,
            tag => place.tags.get(tag) == Some(wanted),
        })
    }
}

fn cell(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
