//! Holds a document against the shape of its kind, whatever is wrong with single keys of it.

use serde_json::{Map, Value, json};

use super::{Fault, keys, shape::Shape};

/// What a document comes to.
pub(super) struct Fit {
    /// The document without what does not fit, and without null.
    pub(super) value: Value,
    /// What does not fit.
    pub(super) faults: Vec<Fault>,
    /// Words that YAML takes for nothing, where text may stand: what is to be said of them should the text be needed.
    pub(super) nulls: Vec<Fault>,
}

/// Gives how the scalar at a field is written, where that is known.
pub(super) type Written<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Holds a document against a shape.
pub(super) fn fit(document: &Value, shape: &'static Shape, written: Written<'_>) -> Fit {
    let mut fitter = Fitter { document, root: shape, written, faults: Vec::new(), nulls: Vec::new() };
    let value = fitter.fit(document, shape, "").unwrap_or_default();
    Fit { value, faults: fitter.faults, nulls: fitter.nulls }
}

struct Fitter<'a> {
    document: &'a Value,
    root: &'static Shape,
    written: Written<'a>,
    faults: Vec<Fault>,
    nulls: Vec<Fault>,
}

impl Fitter<'_> {
    fn fit(&mut self, value: &Value, shape: &Shape, field: &str) -> Option<Value> {
        match (shape, value) {
            (Shape::Map(_) | Shape::MapWith(..) | Shape::OpenWith(_), Value::Object(map)) => {
                Some(self.map(map, shape, field))
            }
            (Shape::List(item), Value::Array(items)) => {
                let items = items.iter().enumerate();
                Some(items.map(|(index, value)| self.item(value, item, &format!("{field}[{index}]"))).collect())
            }
            (Shape::Texts, Value::Object(map)) => {
                let entries = map.iter().filter(|(_, value)| !value.is_null());
                let fitting = entries
                    .filter_map(|(key, value)| Some((key.clone(), self.fit(value, &Shape::Text, &below(field, key))?)));
                Some(Value::Object(fitting.collect()))
            }
            (Shape::Word, Value::String(text)) if text.is_empty() => {
                self.fault(field, "is empty, and the API server refuses it", "write one of its words, or take it out");
                None
            }
            (Shape::Word | Shape::Text, Value::String(_))
            | (Shape::Open, Value::Object(_))
            | (Shape::Flag, Value::Bool(_)) => Some(value.clone()),
            (Shape::Long | Shape::Int, Value::Number(_)) => self.number(value, shape, field),
            _ => {
                self.misfit(value, shape, field);
                None
            }
        }
    }

    fn map(&mut self, map: &Map<String, Value>, shape: &Shape, field: &str) -> Value {
        let known = shape.keys().unwrap_or_default();
        let mut fitting = Map::new();
        for (key, value) in map {
            let place = below(field, key);
            match known.iter().find(|(name, _)| name == key) {
                // The API server takes null for an absent key.
                Some((_, shape)) if value.is_null() => self.null(shape, &place),
                Some((_, shape)) => {
                    fitting.extend(self.fit(value, shape, &place).map(|value| (key.clone(), value)));
                }
                None if matches!(shape, Shape::OpenWith(_)) => {}
                None => {
                    let cure = keys::unknown(self.root, known, field, key);
                    self.fault(&place, "there is no such key here, and the API server refuses it", cure);
                }
            }
        }
        if let Shape::MapWith(needed, _) = shape
            && map.get(*needed).is_none_or(Value::is_null)
        {
            let place = below(field, needed);
            let (message, cure) = match self.nulls.iter().find(|null| null.field == place) {
                Some(null) => (null.message.clone(), null.cure.clone()),
                None => ("missing".to_owned(), "add it".to_owned()),
            };
            self.fault(&place, &message, cure);
        }
        Value::Object(fitting)
    }

    fn null(&mut self, shape: &Shape, field: &str) {
        if let (Shape::Text | Shape::Word, Some(word)) = (shape, (self.written)(field)) {
            let message = format!("found {word}, which YAML takes for nothing");
            self.nulls.push(Fault::new(field, message, null_cure(&word)));
        }
    }

    /// An item that does not fit leaves an empty one, so that those behind it keep their places.
    fn item(&mut self, value: &Value, shape: &Shape, field: &str) -> Value {
        let empty = || if matches!(shape, Shape::Text) { json!("") } else { json!({}) };
        self.fit(value, shape, field).unwrap_or_else(empty)
    }

    /// An integer, which may be written with a fraction of zero.
    fn number(&mut self, value: &Value, shape: &Shape, field: &str) -> Option<Value> {
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        let float = value.as_f64().filter(|float| float.fract() == 0.0 && (-LIMIT..LIMIT).contains(float));
        let Some(number) = value.as_i64().or(float.map(|float| float as i64)) else {
            self.misfit(value, shape, field);
            return None;
        };
        if matches!(shape, Shape::Int) && i32::try_from(number).is_err() {
            let message = format!("{number} is beyond the 32 bits that edgecore has for it");
            self.fault(field, &message, "write a number from -2147483648 to 2147483647");
            return None;
        }
        Some(number.into())
    }

    fn misfit(&mut self, value: &Value, shape: &Shape, field: &str) {
        let plain = match value {
            Value::Null => "nothing".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "a mapping of keys to values".to_owned(),
            Value::Bool(_) | Value::String(_) | Value::Number(_) => value.to_string(),
        };
        // Text is shown by its value: nobody takes it for something else.
        let written = if value.is_string() { None } else { (self.written)(field) };
        let found = match &written {
            Some(written) if *written != plain => format!("{written}, which YAML takes for {plain}"),
            _ => plain.clone(),
        };
        let message = format!("found {found}, expected {}", shape.words());
        self.fault(field, &message, cure(value, shape, written.as_deref().unwrap_or(&plain)));
    }

    fn fault(&mut self, field: &str, message: &str, cure: impl Into<String>) {
        let property = self.property(field);
        self.faults.push(Fault { property, field: field.to_owned(), message: message.to_owned(), cure: cure.into() });
    }

    /// The name of the property that a field belongs to.
    fn property(&self, field: &str) -> Option<String> {
        let index = field.strip_prefix("spec.properties[")?.split(']').next()?.parse::<usize>().ok()?;
        self.document.get("spec")?.get("properties")?.get(index)?.get("name")?.as_str().map(str::to_owned)
    }
}

fn below(field: &str, key: &str) -> String {
    if field.is_empty() { key.to_owned() } else { format!("{field}.{key}") }
}

fn null_cure(word: &str) -> String {
    format!("quote it if it is meant: \"{word}\", or give it a value")
}

/// What to do about a value of another type, by how it is written.
fn cure(value: &Value, shape: &Shape, written: &str) -> String {
    match (shape, value) {
        (Shape::Text | Shape::Word, Value::Number(_) | Value::Bool(_)) => format!("quote it: \"{written}\""),
        (Shape::Text | Shape::Word, Value::Null) if written != "nothing" => null_cure(written),
        (Shape::Long | Shape::Int, Value::String(text)) => match text.trim().parse::<i64>() {
            Ok(number) => format!("write it without quotes: {number}"),
            Err(_) => "write digits only".to_owned(),
        },
        (Shape::Long | Shape::Int, Value::Number(_)) => "write a whole number of at most 64 bits".to_owned(),
        (Shape::Flag, Value::String(_)) => "write true or false, without quotes".to_owned(),
        (_, Value::Null) => "give it a value, or take it out".to_owned(),
        (Shape::List(_), Value::Object(_)) => "write each item on a line that begins with -".to_owned(),
        (_, Value::Array(_)) => "take the - away".to_owned(),
        (Shape::MapWith(key, _) | Shape::Map([(key, Shape::Text)]), Value::String(_)) => {
            format!("indent it below, as {key}: {written}")
        }
        (Shape::MapWith(key, _) | Shape::Map([(key, Shape::Text)]), Value::Number(_) | Value::Bool(_)) => {
            format!("indent it below, as {key}: \"{written}\"")
        }
        _ => "indent its keys or items below it".to_owned(),
    }
}
