//! Whoever reads what a mapper writes need not change: what left it in an older version leaves it today, to the byte, but for new
//! keys in JSON.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use integration_tests::{cargo::root, folder};
use serde_json::{Deserializer, Map, Value as Json};

use crate::{kept, registry::folders};

#[test]
fn what_leaves_a_mapper_is_what_left_each_version() -> Result<()> {
    let versions = folders(&kept("golden"));
    assert!(!versions.is_empty(), "the first release left {}", kept("golden").display());
    for version in versions {
        for frozen in folder::files(&version)? {
            is_kept(&version, &frozen)?;
        }
    }
    Ok(())
}

/// Compares a frozen file with today's of the same path.
fn is_kept(version: &Path, frozen: &Path) -> Result<()> {
    let path = frozen.strip_prefix(version).context("a frozen file lies in its version's folder")?;
    let today = root().join("mapper-framework/tests/golden").join(path);
    let rule = format!(
        "whoever reads what {} says need not change (VERSIONING.md, \"Data that leaves\"): a form is kept, JSON may get new keys, and \
         another form gets a file, and a key of the config that asks for it",
        frozen.display()
    );
    let now = fs::read(&today).with_context(|| format!("{} is gone: {rule}", today.display()))?;
    ensure!(has_only_grown(&fs::read(frozen)?, &now), "{} says something else: {rule}", today.display());
    Ok(())
}

/// Whether a file is the same, but for keys that its JSON objects have got.
fn has_only_grown(old: &[u8], new: &[u8]) -> bool {
    let (Ok(old_text), Ok(new_text)) = (str::from_utf8(old), str::from_utf8(new)) else { return old == new };
    let (old, new) = (parts(old_text), parts(new_text));
    old.len() == new.len()
        && old.iter().zip(&new).all(|(old, new)| match (old, new) {
            (Part::Object(old), Part::Object(new)) => is_within(old, new),
            (old, new) => old == new,
        })
}

/// A piece of a file.
#[derive(Debug, PartialEq)]
enum Part<'a> {
    /// A sign outside of all objects, up to the next.
    Text(&'a str),
    Object(Map<String, Json>),
}

/// The JSON objects in a text, wherever they stand, and what is between them.
fn parts(mut text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    while let Some(first) = text.chars().next() {
        let mut objects = Deserializer::from_str(text).into_iter();
        let object = if first == '{' { objects.next().and_then(Result::ok) } else { None };
        let end = if object.is_some() { objects.byte_offset() } else { first.len_utf8() };
        parts.push(object.map_or(Part::Text(&text[..end]), Part::Object));
        text = &text[end..];
    }
    parts
}

/// Whether every key of an object is in another, with its value.
fn is_within(old: &Map<String, Json>, new: &Map<String, Json>) -> bool {
    old.iter().all(|(key, value)| match (value, new.get(key)) {
        (Json::Object(old), Some(Json::Object(new))) => is_within(old, new),
        (value, now) => now == Some(value),
    })
}

#[test]
fn an_object_may_get_keys_and_lose_none() {
    let grown = |new: &str| has_only_grown(br#"topic qos 1 {"a":1,"b":{"c":[2]}}"#, new.as_bytes());
    assert!(grown(r#"topic qos 1 {"a":1,"b":{"c":[2]}}"#));
    assert!(grown(r#"topic qos 1 {"a":1,"b":{"c":[2],"d":3},"e":4}"#));
    assert!(!grown(r#"topic qos 1 {"a":1}"#));
    assert!(!grown(r#"topic qos 1 {"a":1.0,"b":{"c":[2]}}"#));
    assert!(!grown(r#"topic qos 1 {"a":1,"b":{"c":[2,3]}}"#));
    assert!(!grown(r#"topic qos 2 {"a":1,"b":{"c":[2]}}"#));
    assert!(!grown(r#"topic qos 1 {"a":1,"b":{"c":[2]}} {}"#));
    assert!(!has_only_grown(&[0xff, 1], &[0xff, 2]));
}
