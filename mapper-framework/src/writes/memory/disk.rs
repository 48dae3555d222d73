//! What the file is written with. Tests have a disk that is full.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Makes and opens files.
pub(super) trait Disk: Send {
    /// Makes a file anew, whatever has its name.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to write at its end.
    fn open_at_end(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
}

/// A file to write to.
pub(super) trait DiskFile: Write + Send {
    /// Forces what was written to the disk.
    fn sync_data(&mut self) -> io::Result<()>;
}

/// The disk of the operating system.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        // What users want of their devices is nobody else's.
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(Box::new(file))
    }

    fn open_at_end(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }
}

impl DiskFile for File {
    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }
}

/// Gives a file a second name, or makes a copy where the disk knows no second names.
pub(super) fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}
