//! From a document to its Rust type, whatever is wrong with single keys of it.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_path_to_error::Segment;

use super::{Fault, keys};

/// What could be read of a document.
pub(super) struct Reading<T> {
    /// The document without what is left out; `None` where nothing remains.
    pub(super) value: Option<T>,
    /// What has a wrong type, or is missing.
    pub(super) faults: Vec<Fault>,
    /// Keys that nobody reads.
    pub(super) unknown: Vec<Fault>,
    /// The fields that had to be left out to read the others.
    pub(super) left_out: Vec<String>,
}

/// Reads a document. serde stops at the first key of a wrong type, so that key is told, left out, and the rest read again.
pub(super) fn read<T: DeserializeOwned>(document: &Value) -> Reading<T> {
    let mut remaining = document.clone();
    let mut reading = Reading { value: None, faults: Vec::new(), unknown: Vec::new(), left_out: Vec::new() };
    loop {
        reading.unknown.clear();
        let mut ignored = |path: serde_ignored::Path<'_>| reading.unknown.extend(unknown(document, &path));
        let deserializer = serde_ignored::Deserializer::new(&remaining, &mut ignored);
        let error = match serde_path_to_error::deserialize(deserializer) {
            Ok(value) => {
                reading.value = Some(value);
                return reading;
            }
            Err(error) => error,
        };
        let path: Vec<Segment> = error.path().iter().cloned().collect();
        let message = plain(&error.inner().to_string());
        if !is_missing_since_left_out(&path, &message, &reading.left_out) {
            reading.faults.push(misfit(document, &path, &message));
        }
        match leave_out(&mut remaining, &path) {
            Some(path) => reading.left_out.push(field(path)),
            None => return reading,
        }
    }
}

/// Takes away what stands at a path, or what it stands in where it cannot be missing. Tells what it was.
fn leave_out<'p>(document: &mut Value, path: &'p [Segment]) -> Option<&'p [Segment]> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(&mut *document, |value, segment| match segment {
        Segment::Seq { index } => value.get_mut(index),
        Segment::Map { key } => value.get_mut(key),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    let is_gone = match (last, parent) {
        (Segment::Map { key }, Some(Value::Object(map))) => map.remove(key).is_some(),
        // The items behind it keep their places.
        (Segment::Seq { index }, Some(Value::Array(items))) => {
            let item = items.get_mut(*index).filter(|item| **item != json!({}));
            item.map(|item| *item = json!({})).is_some()
        }
        _ => false,
    };
    if is_gone { Some(path) } else { leave_out(document, parents) }
}

/// Whether a key is missing because it has been left out: it has been told already.
fn is_missing_since_left_out(path: &[Segment], message: &str, left_out: &[String]) -> bool {
    let key = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    key.is_some_and(|key| {
        let missing = [path, &[Segment::Map { key: key.to_owned() }]].concat();
        left_out.contains(&field(&missing))
    })
}

fn misfit(document: &Value, path: &[Segment], message: &str) -> Fault {
    let value = path.iter().try_fold(document, step);
    let field = if path.is_empty() { ".".to_owned() } else { field(path) };
    Fault { property: property(document, path), field, message: message.to_owned(), cure: cure(message, value) }
}

fn unknown(document: &Value, path: &serde_ignored::Path<'_>) -> Option<Fault> {
    let mut segments = Vec::new();
    collect(path, &mut segments);
    let field = field(&segments);
    let cure = keys::unknown(&field)?;
    Some(Fault { property: property(document, &segments), field, message: "unknown and ignored".to_owned(), cure })
}

fn collect(path: &serde_ignored::Path<'_>, segments: &mut Vec<Segment>) {
    use serde_ignored::Path;
    match path {
        Path::Root => {}
        Path::Seq { parent, index } => {
            collect(parent, segments);
            segments.push(Segment::Seq { index: *index });
        }
        Path::Map { parent, key } => {
            collect(parent, segments);
            segments.push(Segment::Map { key: key.clone() });
        }
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            collect(parent, segments);
        }
    }
}

/// Such as `spec.properties[1].desired`.
fn field(path: &[Segment]) -> String {
    let mut field = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => field += &format!("[{index}]"),
            other if field.is_empty() => field += &other.to_string(),
            other => field += &format!(".{other}"),
        }
    }
    field
}

/// The name of the property that a path leads into.
fn property(document: &Value, path: &[Segment]) -> Option<String> {
    let mut value = document;
    for segment in path {
        value = step(value, segment)?;
        if matches!(segment, Segment::Seq { .. }) {
            return value.get("name").and_then(Value::as_str).map(str::to_owned);
        }
    }
    None
}

fn step<'v>(value: &'v Value, segment: &Segment) -> Option<&'v Value> {
    match segment {
        Segment::Seq { index } => value.get(index),
        Segment::Map { key } => value.get(key),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// serde's message in words of YAML, not of Rust.
pub(super) fn plain(message: &str) -> String {
    let message = message
        .split_once("expected struct ")
        .map_or_else(|| message.to_owned(), |(found, _)| format!("{found}expected a map"));
    message
        // Only a key cannot be null.
        .replace("cannot deserialize null into string; use Option<String>", "a key is empty or null")
        .replace("expected i64", "expected a whole number")
        .replace("expected i32", "expected a whole number")
}

/// What to do about a value of the wrong type, or a missing one.
fn cure(message: &str, value: Option<&Value>) -> String {
    let expects = |what: &str| message.ends_with(&format!("expected {what}"));
    match value {
        Some(value @ (Value::Number(_) | Value::Bool(_))) if expects("a string") => format!("quote it: \"{value}\""),
        Some(Value::String(text)) if expects("a whole number") => match text.parse::<i64>() {
            Ok(number) => format!("write it without quotes: {number}"),
            Err(_) => "write digits only".to_owned(),
        },
        Some(Value::String(_)) if expects("a boolean") => "write true or false, without quotes".to_owned(),
        Some(Value::Null) => "give it a value, or leave the key out".to_owned(),
        Some(_) if expects("a map") || expects("a sequence") => "indent its keys or items below it".to_owned(),
        _ if message.contains("missing field") => "add it".to_owned(),
        _ => "see the custom resource's reference for its type".to_owned(),
    }
}
