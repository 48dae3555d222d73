//! Why a manifest is refused.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// What is wrong with a manifest: where, why, and the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Boxed, for it would be much larger than what is returned beside it.
    details: Box<ManifestDetails>,
}

/// The parts of a [`ManifestError`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ManifestDetails {
    pub(super) file: Option<PathBuf>,
    /// Counted from 1; 0 where the text is no YAML.
    pub(super) document: usize,
    pub(super) resource: Option<String>,
    pub(super) property: Option<String>,
    pub(super) field: Option<String>,
    pub(super) message: String,
    pub(super) cure: String,
}

impl From<ManifestDetails> for ManifestError {
    fn from(details: ManifestDetails) -> Self {
        Self { details: Box::new(details) }
    }
}

impl ManifestError {
    /// The file, where the manifest came from one.
    pub fn file(&self) -> Option<&Path> {
        self.details.file.as_deref()
    }

    /// The document in the file, counted from 1; 0 where the text is no YAML.
    pub fn document(&self) -> usize {
        self.details.document
    }

    /// The resource, such as `Device default/boiler`, where it is known.
    pub fn resource(&self) -> Option<&str> {
        self.details.resource.as_deref()
    }

    /// The device's or model's property, where it is one that is wrong.
    pub fn property(&self) -> Option<&str> {
        self.details.property.as_deref()
    }

    /// The field, such as `spec.properties[1].desired.value`.
    pub fn field(&self) -> Option<&str> {
        self.details.field.as_deref()
    }

    /// What to do about it.
    pub fn cure(&self) -> &str {
        &self.details.cure
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ManifestDetails { file, document, resource, property, field, message, cure } = &*self.details;
        if let Some(file) = file {
            write!(f, "{}, ", file.display())?;
        }
        if *document > 0 {
            write!(f, "document {document}: ")?;
        }
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

impl std::error::Error for ManifestError {}
