//! The files of one property: the oldest make room for new ones.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    FileName, RecordError,
    avi::part_of,
    disk::Disk,
    names::{FileKind, encoded},
    repair,
};

/// How long before the newest one pictures are looked at when a ring is opened: a power loss costs what a system had not written yet, for
/// half a minute and a little more by Linux's defaults (`vm.dirty_expire_centisecs`).
const LOOKED_AT: Duration = Duration::from_secs(120);

/// What a ring may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Budget {
    pub(super) files: usize,
    pub(super) bytes: u64,
    pub(super) age: Option<Duration>,
}

/// What a file that is being written takes, or is to take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    pub(super) files: usize,
    pub(super) bytes: u64,
}

/// The whole files of a property, the oldest first. Only one mapper has it.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) folder: PathBuf,
    pub(super) property: Arc<str>,
    budget: Budget,
    files: VecDeque<Kept>,
    bytes: u64,
    lock: File,
}

#[derive(Debug)]
struct Kept {
    name: FileName,
    bytes: u64,
    /// When it was finished.
    ended: SystemTime,
}

impl Ring {
    /// Takes in the files that are there. Returns how many of them were torn, too.
    pub(super) fn open(
        folder: &Path,
        property: &str,
        budget: Budget,
        disk: &Arc<dyn Disk>,
    ) -> Result<(Self, usize), RecordError> {
        let property: Arc<str> = encoded(property).into();
        let make = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        make.map_err(RecordError::on("make the folder", folder))?;
        let lock = lock(&folder.join(format!(".lock-{property}")))?;
        let mut ring = Self { folder: folder.to_owned(), property, budget, files: VecDeque::new(), bytes: 0, lock };
        let mended = ring.take_in(disk)?;
        Ok((ring, mended))
    }

    fn take_in(&mut self, disk: &Arc<dyn Disk>) -> Result<usize, RecordError> {
        let (mut found, mut torn) = self.find()?;
        let mut mended = torn.len();
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        mended += self.remove_damaged(&mut found)?;
        self.bytes = found.iter().map(|file| file.bytes).sum();
        self.files = found.into();
        torn.sort_unstable();
        for name in torn {
            if let Some((name, bytes)) = repair::mend(&self.folder, name, disk)? {
                let ended = modified(&self.folder.join(name.to_string())).unwrap_or_else(|| name.time());
                self.bytes += bytes;
                let place = self.files.partition_point(|file| file.name < name);
                self.files.insert(place, Kept { name, bytes, ended });
            }
        }
        self.make_room(Load::default(), Load::default())?;
        Ok(mended)
    }

    /// The files of this property, and the names of those that were not finished.
    fn find(&self) -> Result<(Vec<Kept>, Vec<FileName>), RecordError> {
        let failed = || RecordError::on("list", &self.folder);
        let (mut found, mut torn) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.folder).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let file_name = entry.file_name();
            let Some(text) = file_name.to_str() else { continue };
            let ours = |name: &str| FileName::parse(name).filter(|name| name.property() == &*self.property);
            if let Some(name) = text.strip_suffix(".part").and_then(ours) {
                torn.push(name);
            } else if let Some(name) = ours(text) {
                let metadata = entry.metadata().map_err(failed())?;
                let ended = metadata.modified().unwrap_or_else(|_| name.time());
                found.push(Kept { name, bytes: metadata.len(), ended });
            }
        }
        Ok((found, torn))
    }

    fn remove_damaged(&self, found: &mut Vec<Kept>) -> Result<usize, RecordError> {
        let newest = found.iter().map(|file| file.ended).max();
        let is_new = |file: &Kept| {
            newest.and_then(|newest| newest.duration_since(file.ended).ok()).is_some_and(|age| age <= LOOKED_AT)
        };
        let (mut whole, all) = (Vec::with_capacity(found.len()), found.len());
        for file in found.drain(..) {
            let path = self.folder.join(file.name.to_string());
            let is_picture = file.name.kind() == FileKind::Jpeg;
            if is_picture && is_new(&file) && !repair::is_whole_picture(&path).unwrap_or(true) {
                remove(&path)?;
            } else {
                whole.push(file);
            }
        }
        *found = whole;
        Ok(all - found.len())
    }

    /// Deletes the oldest files until there is room for more beside those that are being written. Where there would be none without any of
    /// them, they stay.
    ///
    /// # Errors
    ///
    /// There would be no room, or a file cannot be deleted.
    pub(super) fn make_room(&mut self, written: Load, more: Load) -> Result<(), RecordError> {
        let Budget { files, bytes, .. } = self.budget;
        let (new_files, new_bytes) = (written.files + more.files, written.bytes.saturating_add(more.bytes));
        if new_files > files || new_bytes > bytes {
            return Err(RecordError::NoRoom { needed: new_bytes, bytes, files });
        }
        while self.files.len() + new_files > files || self.bytes.saturating_add(new_bytes) > bytes {
            self.delete_oldest()?;
        }
        Ok(())
    }

    /// Deletes what is too old. What is of a time to come, since a clock was set back, is not.
    pub(super) fn expire(&mut self, now: SystemTime) -> Result<(), RecordError> {
        let Some(age) = self.budget.age else { return Ok(()) };
        let is_old = |file: &Kept| now.duration_since(file.ended).is_ok_and(|since| since > age);
        while self.files.front().is_some_and(is_old) {
            self.delete_oldest()?;
        }
        Ok(())
    }

    fn delete_oldest(&mut self) -> Result<(), RecordError> {
        if let Some(oldest) = self.files.front() {
            remove(&self.folder.join(oldest.name.to_string()))?;
            self.bytes -= oldest.bytes;
            self.files.pop_front();
        }
        Ok(())
    }

    /// A name for a file that begins at this time.
    pub(super) fn name(&self, time: SystemTime, kind: FileKind) -> FileName {
        let mut name = FileName::new(time, &self.property, kind);
        // Several frames may have the same time; and one from before, if the clock was set back.
        while self.is_taken(&name) {
            name = name.next();
        }
        name
    }

    fn is_taken(&self, name: &FileName) -> bool {
        part_of(&self.folder, name).exists() || self.folder.join(name.to_string()).exists()
    }

    /// Takes in a file that is whole.
    pub(super) fn add(&mut self, name: FileName, bytes: u64, ended: SystemTime) {
        self.bytes += bytes;
        self.files.push_back(Kept { name, bytes, ended });
    }

    /// The file that was finished last.
    pub(super) fn newest(&self) -> Option<&FileName> {
        self.files.back().map(|file| &file.name)
    }
}

impl Drop for Ring {
    /// Closing the file would not be enough: a process that is just being started has a copy of it for a moment.
    fn drop(&mut self) {
        self.lock.unlock().ok();
    }
}

fn lock(path: &Path) -> Result<File, RecordError> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.map_err(RecordError::on("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RecordError::InUse(path.parent().unwrap_or(path).to_owned())),
        Err(TryLockError::Error(error)) => Err(RecordError::on("lock", path)(error)),
    }
}

/// Removes a file. Somebody else may have done so.
fn remove(path: &Path) -> Result<(), RecordError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(RecordError::on("remove", path)(error)),
        _ => Ok(()),
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
