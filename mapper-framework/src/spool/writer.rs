//! Writes the newest segment.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::config::SpoolSync;

use super::{
    error::SpoolError,
    files::{Name, sync_folder},
    format::Header,
};

/// Makes files. Tests have one that is full.
pub(super) trait Disk: Send {
    /// Makes a file that does not exist yet.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
}

/// A file to write to.
pub(super) trait DiskFile: Write + Send {
    /// Forces what was written to the disk.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Cuts what stands behind.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;
}

/// The disk of the operating system.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        // What devices measure is nobody else's.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(file))
    }
}

impl DiskFile for File {
    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        File::set_len(self, bytes)
    }
}

/// Writes one segment. After a failure it is of no more use but to [`cut`](Self::cut) what was half written.
pub(super) struct Writer {
    number: u64,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    sync: SpoolSync,
}

impl Writer {
    /// Makes a segment with nothing but a header. Where that fails, nothing stays of it.
    pub(super) fn create(disk: &dyn Disk, folder: &Path, number: u64, sync: SpoolSync) -> Result<Self, SpoolError> {
        let path = Name::segment(number).within(folder);
        let file = disk.create(&path).map_err(SpoolError::on("create", &path))?;
        let mut writer = Self { number, path, file, sync };
        match writer.begin(folder) {
            Ok(()) => Ok(writer),
            Err(error) => {
                // Without records it is of no use. If it stays all the same, it is removed when the spool is next opened.
                fs::remove_file(&writer.path).ok();
                Err(error)
            }
        }
    }

    fn begin(&mut self, folder: &Path) -> Result<(), SpoolError> {
        self.file.write_all(&Header::encode(self.number)).map_err(SpoolError::on("write", &self.path))?;
        if self.sync == SpoolSync::Batch {
            sync_folder(folder).map_err(SpoolError::on("sync", folder))?;
        }
        Ok(())
    }

    /// The segment's number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Writes frames, and forces them to the disk if that is the policy.
    pub(super) fn write(&mut self, frames: &[u8]) -> Result<(), SpoolError> {
        self.file.write_all(frames).map_err(SpoolError::on("write", &self.path))?;
        if self.sync == SpoolSync::Batch {
            self.file.sync_data().map_err(SpoolError::on("sync", &self.path))?;
        }
        Ok(())
    }

    /// Cuts what stands behind `end`.
    pub(super) fn cut(&mut self, end: u64) -> io::Result<()> {
        self.file.set_len(end)?;
        if self.sync == SpoolSync::Batch {
            // So that no power loss brings it back. On a disk that fails, this is all that can be done.
            self.file.sync_data().ok();
        }
        Ok(())
    }
}
