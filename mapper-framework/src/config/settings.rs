//! The config while its sources are laid over each other: a tree of known keys, and where each value comes from.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::{Config, ConfigError, Origin, own::OwnSections};
use crate::typed::{self, Misfit};

/// The values so far. Which keys are known, and which of them hold text, follows from the defaults.
pub(super) struct Settings {
    tree: Map<String, Value>,
    own: OwnSections,
    origins: Origins,
}

/// Where the values come from that somebody set, by key.
#[derive(Default)]
pub(super) struct Origins(HashMap<String, Origin>);

impl Origins {
    /// Where the value of a key comes from, which may be a part of the value of a longer one, as in `nodes[1]`.
    pub(super) fn of(&self, key: &str) -> Origin {
        match (self.0.get(key), key.rfind(['.', '['])) {
            (Some(origin), _) => origin.clone(),
            (None, Some(end)) => self.of(&key[..end]),
            (None, None) => Origin::Default,
        }
    }
}

impl Settings {
    pub(super) fn over(defaults: &Config) -> Result<Self, ConfigError> {
        let tree = serde_json::to_value(defaults).and_then(serde_json::from_value);
        let unusable = |error: serde_json::Error| ConfigError::Defaults { message: error.to_string() };
        let mut tree = tree.map_err(unusable)?;
        defaults.own.join_into(&mut tree)?;
        Ok(Self { tree, own: defaults.own.clone(), origins: Origins::default() })
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

    /// All sections, such as `common` and `sinks.tls`.
    pub(super) fn sections(&self) -> BTreeSet<String> {
        let ends = |key: &str| key.match_indices('.').map(|(end, _)| key[..end].to_owned()).collect::<Vec<_>>();
        self.keys().iter().flat_map(|key| ends(key)).collect()
    }

    /// Sets a known key. An empty value counts as absent. What does not fit is found later, by [`Self::into_config`].
    pub(super) fn set(&mut self, key: &str, text: &str, origin: Origin) {
        let text = text.trim();
        if !text.is_empty()
            && let Some(value) = self.slot(key).map(|default| read_scalar(text, default))
        {
            self.put(key, value, origin);
        }
    }

    /// Sets a known key to a value of whatever form.
    pub(super) fn put(&mut self, key: &str, value: Value, origin: Origin) {
        let slot = self.slot(key);
        debug_assert!(slot.is_some(), "{key} is not a key of the config");
        if let Some(slot) = slot {
            *slot = value;
            self.origins.0.insert(key.to_owned(), origin);
        }
    }

    fn slot(&mut self, key: &str) -> Option<&mut Value> {
        let mut steps = key.split('.');
        let first = self.tree.get_mut(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get_mut(step))
    }

    /// Gives the values their types.
    pub(super) fn into_config(mut self) -> Result<(Config, Origins), ConfigError> {
        self.own.take_from(&mut self.tree, &self.origins)?;
        match typed::read::<Config>(Value::Object(self.tree)) {
            Ok(config) => Ok((Config { own: self.own, ..config }, self.origins)),
            Err(Misfit { path: key, message, .. }) => {
                Err(ConfigError::WrongType { origin: self.origins.of(&key), key, message })
            }
        }
    }
}

/// Whether a default says nothing of the form of its values: they may be lists and mappings, too.
pub(super) fn is_free(default: &Value) -> bool {
    match default {
        Value::Null | Value::Array(_) => true,
        Value::Object(keys) => keys.is_empty(),
        _ => false,
    }
}

pub(super) fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

fn collect_keys(tree: &Map<String, Value>, section: &str, keys: &mut Vec<String>) {
    for (key, value) in tree {
        let path = join(section, key);
        match value {
            Value::Object(tree) if !is_free(value) => collect_keys(tree, &path, keys),
            _ => keys.push(path),
        }
    }
}

/// Where the default is a number or a switch, the text stands for one: a version `1.10` must not become the number 1.1.
fn read_scalar(text: &str, default: &Value) -> Value {
    let as_text = || Value::String(text.to_owned());
    match default {
        Value::Number(_) | Value::Bool(_) => serde_saphyr::from_str(text).unwrap_or_else(|_| as_text()),
        _ => as_text(),
    }
}
