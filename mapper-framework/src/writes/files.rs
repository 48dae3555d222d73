//! What both stores need of files: where they lie, and what to say of one that cannot be used.

use std::{
    ffi::OsString,
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// Why a file could not be used.
#[derive(Debug)]
pub(super) struct FileError {
    attempt: &'static str,
    path: PathBuf,
    reason: io::Error,
}

impl FileError {
    /// Puts what was tried, and with which file, before what the operating system says.
    pub(super) fn on(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |reason| Self { attempt, path: path.to_owned(), reason }
    }
}

impl FileError {
    /// That another mapper has the file, which may let go of it.
    pub(super) fn in_use(path: &Path, cure: &str) -> Self {
        let reason = io::Error::new(io::ErrorKind::WouldBlock, format!("another mapper has it: {cure}"));
        Self { attempt: "lock", path: path.to_owned(), reason }
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.reason.kind() == io::ErrorKind::WouldBlock
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.attempt, self.path.display(), self.reason)
    }
}

/// The path of a file that lies beside another.
pub(super) fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(extension);
    name.into()
}

/// Forces the names of the files in the folder of this file to the disk.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// The folder that a file lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
