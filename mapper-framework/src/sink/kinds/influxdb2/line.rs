//! Line protocol: where a property's points lie, and a record as a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Device, Influxdb2Push, Property, Value};

use super::super::super::{Outcome, Record, RouteError, SinkError};

/// All of a point but its value and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PointTemplate {
    pub(super) measurement: String,
    /// None with an empty value. In the order of their keys, which the database likes best.
    pub(super) tags: BTreeMap<String, String>,
    pub(super) field: String,
}

impl PointTemplate {
    /// Where a manifest wants a property's points.
    ///
    /// # Errors
    ///
    /// A name has no form in line protocol.
    pub(super) fn new(device: &Device, property: &Property, push: &Influxdb2Push) -> Result<Self, RouteError> {
        let or = |text: &str, default: &str| if text.is_empty() { default } else { text }.to_owned();
        let id = device.id();
        let own = [("namespace", id.namespace()), ("device", id.name()), ("property", property.name())];
        let mut tags: BTreeMap<_, _> = own.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        tags.extend(push.tags.clone());
        tags.retain(|_, value| !value.is_empty());
        let place = Self {
            measurement: or(&push.measurement, device.model().name()),
            tags,
            field: or(&push.field_key, property.name()),
        };
        place.check()?;
        Ok(place)
    }

    fn check(&self) -> Result<(), RouteError> {
        const CONFIG: &str = "pushMethod.dbMethod.influxdb2.influxdb2DataConfig";
        let refuse = |field: &str, what: &str, why: String| {
            Err(RouteError::new(format!("{CONFIG}.{field}"), format_args!("the {what} {why}"))
                .with_cure("write another"))
        };
        if let Some(why) = misfit(&self.measurement, &[]) {
            return refuse("measurement", "measurement", why);
        }
        if self.measurement.starts_with('#') {
            return refuse("measurement", "measurement", "begins with #, as a comment does".to_owned());
        }
        for (key, value) in &self.tags {
            if let Some(why) = misfit(key, &["time", "_measurement", "_field"]) {
                return refuse("tag", &format!("key {key:?}"), why);
            }
            if let Some(why) = misfit(value, &[]) {
                return refuse("tag", &format!("value of {key}"), why);
            }
        }
        misfit(&self.field, &["time"]).map_or(Ok(()), |why| refuse("fieldKey", "field key", why))
    }
}

/// Why a name has no form in line protocol, and the cure; `None` if it has one.
fn misfit(name: &str, reserved: &[&str]) -> Option<String> {
    let escapes = |(at, _): (usize, &str)| name[at + 1..].chars().next().is_none_or(|next| SPECIAL.contains(&next));
    if name.is_empty() {
        Some("is empty".to_owned())
    } else if reserved.contains(&name) {
        Some(format!("is {name:?}, which InfluxDB keeps for itself"))
    } else if name.contains(char::is_control) {
        Some(format!("{name:?} holds a control character, such as a line break, which has no form in line protocol"))
    } else if name.match_indices('\\').any(escapes) {
        Some(format!("{name:?} holds a backslash where it would escape what follows"))
    } else {
        None
    }
}

/// The lines of the records that have one, and what has become of the records if the lines are taken.
pub(super) fn batch(records: &[Record]) -> (String, Vec<Outcome>) {
    let mut lines = String::new();
    let outcomes = records.iter().map(|record| match line(record) {
        Ok(line) => {
            lines.push_str(&line);
            Outcome::Accepted
        }
        Err(error) => Outcome::rejected(error),
    });
    let outcomes = outcomes.collect();
    (lines, outcomes)
}

/// A record as a line, with its end.
fn line(record: &Record) -> Result<String, SinkError> {
    let place: PointTemplate = record.route()?;
    place.check().map_err(SinkError::rejected)?;
    let mut line = escaped(&place.measurement, &[',', ' ']);
    for (key, value) in &place.tags {
        line = line + "," + &escaped(key, &SPECIAL) + "=" + &escaped(value, &SPECIAL);
    }
    let (field, value) = (escaped(&place.field, &SPECIAL), field(record.value())?);
    Ok(line + &format!(" {field}={value} {}\n", record.timestamp_ms()))
}

/// What ends a key or the value of a tag.
const SPECIAL: [char; 3] = [',', '=', ' '];

fn escaped(name: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(name.len());
    for character in name.chars() {
        if special.contains(&character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn field(value: &Value) -> Result<String, SinkError> {
    let float = |number: f64, text: String| {
        if number.is_finite() {
            Ok(text)
        } else {
            Err(SinkError::rejected(format_args!("{text} has no form in line protocol")))
        }
    };
    match value {
        Value::Int(int) => Ok(format!("{int}i")),
        // As `Debug` writes it, with an exponent where the number is far from 1.
        Value::Float(number) => float(f64::from(*number), format!("{number:?}")),
        Value::Double(number) => float(*number, format!("{number:?}")),
        Value::Boolean(boolean) => Ok(boolean.to_string()),
        text @ (Value::String(_) | Value::Bytes(_)) => Ok(format!("\"{}\"", escaped(&text.to_string(), &['"', '\\']))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{
        model::{DataType, ModelId},
        sink::{Route, Series, Target, record::from_millis},
    };

    use super::*;

    fn push(measurement: &str, field_key: &str, tags: &[(&str, &str)]) -> Influxdb2Push {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Influxdb2Push { measurement: measurement.into(), field_key: field_key.into(), tags, ..Influxdb2Push::default() }
    }

    fn place(property: &str, push: &Influxdb2Push) -> Result<PointTemplate, RouteError> {
        let mut device = Device::builder("boiler").build();
        device.model = ModelId::new("plant", "boiler-model");
        PointTemplate::new(&device, &Property::builder(property, DataType::String).build(), push)
    }

    fn record(property: &str, push: &Influxdb2Push, value: impl Into<Value>) -> Record {
        let property_of = Property::builder(property, DataType::String).build();
        let route = Route::to(Target::new("influxdb2", &"here")).with(&place(property, push).unwrap());
        let series = Series::new(&Device::builder("boiler").build(), &property_of, route);
        Record::new(Arc::new(series), value.into(), from_millis(1_700_000_000_123))
    }

    #[test]
    fn a_value_of_each_type_looks_as_it_did() {
        let plain = push("", "", &[]);
        let records = [
            record("int", &plain, 42),
            record("int", &plain, i64::MIN),
            record("float", &plain, 0.1_f32),
            record("double", &plain, 2.0),
            record("double", &plain, -1.5e-7),
            record("double", &plain, f64::MAX),
            record("boolean", &plain, true),
            record("string", &plain, ""),
            record("string", &plain, "it's \"quoted\", a back\\slash = 21 °C\nin two lines"),
            record("bytes", &plain, vec![0, 1, 254, 255]),
        ];
        let (lines, outcomes) = batch(&records);
        assert_eq!(lines, include_str!("../../../../tests/golden/influxdb2/values.lp"));
        assert_eq!(outcomes, Outcome::accepted(records.len()));
    }

    #[test]
    fn names_look_as_they_did() {
        let records = [
            record("pressure", &push("m", "value", &[("hall", "7"), ("device", "other"), ("none", "")]), 1),
            record("a,b=c d", &push("", "", &[]), 1),
            record("it's \"quoted\"", &push("m,n o=p", "", &[("k,l=m n", "größe \"1\", = ü")]), 1),
            record("back\\slash", &push("C:\\temp", "", &[]), 1),
            record("time", &push("", "value", &[]), 1),
        ];
        assert_eq!(batch(&records).0, include_str!("../../../../tests/golden/influxdb2/names.lp"));
    }

    #[test]
    fn a_name_without_a_form_is_refused_with_its_field_and_the_cure() {
        let plain = push("", "", &[]);
        for (property, push, field, part) in [
            ("p", push("a\nb", "", &[]), "measurement", "line break"),
            ("p", push("#m", "", &[]), "measurement", "comment"),
            ("p", push("m\\", "", &[]), "measurement", "backslash"),
            ("p", push("", "time", &[]), "fieldKey", "keeps for itself"),
            ("time", plain.clone(), "fieldKey", "keeps for itself"),
            ("p", push("", "f\\=", &[]), "fieldKey", "backslash"),
            ("p", push("", "", &[("_field", "1")]), "tag", "keeps for itself"),
            ("p", push("", "", &[("", "1")]), "tag", "is empty"),
            ("p", push("", "", &[("k", "a\\ b")]), "tag", "backslash"),
            ("two\nlines", push("", "f", &[]), "tag", "the value of property"),
        ] {
            let error = place(property, &push).unwrap_err();
            assert_eq!(error.field, format!("pushMethod.dbMethod.influxdb2.influxdb2DataConfig.{field}"), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn a_record_without_a_line_is_rejected_and_the_others_are_not() {
        let plain = push("", "", &[]);
        let records = [record("p", &plain, 1), record("p", &plain, f64::NAN), record("p", &plain, 2)];
        let (lines, outcomes) = batch(&records);
        assert_eq!(lines.lines().count(), 2);
        assert!(matches!(&outcomes[1], Outcome::Rejected(reason) if reason.contains("NaN")), "{outcomes:?}");
        assert_eq!((&outcomes[0], &outcomes[2]), (&Outcome::Accepted, &Outcome::Accepted));
    }
}
