//! Recordings of frames on disk: for each property that records, a ring of files that never takes more than its budget.
//!
//! A [`Recorder`] belongs to one property. It blocks, and is called on a thread that may. It has no clock: the time is an argument.
//! Files are named by the time of their first frame, and lie in a folder of their device. One that is being written ends in `.part`, so
//! that what is torn when the mapper is killed is known by its name, and is made whole when the ring is opened again.

mod avi;
mod disk;
mod error;
#[cfg(any(feature = "http", test))]
mod files;
mod names;
mod recorder;
mod repair;
mod ring;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use crate::model::{DeviceId, RecordRules};

use disk::{Disk, RealDisk};
pub(crate) use error::RecordError;
#[cfg(any(feature = "http", test))]
pub(crate) use files::RecordedFile;
pub(crate) use names::FileName;
pub(crate) use recorder::{Recorder, Written};

/// Gives the time that the age of files is judged by.
type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Where a mapper's recordings are. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Recordings {
    /// The folder of all devices' folders.
    dir: Arc<Path>,
    /// Whether the mapper's HTTP server has the files, so that it is there that their URIs lead.
    is_served: bool,
    clock: Clock,
    disk: Arc<dyn Disk>,
}

impl fmt::Debug for Recordings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recordings").field("dir", &self.dir).field("is_served", &self.is_served).finish_non_exhaustive()
    }
}

impl Recordings {
    /// Recordings below this folder, which is made when it is first needed.
    pub(crate) fn new(dir: impl Into<PathBuf>, is_served: bool) -> Self {
        let dir = Arc::from(dir.into());
        Self { dir, is_served, clock: Arc::new(SystemTime::now), disk: Arc::new(RealDisk) }
    }

    #[cfg(test)]
    pub(crate) fn with_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    #[cfg(test)]
    pub(crate) fn with_disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }

    /// The time.
    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// The folder of a device's files.
    pub(crate) fn folder(&self, device: &DeviceId) -> PathBuf {
        self.dir.join(names::encoded(device.namespace())).join(names::encoded(device.name()))
    }

    /// Opens the ring of a property, and makes whole what was torn. It blocks.
    ///
    /// # Errors
    ///
    /// The folder or a file in it cannot be used, or another mapper uses it.
    pub(crate) fn open(
        &self,
        device: &DeviceId,
        property: &str,
        rules: &RecordRules,
    ) -> Result<(Recorder, usize), RecordError> {
        Recorder::open(&self.folder(device), property, rules, Arc::clone(&self.disk))
    }

    /// Where a file is to be had: a path of the HTTP server if it has the files, or else a `file` URI.
    pub(crate) fn uri(&self, device: &DeviceId, file: &FileName) -> String {
        if self.is_served {
            return format!("/api/v2/devices/{}/{}/files/{file}", device.namespace(), device.name());
        }
        let path = self.folder(device).join(file.to_string());
        let path = std::path::absolute(&path).unwrap_or(path);
        format!("file://{}", path.display())
    }

    #[cfg(any(feature = "http", test))]
    /// The files of a device that are whole, in the order of their names. It blocks.
    ///
    /// # Errors
    ///
    /// The folder is there and cannot be read.
    pub(crate) fn list(&self, device: &DeviceId) -> io::Result<Vec<RecordedFile>> {
        files::list(&self.folder(device))
    }

    #[cfg(any(feature = "http", test))]
    /// Opens a file of a device by its name, with its size; `None` if it is not there. It blocks.
    ///
    /// # Errors
    ///
    /// It is there and cannot be read.
    pub(crate) fn read(&self, device: &DeviceId, name: &str) -> io::Result<Option<(File, FileName, u64)>> {
        // Only names that a ring gives: no path leads out of the folder.
        let Some(name) = FileName::parse(name) else { return Ok(None) };
        files::read(&self.folder(device), name)
    }
}
