//! What is reported of a manifest.

use std::{fmt, path::Path};

use serde::Serialize;

use crate::manifest::{Fault, is_within, lines::Document};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// On a node, something does not work.
    Error,
    /// Everything works, though hardly as it was meant.
    Warning,
}

/// Something that is wrong, where it stands, and the cure. The order is that of files and lines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Finding {
    pub(super) file: String,
    /// Counted from 1.
    pub(super) line: u64,
    pub(super) severity: Severity,
    /// Such as `Device default/boiler`.
    pub(super) resource: Option<String>,
    pub(super) property: Option<String>,
    /// Such as `spec.properties[1].desired.value`.
    pub(super) field: Option<String>,
    pub(super) message: String,
    pub(super) cure: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, severity, resource, property, field, message, cure } = self;
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{file}:{line}: {severity}: ")?;
        if let Some(resource) = resource {
            write!(f, "{resource}: ")?;
        }
        if let Some(property) = property {
            write!(f, "property {property:?}: ")?;
        }
        if let Some(field) = field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{message}: {cure}")
    }
}

/// What rules say of one resource.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    found: Vec<(Severity, Fault)>,
    reads: Vec<Read>,
}

/// What the driver will read of a property.
#[derive(Debug)]
struct Read {
    property: String,
    field: String,
    what: String,
}

impl Verdicts {
    pub(super) fn error(&mut self, fault: Fault) {
        self.found.push((Severity::Error, fault));
    }

    pub(super) fn warning(&mut self, fault: Fault) {
        self.found.push((Severity::Warning, fault));
    }

    pub(super) fn reads(&mut self, property: &str, field: String, what: String) {
        self.reads.push(Read { property: property.to_owned(), field, what });
    }
}

/// The place of a resource: a document of a file.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) file: &'a Path,
    pub(super) document: &'a Document<'a>,
    /// Which item of the document it is, if that is a list.
    pub(super) item: String,
    /// Such as `Device default/boiler`, where that is known.
    pub(super) resource: Option<String>,
    /// Fields that are known to be wrong, so that whatever follows from them is not told as well.
    pub(super) wrong: Vec<String>,
}

impl Place<'_> {
    /// The findings that verdicts come to, without those that only follow from what has been told before.
    pub(super) fn findings(&self, verdicts: Verdicts) -> impl Iterator<Item = Finding> {
        verdicts
            .found
            .into_iter()
            .filter(|(_, fault)| !self.follows(fault))
            .map(|(severity, fault)| self.finding(severity, fault))
    }

    /// A line for each property of which the driver says what it will read.
    pub(super) fn reads(&self, verdicts: &Verdicts) -> Vec<String> {
        let (file, resource) = (self.file.display(), self.resource.as_deref().unwrap_or_default());
        let line = |Read { property, field, what }: &Read| {
            format!("{file}:{}: note: {resource}: property {property:?}: reads {what}", self.line(field))
        };
        verdicts.reads.iter().map(line).collect()
    }

    /// A driver reports that a whole `configData` lacks the key that could not be sent, and a reference that is no mapping has no name.
    fn follows(&self, fault: &Fault) -> bool {
        self.wrong.iter().any(|wrong| is_within(wrong, &fault.field) || is_within(&fault.field, wrong))
    }

    /// The line of a field of the resource.
    pub(super) fn line(&self, field: &str) -> u64 {
        let dot = if self.item.is_empty() { "" } else { "." };
        self.document.line(&format!("{}{dot}{field}", self.item))
    }

    /// How the scalar at a field of the resource is written.
    pub(super) fn written(&self, field: &str) -> Option<&str> {
        let dot = if self.item.is_empty() { "" } else { "." };
        self.document.written(&format!("{}{dot}{field}", self.item))
    }

    pub(super) fn finding(&self, severity: Severity, fault: Fault) -> Finding {
        Finding {
            file: self.file.display().to_string(),
            line: self.line(&fault.field),
            severity,
            resource: self.resource.clone(),
            property: fault.property.filter(|name| !name.is_empty()),
            field: Some(fault.field).filter(|field| field != "."),
            message: fault.message,
            cure: fault.cure,
        }
    }
}
