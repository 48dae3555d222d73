//! The config while its sources are laid over each other: a tree of known keys, and where each value comes from.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Config, ConfigError, Origin};

/// The values so far. Which keys are known, and which of them hold text, follows from the defaults.
pub(super) struct Settings {
    tree: Map<String, Value>,
    origins: Origins,
}

/// Where the values come from that somebody set, by key.
#[derive(Default)]
pub(super) struct Origins(HashMap<String, Origin>);

impl Origins {
    pub(super) fn of(&self, key: &str) -> Origin {
        self.0.get(key).cloned().unwrap_or(Origin::Default)
    }
}

impl Settings {
    pub(super) fn over(defaults: &Config) -> Result<Self, ConfigError> {
        let tree = serde_json::to_value(defaults).and_then(serde_json::from_value);
        let unusable = |error: serde_json::Error| ConfigError::Defaults { message: error.to_string() };
        Ok(Self { tree: tree.map_err(unusable)?, origins: Origins::default() })
    }

    /// The tree of known keys.
    pub(super) fn known(&self) -> &Map<String, Value> {
        &self.tree
    }

    /// All keys that hold a value, such as `common.protocol`.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        collect_keys(&self.tree, "", &mut keys);
        keys
    }

    /// The names of the sections, such as `common`.
    pub(super) fn sections(&self) -> impl Iterator<Item = &String> {
        self.tree.keys()
    }

    /// Sets a known key. An empty value counts as absent. What does not fit is found later, by [`Self::into_config`].
    pub(super) fn set(&mut self, key: &str, text: &str, origin: Origin) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let slot = self.slot(key);
        debug_assert!(slot.is_some(), "{key} is not a key of the config");
        if let Some(slot) = slot {
            *slot = read_scalar(text, slot);
            self.origins.0.insert(key.to_owned(), origin);
        }
    }

    fn slot(&mut self, key: &str) -> Option<&mut Value> {
        let mut steps = key.split('.');
        let first = self.tree.get_mut(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get_mut(step))
    }

    /// Gives the values their types.
    pub(super) fn into_config(self) -> Result<(Config, Origins), ConfigError> {
        match serde_path_to_error::deserialize(Value::Object(self.tree)) {
            Ok(config) => Ok((config, self.origins)),
            Err(error) => {
                let key = error.path().to_string();
                let origin = self.origins.of(&key);
                Err(ConfigError::WrongType { key, origin, message: with_hint(&error.into_inner().to_string()) })
            }
        }
    }
}

pub(super) fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

fn collect_keys(tree: &Map<String, Value>, section: &str, keys: &mut Vec<String>) {
    for (key, value) in tree {
        let path = join(section, key);
        match value {
            Value::Object(tree) => collect_keys(tree, &path, keys),
            _ => keys.push(path),
        }
    }
}

/// Where the default is text, so is the value: a version `1.10` must not become the number 1.1.
fn read_scalar(text: &str, default: &Value) -> Value {
    let as_text = || Value::String(text.to_owned());
    match default {
        Value::String(_) => as_text(),
        _ => serde_saphyr::from_str(text).unwrap_or_else(|_| as_text()),
    }
}

fn with_hint(message: &str) -> String {
    let hint = if message.ends_with("expected a duration") { ", such as `10s` or `500ms`" } else { "" };
    format!("{message}{hint}")
}
