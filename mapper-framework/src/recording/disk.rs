//! The seam at which tests have a disk that is full.

use std::{
    fmt,
    fs::File,
    io::{self, Write as _},
};

/// What takes the bytes of recordings.
pub(crate) trait Disk: fmt::Debug + Send + Sync {
    /// Writes all bytes at the file's present place.
    ///
    /// # Errors
    ///
    /// Some of them may have been written.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
}

/// The disk of the system.
#[derive(Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }
}
