//! Every key that was ever valid still sets what it set, or is refused with its new name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail};
use mapper_framework::config::{Config, ConfigError, ConfigWarning, Origin, Sources};
use serde_json::Value as Json;

use crate::kept;

/// How today's framework reads a config file of an older one.
struct Reading {
    config: Json,
    /// Old names that are taken, with the new ones.
    renamed: BTreeMap<String, String>,
    /// Old names that are refused.
    refused: BTreeSet<String>,
}

#[test]
fn the_config_file_of_each_version_sets_what_it_set() -> Result<()> {
    let mut files = 0;
    for entry in fs::read_dir(kept("config"))? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "yaml") {
            sets_what_it_set(&file)?;
            files += 1;
        }
    }
    assert!(files > 0, "the first release left one");
    Ok(())
}

fn sets_what_it_set(file: &Path) -> Result<()> {
    let Reading { config, renamed, refused } = read(file)?;
    let values = file.with_extension("json");
    let Ok(text) = fs::read_to_string(&values) else {
        bail!("{} is missing: what the file sets today is\n{config:#}", values.display());
    };
    for (key, value) in leaves("", &serde_json::from_str(&text)?) {
        let now = renamed.get(&key).unwrap_or(&key);
        if !refused.contains(&key) {
            assert_eq!(
                config.pointer(&format!("/{}", now.replace('.', "/"))),
                Some(&value),
                "{key}, in {}",
                file.display()
            );
        }
    }
    Ok(())
}

/// Reads the file without the lines of the keys that are refused with a new name: each key stands on a line of its own.
fn read(file: &Path) -> Result<Reading> {
    let mut text = fs::read_to_string(file)?;
    let mut refused = BTreeSet::new();
    let (config, warnings) = loop {
        match Config::load(Sources::new(Config::default()).contents("config.yaml", &text)) {
            Ok(loaded) => break loaded,
            Err(ConfigError::Renamed { key, origin: Origin::File { line, .. }, .. }) => {
                refused.insert(key);
                text = without(&text, usize::try_from(line)?);
            }
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read any more", file.display())),
        }
    };
    let mut renamed = BTreeMap::new();
    for warning in warnings {
        let ConfigWarning::Renamed { key, new, .. } = warning else { bail!("{}: {warning}", file.display()) };
        renamed.insert(key, new.to_owned());
    }
    Ok(Reading { config: serde_json::to_value(config)?, renamed, refused })
}

/// The text without the line of this number, from 1.
fn without(text: &str, number: usize) -> String {
    let others = text.lines().enumerate().filter(|(index, _)| index + 1 != number);
    others.map(|(_, line)| format!("{line}\n")).collect()
}

/// All values by their keys.
fn leaves(section: &str, value: &Json) -> Vec<(String, Json)> {
    let Some(values) = value.as_object() else { return vec![(section.to_owned(), value.clone())] };
    let path = |key: &String| if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
    values.iter().flat_map(|(key, value)| leaves(&path(key), value)).collect()
}
