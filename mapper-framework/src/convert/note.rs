//! What is lost or assumed, where it stood, and the cure.

use std::{fmt, path::Path};

use serde_json::Value;

use crate::{manifest::Fault, model::Secrets};

/// A line for standard error.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) file: String,
    /// Counted from 1.
    pub(super) line: u64,
    /// Whether a file or a document could not be read.
    pub(super) is_error: bool,
    /// Such as `Device default/boiler`.
    pub(super) resource: Option<String>,
    pub(super) field: Option<String>,
    pub(super) message: String,
    pub(super) cure: String,
}

impl Note {
    /// Something wrong with a file, or with a document of it.
    pub(super) fn of_file(file: &Path, line: u64, message: String, cure: String) -> Self {
        Self { file: file.display().to_string(), line, is_error: true, resource: None, field: None, message, cure }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, is_error, resource, field, message, cure } = self;
        write!(f, "{file}:{line}: {}: ", if *is_error { "error" } else { "note" })?;
        for part in [resource, field].into_iter().flatten() {
            write!(f, "{part}: ")?;
        }
        write!(f, "{message}: {cure}")
    }
}

/// The notes of one resource, each with the field of the old manifest.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Fault>);

impl Notes {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// That a value is not carried over. A secret is not printed.
    pub(super) fn left_out(&mut self, field: &str, value: &Value, why: &str, cure: &str) {
        let value = redacted(field.rsplit('.').next().unwrap_or(field), value);
        self.add(Fault::new(field, format!("{value} is left out: {why}"), cure));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

/// The value of a key, with `***` for what is called like a secret.
fn redacted(key: &str, value: &Value) -> Value {
    match value {
        _ if Secrets::is_key(key) => "***".into(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), redacted(key, value))).collect(),
        Value::Array(values) => values.iter().map(|value| redacted(key, value)).collect(),
        other => other.clone(),
    }
}

impl From<Notes> for Vec<Fault> {
    fn from(Notes(faults): Notes) -> Self {
        faults
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_that_are_left_out_are_not_printed() {
        let mut notes = Notes::default();
        notes.left_out("protocol.common.password", &json!("hunter2"), "it is twice there", "name one otherwise");
        let nested = json!({"host": "plc", "logins": [{"user": "a", "passWord": "hunter2"}]});
        notes.left_out("protocol.customizedValues", &nested, "it is nested", "flatten it");
        let said: Vec<_> = notes.iter().map(|fault| format!("{fault:?}")).collect();
        assert!(said.iter().all(|line| line.contains("***") && !line.contains("hunter2")), "{said:?}");
        assert!(said[1].contains("plc"), "{said:?}");
    }
}
