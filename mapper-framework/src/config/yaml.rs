//! The config file.
//!
//! The known keys guide the reader, so that it takes each value as it is written: `version: 1.10` stays `1.10`, `name: no` stays
//! `no`, and `http_port: "7777"` is as good as `http_port: 7777`.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{DefaultMessageFormatter, Location, MessageFormatter, Spanned};

use super::{
    ConfigError, ConfigWarning, Origin,
    renamed::{Renamed, Table},
    settings::{Settings, is_free, join},
    warning::nearest,
};

/// A section of old Go mappers, whose current framework ignores it, too.
const DEV_INIT: &str = "dev_init";

/// Lays the file's values over the settings.
pub(super) fn overlay(
    settings: &mut Settings,
    renamed: Table,
    name: &str,
    text: &str,
) -> Result<Vec<ConfigWarning>, ConfigError> {
    let mut found = Found::default();
    let options = serde_saphyr::options! { with_snippet: false };
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        Section { known: settings.known(), renamed, path: "", found: &mut found }.deserialize(deserializer)
    });
    if let Err(error) = read {
        return Err(found.explain(&error, name));
    }
    let names: Vec<String> = settings.sections().into_iter().chain(settings.keys()).collect();
    let mut warnings = found.warnings(name, &names);
    for (renamed, at, text) in found.renamed {
        warnings.push(renamed.judge(origin(name, at), format!("`{}`", renamed.new))?);
        if let Some(text) = text {
            settings.set(renamed.new, &text.value, origin(name, text.referenced));
        }
    }
    // The new names come last: where a file has both, they win.
    for (key, written, at) in found.values {
        match written {
            Written::Text(text) => settings.set(&key, &text, origin(name, at)),
            Written::Value(value) => settings.put(&key, value, origin(name, at)),
        }
    }
    Ok(warnings)
}

fn origin(name: &str, at: Location) -> Origin {
    Origin::File { name: name.to_owned(), line: at.line(), column: at.column() }
}

/// What the reader found in the file.
#[derive(Default)]
struct Found {
    values: Vec<(String, Written, Location)>,
    /// Keys under an old name, with where the name stands.
    renamed: Vec<(&'static Renamed, Location, Option<Spanned<String>>)>,
    unknown: Vec<(String, Location)>,
    /// The key whose value is being read, and what it must be.
    reading: Option<(String, &'static str)>,
}

/// A value, as text where that says it all.
enum Written {
    Text(String),
    Value(Value),
}

const SCALAR: &str = "found a list or a mapping, expected a single value";
const MAPPING: &str = "found a single value or a list, expected a mapping of keys to values";

impl Found {
    fn explain(self, error: &serde_saphyr::Error, name: &str) -> ConfigError {
        let error = error.without_snippet();
        let at = error.location().unwrap_or(Location::UNKNOWN);
        match (self.reading, error) {
            (Some((key, message)), serde_saphyr::Error::Unexpected { .. }) => {
                ConfigError::WrongType { key, origin: origin(name, at), message: message.to_owned() }
            }
            (_, error) => ConfigError::Syntax {
                name: name.to_owned(),
                line: at.line(),
                column: at.column(),
                message: DefaultMessageFormatter.format_message(error).into_owned(),
            },
        }
    }

    fn warnings(&self, name: &str, known: &[String]) -> Vec<ConfigWarning> {
        let warn = |(key, at): &(String, Location)| {
            let (key, origin) = (key.clone(), origin(name, *at));
            match key.as_str() {
                DEV_INIT => ConfigWarning::NoEffect { key, origin },
                _ => ConfigWarning::UnknownKey { nearest: nearest(&key, known), key, origin },
            }
        };
        self.unknown.iter().map(warn).collect()
    }
}

/// Reads a section, or nothing at all: a key without a value is an absent one.
struct Section<'a> {
    known: &'a Map<String, Value>,
    renamed: Table,
    path: &'a str,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Section<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.found.reading = Some((self.path.to_owned(), MAPPING));
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Section<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of keys to values")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.found.reading = None;
        while let Some(Spanned { value: key, referenced: at, .. }) = map.next_key::<Spanned<String>>()? {
            let path = join(self.path, &key);
            match self.known.get(&key) {
                Some(default) if is_free(default) => map.next_value_seed(Free { path, found: &mut *self.found })?,
                Some(Value::Object(known)) => map.next_value_seed(self.below(known, &path))?,
                Some(_) => map.next_value_seed(Scalar { path, found: &mut *self.found })?,
                None => self.visit_unknown(path, at, &mut map)?,
            }
            self.found.reading = None;
        }
        Ok(())
    }
}

impl Section<'_> {
    fn below<'a>(&'a mut self, known: &'a Map<String, Value>, path: &'a str) -> Section<'a> {
        Section { known, renamed: self.renamed, path, found: &mut *self.found }
    }

    /// Reads the value of a key that has another name now, or that never was one.
    fn visit_unknown<'de, A: MapAccess<'de>>(
        &mut self,
        key: String,
        at: Location,
        map: &mut A,
    ) -> Result<(), A::Error> {
        if let Some(renamed) = self.renamed.find_by(|old| old == key) {
            self.found.reading = Some((key, SCALAR));
            let text = map.next_value()?;
            self.found.renamed.push((renamed, at, text));
        } else if self.renamed.has_section(&key) {
            map.next_value_seed(self.below(&Map::new(), &key))?;
        } else {
            map.next_value::<IgnoredAny>()?;
            self.found.unknown.push((key, at));
        }
        Ok(())
    }
}

/// Reads a value as the text it is written as.
struct Scalar<'a> {
    path: String,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Scalar<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.found.reading = Some((self.path.clone(), SCALAR));
        if let Some(text) = Option::<Spanned<String>>::deserialize(deserializer)? {
            self.found.values.push((self.path, Written::Text(text.value), text.referenced));
        }
        Ok(())
    }
}

/// Reads a value of whatever form.
struct Free<'a> {
    path: String,
    found: &'a mut Found,
}

impl<'de> DeserializeSeed<'de> for Free<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if let Some(value) = Option::<Spanned<Value>>::deserialize(deserializer)? {
            self.found.values.push((self.path, Written::Value(value.value), value.referenced));
        }
        Ok(())
    }
}
