//! Mappings from which keys are taken one by one, so that none is lost without a note.

use serde_json::{Map, Value};

use super::note::Notes;
use crate::manifest::yaml::Yaml;

/// The keys of a mapping that are not converted yet.
#[derive(Debug)]
pub(super) struct Fields {
    /// Where the mapping stands, such as `spec.properties[1]`; empty for the resource itself.
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    /// The mapping at a path. Anything else that stands there is noted.
    pub(super) fn of(path: &str, value: Option<Value>, notes: &mut Notes) -> Self {
        let map = match value {
            Some(Value::Object(map)) => map,
            None | Some(Value::Null) => Map::new(),
            Some(other) => {
                notes.left_out(path, &other, "a mapping of keys to values is expected there", "correct it");
                Map::new()
            }
        };
        Self { path: path.to_owned(), map }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The place of a key.
    pub(super) fn path(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }

    /// A text, which stays where it is.
    pub(super) fn peek(&self, key: &str) -> &str {
        self.map.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn as_map(&self) -> &Map<String, Value> {
        &self.map
    }

    /// The value of a key, unless it is absent or null.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key).filter(|value| !value.is_null())
    }

    /// A scalar as text; empty where there is none.
    pub(super) fn text(&mut self, key: &str) -> String {
        match self.map.get(key) {
            Some(Value::Array(_) | Value::Object(_)) | None => String::new(),
            Some(_) => match self.take(key) {
                Some(Value::String(text)) => text,
                Some(other) => other.to_string(),
                None => String::new(),
            },
        }
    }

    /// The mapping at a key, empty where there is none.
    pub(super) fn section(&mut self, key: &str, notes: &mut Notes) -> Self {
        let value = self.take(key);
        Self::of(&self.path(key), value, notes)
    }

    /// The mappings in the list at a key.
    pub(super) fn list(&mut self, key: &str, notes: &mut Notes) -> Vec<Self> {
        let path = self.path(key);
        match self.take(key) {
            Some(Value::Array(items)) => {
                let items = items.into_iter().enumerate();
                items.map(|(index, item)| Self::of(&format!("{path}[{index}]"), Some(item), notes)).collect()
            }
            None => Vec::new(),
            Some(other) => {
                notes.left_out(&path, &other, "a list is expected there", "correct it");
                Vec::new()
            }
        }
    }

    /// Notes each key that is still there.
    pub(super) fn leave(self, notes: &mut Notes) {
        for (key, value) in self.map.iter().filter(|(_, value)| !value.is_null()) {
            notes.left_out(
                &self.path(key),
                value,
                "v1beta1 has no such field",
                "look whether it is misspelt, or needed at all",
            );
        }
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = (String, String, Value)> {
        let Self { path, map } = self;
        map.into_iter().map(move |(key, value)| (format!("{path}.{key}"), key, value))
    }

    pub(super) fn into_yaml(self) -> Yaml {
        Value::Object(self.map).into()
    }
}
