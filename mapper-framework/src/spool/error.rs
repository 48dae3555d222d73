//! Why the spool could not do what it was asked for.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the spool could not do what it was asked for. It stays usable: the same call may succeed later.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// Another process has the folder, or this one has it twice.
    #[error("the spool in {} is in use: give each mapper a `spool.dir` of its own", folder.display())]
    InUse {
        /// The spool's folder.
        folder: PathBuf,
    },

    /// The spools of other targets take all the room, and none of them can make some.
    #[error(
        "the spools of all targets take up the {limit} bytes of `spool.total_bytes`: raise it, or put right a target that is away"
    )]
    Crowded {
        /// How many bytes all of them may take.
        limit: u64,
    },

    /// The operating system refused something.
    #[error("cannot {attempt} {}: {reason}", path.display())]
    Io {
        /// What was tried.
        attempt: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
}

impl SpoolError {
    /// Puts what was tried, and with which file, before what the operating system says.
    pub(super) fn on(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |reason| Self::Io { attempt, path: path.to_owned(), reason }
    }

    /// Whether it is room on the disk that lacks.
    #[cfg(test)]
    pub(crate) fn is_disk_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Io { reason, .. } if full.contains(&reason.kind()))
    }
}

/// A record that no segment has room for. It is left out, and the others are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record of {bytes} bytes does not fit into the spool, which takes up to {limit} (an eighth of `spool.max_bytes`, and 8 MiB at most)"
)]
pub(crate) struct TooLarge {
    /// Which one, counted from 0, of those that were to be stored.
    pub(crate) index: usize,
    /// Its size.
    pub(crate) bytes: usize,
    /// The size of the largest record that fits.
    pub(crate) limit: usize,
}
