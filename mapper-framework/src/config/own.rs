//! Sections whose types are not the framework's: the driver's settings, and those of sinks of one's own.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    ConfigError,
    settings::{Origins, join},
};
use crate::typed::{self, Misfit};

/// Where the driver's settings stand.
pub(crate) const DRIVER_SETTINGS: &str = "driver.settings";
/// The key of a sink's section that is the framework's.
const CREDENTIALS: &str = "credentials";

/// The section of a kind of sink.
pub(crate) fn section_of_sink(kind: &str) -> String {
    format!("sinks.{kind}")
}

fn sink_of_section(place: &str) -> Option<String> {
    place.strip_prefix("sinks.").map(str::to_owned)
}

/// A section: the values of its keys, which are at first the defaults.
#[derive(Clone)]
pub(crate) struct OwnSection {
    values: Map<String, Value>,
    /// Whether values are of the section's type.
    fits: fn(Value) -> Result<(), Misfit>,
    /// Why the type cannot be a section.
    unusable: Option<String>,
}

impl OwnSection {
    /// A section of this type, with its defaults.
    pub(crate) fn of<S: Serialize + DeserializeOwned + Default>() -> Self {
        let (values, unusable) = match serde_json::to_value(S::default()) {
            Ok(Value::Object(values)) => (values, None),
            Ok(_) => (Map::new(), Some("its type must be a struct with named fields".to_owned())),
            Err(error) => (Map::new(), Some(error.to_string())),
        };
        Self { values, fits: |value| typed::read::<S>(value).map(drop), unusable }
    }

    /// A section without keys.
    pub(crate) fn empty() -> Self {
        Self { values: Map::new(), fits: |_| Ok(()), unusable: None }
    }

    /// The same with a key for a folder of credentials.
    pub(crate) fn with_credentials(mut self) -> Self {
        self.values.insert(CREDENTIALS.to_owned(), Value::String(String::new()));
        self
    }

    /// The values as the section's type.
    fn read<S: DeserializeOwned>(&self) -> Result<S, Misfit> {
        typed::read(Value::Object(self.typed_values()))
    }

    fn typed_values(&self) -> Map<String, Value> {
        let mut values = self.values.clone();
        values.remove(CREDENTIALS);
        values
    }

    fn credentials(&self) -> Option<PathBuf> {
        self.values.get(CREDENTIALS)?.as_str().map(PathBuf::from)
    }
}

impl fmt::Debug for OwnSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.values).finish()
    }
}

impl PartialEq for OwnSection {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

/// All such sections by their place, such as `driver.settings`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OwnSections(BTreeMap<String, OwnSection>);

impl OwnSections {
    pub(crate) fn insert(&mut self, place: String, section: OwnSection) {
        self.0.insert(place, section);
    }

    /// Where the sections stand, such as `driver.settings`.
    #[cfg(feature = "http")]
    pub(crate) fn places(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Takes over the sections that are missing here.
    pub(crate) fn complete_by(&mut self, others: &Self) {
        for (place, section) in &others.0 {
            self.0.entry(place.clone()).or_insert_with(|| section.clone());
        }
    }

    /// A section as its type.
    pub(crate) fn read<S: DeserializeOwned + Default>(&self, place: &str) -> Result<S, ConfigError> {
        let Some(section) = self.0.get(place) else { return Ok(S::default()) };
        section.read().map_err(|misfit| wrong_type(place, &misfit, &Origins::default()))
    }

    /// Keys with their defaults, as they are written in the config, for the help.
    pub(crate) fn keys(&self) -> Vec<(String, String)> {
        let mut keys = Vec::new();
        for (place, section) in &self.0 {
            collect(&section.values, place, &mut keys);
        }
        keys
    }

    /// The kinds of sink that have a section here.
    pub(super) fn sink_kinds(&self) -> impl Iterator<Item = String> {
        self.0.keys().filter_map(|place| sink_of_section(place))
    }

    /// The folders of credentials by kind of sink.
    pub(crate) fn credential_folders(&self) -> impl Iterator<Item = (String, PathBuf)> {
        self.0.iter().filter_map(|(place, section)| Some((sink_of_section(place)?, section.credentials()?)))
    }

    /// Puts the sections into the tree of known keys.
    pub(super) fn join_into(&self, tree: &mut Map<String, Value>) -> Result<(), ConfigError> {
        for (place, section) in &self.0 {
            let unusable = |why: &str| ConfigError::Defaults { message: format!("`{place}`: {why}") };
            if let Some(why) = &section.unusable {
                return Err(unusable(why));
            }
            let (parent, key) = parent_of(tree, place).ok_or_else(|| unusable("there is no place for it"))?;
            if parent.contains_key(key) {
                return Err(unusable("this key is the framework's own: give the sink another name"));
            }
            parent.insert(key.to_owned(), Value::Object(section.values.clone()));
        }
        Ok(())
    }

    /// Takes the values of the sections out of the tree, and checks that each is of its section's type.
    pub(super) fn take_from(&mut self, tree: &mut Map<String, Value>, origins: &Origins) -> Result<(), ConfigError> {
        for (place, section) in &mut self.0 {
            let taken = parent_of(tree, place).and_then(|(parent, key)| parent.remove(key));
            if let Some(Value::Object(values)) = taken {
                section.values = values;
            }
            (section.fits)(Value::Object(section.typed_values()))
                .map_err(|misfit| wrong_type(place, &misfit, origins))?;
        }
        Ok(())
    }
}

fn wrong_type(place: &str, misfit: &Misfit, origins: &Origins) -> ConfigError {
    let key = if misfit.path.is_empty() { place.to_owned() } else { join(place, &misfit.path) };
    ConfigError::WrongType { origin: origins.of(&key), key, message: misfit.message.clone() }
}

/// The section around a place, and the last part of its key.
fn parent_of<'a, 'b>(
    tree: &'a mut Map<String, Value>,
    place: &'b str,
) -> Option<(&'a mut Map<String, Value>, &'b str)> {
    let (section, key) = place.split_once('.')?;
    Some((tree.get_mut(section)?.as_object_mut()?, key))
}

fn collect(values: &Map<String, Value>, section: &str, keys: &mut Vec<(String, String)>) {
    for (key, value) in values {
        let path = join(section, key);
        match value {
            Value::Object(values) if !values.is_empty() => collect(values, &path, keys),
            Value::Null => keys.push((path, String::new())),
            Value::String(text) => keys.push((path, text.clone())),
            other => keys.push((path, other.to_string())),
        }
    }
}
