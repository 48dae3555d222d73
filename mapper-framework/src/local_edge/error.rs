//! What can go wrong at the edge.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    manifest::ManifestError,
    model::{DeviceId, ModelId},
};

/// Why an operation on a [`LocalEdge`](super::LocalEdge) failed.
///
/// A call that a *mapper* fails is none: edgecore goes on, and so does the double. It is reported as an
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
    /// The event bus cannot listen.
    #[error("the event bus cannot listen on {address}: {source}")]
    #[non_exhaustive]
    EventBus {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
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
        matches!(self, Self::Io { .. } | Self::EventBus { .. } | Self::Watch { .. })
    }
}

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
