//! What can go wrong at the edge.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::model::{DeviceId, ModelId};

/// Why an operation on a [`LocalEdge`](super::LocalEdge) failed.
///
/// A call that a *mapper* fails is none: edgecore goes on, and so does the double. It is told as an
/// [`EdgeEvent`](super::EdgeEvent).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalEdgeError {
    /// A file or the socket.
    #[error("{}: {source}", path.display())]
    #[non_exhaustive]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system takes no longer path for a socket.
    #[error("{}: a socket's path may have 107 bytes and this one has {}; choose a shorter folder", path.display(), path.as_os_str().len())]
    #[non_exhaustive]
    SocketPathTooLong {
        /// The path.
        path: PathBuf,
    },
    /// A manifest that the cluster or edgecore would refuse.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// No such device.
    #[error("there is no device {0}; apply its manifest first")]
    UnknownDevice(DeviceId),
    /// No such device model.
    #[error("there is no device model {0}; apply its manifest first")]
    UnknownModel(ModelId),
    /// The device has no such property.
    #[error("device {device} has no property {property:?}; it has {}", known.join(", "))]
    #[non_exhaustive]
    UnknownProperty {
        /// The device.
        device: DeviceId,
        /// The property that it lacks.
        property: String,
        /// The properties that it has.
        known: Vec<String>,
    },
    /// The operating system does not tell of changes in a folder.
    #[error("{}: cannot be watched: {source}", path.display())]
    #[non_exhaustive]
    Watch {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl LocalEdgeError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// Whether the same call may succeed later without a change of its arguments.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Watch { .. })
    }
}

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

    /// The resource, such as `Device default/boiler`, where it could be told.
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

/// Why a call to a mapper failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendFailure {
    /// No mapper has registered for the protocol with `withData`.
    #[error("no mapper has registered for the protocol {0:?}")]
    NoMapper(String),
    /// The mapper's socket cannot be connected to.
    #[error("the mapper cannot be reached: {}", root(&**.0))]
    Unreachable(Arc<dyn std::error::Error + Send + Sync>),
    /// The mapper has not answered within the 10 s that a call has in all.
    #[error("the mapper has not answered within 10 s")]
    Timeout,
    /// The mapper has answered with an error, or the connection broke.
    #[error("the mapper answered {code}: {message}")]
    #[non_exhaustive]
    Refused {
        /// The gRPC code's name, such as `InvalidArgument`.
        code: String,
        /// The message.
        message: String,
    },
    /// The edge does not run, or was stopped during the call.
    #[error("the edge does not run")]
    NotRunning,
}

/// The innermost error: the outer ones only say that something with the transport is wrong.
fn root<'e>(mut error: &'e (dyn std::error::Error + 'static)) -> &'e (dyn std::error::Error + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}
