//! From YAML text to checked manifests.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::{DefaultMessageFormatter, MessageFormatter};

use super::{Examined, Fault, Parsed, examine, typed::plain};
use crate::local_edge::error::{ManifestDetails, ManifestError};

/// Why a text is no YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotYaml {
    /// Counted from 1; 0 where it is not known.
    pub(crate) line: u64,
    /// What is wrong there.
    pub(crate) message: String,
    /// The same with the place in it.
    pub(super) placed: String,
}

/// Reads the documents of a text, as kubectl does.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, NotYaml> {
    // kubectl reads YAML 1.1, in which 0755 is octal and an unquoted `on` is a boolean.
    let options = serde_saphyr::options! {
        with_snippet: false,
        legacy_octal_numbers: true,
        // A node's whole fleet fits into one file: ten thousand devices of ten properties are about two million nodes.
        budget: serde_saphyr::budget! { max_documents: 100_000, max_events: 20_000_000, max_nodes: 10_000_000 },
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| NotYaml {
        line: error.location().map_or(0, |at| at.line()),
        message: plain(&DefaultMessageFormatter.format_message(error.without_snippet())),
        placed: plain(&error.to_string()),
    })
}

/// Reads all documents of a text. One fault refuses the whole text, so that nothing is applied by halves.
pub(in super::super) fn parse(text: &str, file: Option<&Path>) -> Result<Parsed, ManifestError> {
    let documents: Vec<Value> = read(text).map_err(|error| {
        let (message, cure) = (format!("not valid YAML: {}", error.placed), "correct the line".to_owned());
        ManifestDetails { file: file.map(Path::to_owned), message, cure, ..ManifestDetails::default() }
    })?;
    let mut parsed = Parsed::default();
    for (index, document) in documents.iter().enumerate().filter(|(_, document)| !document.is_null()) {
        let Examined { resource, name, faults, oddities } = examine(document);
        let placed = |fault| placed(fault, file, index + 1, name.clone());
        if let Some(fault) = faults.into_iter().next() {
            return Err(placed(fault));
        }
        parsed.warnings.extend(oddities.into_iter().map(|oddity| placed(oddity).to_string()));
        parsed.resources.extend(resource);
    }
    Ok(parsed)
}

fn placed(fault: Fault, file: Option<&Path>, document: usize, resource: Option<String>) -> ManifestError {
    let Fault { property, field, message, cure } = fault;
    ManifestDetails { file: file.map(Path::to_owned), document, resource, property, field: Some(field), message, cure }
        .into()
}
