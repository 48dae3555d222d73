//! Why a frame could not be recorded.

use std::{io, path::PathBuf};

use crate::stream::ContentType;

/// Why a frame could not be recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The file system refused something.
    #[error("cannot {attempt} {}: {reason}", .path.display())]
    Io {
        /// Such as `write`.
        attempt: &'static str,
        path: PathBuf,
        reason: io::Error,
    },
    /// Another mapper records there.
    #[error("another mapper records to {}: give each its own streams.dir", .0.display())]
    InUse(PathBuf),
    /// It does not fit, though nothing else is there.
    #[error(
        "it takes {needed} bytes and one more file, which is more than recordBytes ({bytes}) or recordFiles ({files}) allow: raise them"
    )]
    NoRoom { needed: u64, bytes: u64, files: usize },
    /// It is no picture.
    #[error("the frames are {0}, and only image/jpeg is recorded: have the driver send it, or remove the property")]
    NotJpeg(ContentType),
    /// It is no JPEG that a video can be made of.
    #[error(
        "a frame of {0} bytes has no readable JPEG header, so that its size is not known: the camera sends damaged pictures"
    )]
    Damaged(usize),
    /// A thread that wrote has panicked.
    #[error("writing has panicked: report it, with the log")]
    Panicked,
}

impl RecordError {
    pub(super) fn on(attempt: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |reason| Self::Io { attempt, path, reason }
    }

    /// Whether the files are as the ring knows them: nothing was written.
    pub(crate) fn is_of_frame(&self) -> bool {
        matches!(self, Self::NoRoom { .. } | Self::NotJpeg(_) | Self::Damaged(_))
    }
}
