//! From YAML text to checked manifests.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_saphyr::{DefaultMessageFormatter, Error, MessageFormatter};

use super::{
    Examined, Fault, Parsed,
    error::{ManifestDetails, ManifestError},
    examine, items, lines,
};
use crate::typed;

/// Why a text is no YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotYaml {
    /// Counted from 1; 0 where it is not known.
    pub(crate) line: u64,
    /// What is wrong there.
    pub(crate) message: String,
    pub(crate) cure: String,
}

/// Reads the documents of a text, as kubectl does.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, NotYaml> {
    // kubectl reads YAML 1.1, in which 0755 is octal and an unquoted `on` is a boolean.
    let options = serde_saphyr::options! {
        with_snippet: false,
        legacy_octal_numbers: true,
        // A node's whole fleet fits into one file: ten thousand devices of ten properties are about two million nodes.
        budget: serde_saphyr::budget! { max_documents: 100_000, max_events: 20_000_000, max_nodes: 10_000_000 },
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(0, |at| at.line());
        not_yaml(text, line, error.without_snippet())
    })
}

/// What the parser says, in the words of whoever wrote the text.
fn not_yaml(text: &str, line: u64, error: &Error) -> NotYaml {
    if let Some(line) = tab_near(text, line) {
        let cure = "indent it with spaces".to_owned();
        return NotYaml { line, message: "a tab stands in the indentation".to_owned(), cure };
    }
    if let Error::DuplicateMappingKey { key, .. } = error {
        let key = key.as_deref().unwrap_or_default();
        let message = format!("the key {key:?} stands twice in one mapping");
        let cure = if ["apiVersion", "kind", "metadata", "spec"].contains(&key) {
            "write a line of --- between two documents, or take one of the keys out"
        } else {
            "take one of them out"
        };
        return NotYaml { line, message, cure: cure.to_owned() };
    }
    let message = match error {
        // Only a key cannot be null.
        Error::NullIntoString { .. } => "a key is empty or null".to_owned(),
        other => typed::plain(&DefaultMessageFormatter.format_message(other)),
    };
    NotYaml { line, message, cure: "correct the line".to_owned() }
}

/// The line with a tab in its indentation, in the line that the parser names or beside it.
fn tab_near(text: &str, line: u64) -> Option<u64> {
    let has_tab =
        |text: &str| text.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t') && !text.trim().is_empty();
    let near = (1..).zip(text.lines()).filter(|(number, _)| line.abs_diff(*number) <= 1);
    near.filter(|(_, text)| has_tab(text)).map(|(number, _)| number).min_by_key(|number| line.abs_diff(*number))
}

/// Reads all documents of a text. One fault refuses the whole text, so that nothing is applied by halves.
pub(crate) fn parse(text: &str, file: Option<&Path>) -> Result<Parsed, ManifestError> {
    let documents = lines::read_all(text).map_err(|NotYaml { line, message, cure }| {
        let message = format!("not valid YAML: line {line}: {message}");
        ManifestDetails { file: file.map(Path::to_owned), message, cure, ..ManifestDetails::default() }
    })?;
    let mut parsed = Parsed::default();
    let documents = documents.iter().map(|document| (document, document.value())).enumerate();
    for (index, (document, value)) in documents.filter(|(_, (_, value))| !value.is_null()) {
        for item in items(value) {
            let Examined { resource, name, faults, oddities } = examine(&item, document);
            let placed = |fault| placed(item.within(fault), file, index + 1, name.clone());
            if let Some(fault) = faults.into_iter().next() {
                return Err(placed(fault));
            }
            parsed.warnings.extend(oddities.into_iter().map(|oddity| placed(oddity).to_string()));
            parsed.resources.extend(resource);
        }
    }
    Ok(parsed)
}

fn placed(fault: Fault, file: Option<&Path>, document: usize, resource: Option<String>) -> ManifestError {
    let Fault { property, field, message, cure } = fault;
    ManifestDetails { file: file.map(Path::to_owned), document, resource, property, field: Some(field), message, cure }
        .into()
}
