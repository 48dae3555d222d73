//! The file: opened once, appended to, and written anew when it has grown, is damaged, or was left in an unknown state by a failure.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::config::FirstStart;

use super::{
    super::{
        files::{FileError, beside, folder_of, sync_folder_of},
        lock::Lock,
    },
    Remembered,
    disk::{Disk, DiskFile, link_or_copy},
    entries::Key,
    format::{self, Header},
    recovery::{self, Condition, Found},
};

/// How many files with damage are kept for whoever wants to look into them, the newest as `.aside.1`.
const KEPT_ASIDE: usize = 3;

/// A file is not written anew before it has grown by this, however small it was.
pub(super) const GROWTH: u64 = 64 << 10;

/// No file is read that is larger: it was never written by a memory.
const LARGEST: u64 = 1 << 30;

/// The file of a memory.
pub(super) struct MemoryFile {
    path: PathBuf,
    disk: Box<dyn Disk>,
    /// Keeps other mappers out. `None` until it could be taken.
    lock: Option<Lock>,
    /// Where lines are appended. `None` if the file has to be written anew before.
    tail: Option<Tail>,
    /// Whether what lies there has to be set aside before a new file takes its place.
    is_aside_due: bool,
    growth: u64,
}

/// The end of a file that is sound.
struct Tail {
    file: Box<dyn DiskFile>,
    last_number: u64,
    bytes: u64,
    /// The size at which it is written anew.
    limit: u64,
}

/// What was found when the file was opened.
pub(super) struct Opened {
    /// `None` if nothing may be written over the run.
    pub(super) file: Option<MemoryFile>,
    pub(super) found: Found,
    pub(super) problem: Option<Problem>,
}

/// Why the file cannot be read or written.
pub(super) enum Problem {
    /// Another mapper has it.
    InUse,
    /// It is there, or may be, and cannot be read.
    Unreadable(FileError),
    /// It can be read, or is not there, and cannot be written.
    Unwritable(FileError),
}

impl MemoryFile {
    /// Opens the file at a path, or makes it, and the folder around it.
    pub(super) fn open(path: &Path, first_start: FirstStart, disk: Box<dyn Disk>, growth: u64) -> Opened {
        let made = fs::create_dir_all(folder_of(path)).map_err(FileError::on("make", folder_of(path)));
        let mut file = Self { path: path.to_owned(), disk, lock: None, tail: None, is_aside_due: false, growth };
        let locked = made.and_then(|()| file.lock());
        if matches!(locked, Ok(false)) {
            return Opened { file: None, found: nothing(false), problem: Some(Problem::InUse) };
        }
        let content = match read(path) {
            Ok(content) => content,
            Err(error) => {
                let problem = Problem::Unreadable(FileError::on("read", path)(error));
                return Opened { file: None, found: nothing(false), problem: Some(problem) };
            }
        };
        let found = content.as_deref().map_or_else(|| nothing(first_start == FirstStart::Write), recovery::read);
        file.is_aside_due = matches!(found.condition, Condition::Damaged { .. } | Condition::OtherVersion(_));
        let ready = locked.and_then(|_| match content {
            Some(content) if found.condition == Condition::Sound => {
                file.continue_at(found.last_number, content.len() as u64)
            }
            _ => file.write_anew(&snapshot(&found), found.is_complete),
        });
        Opened { file: Some(file), found, problem: ready.err().map(Problem::Unwritable) }
    }

    /// Whether lines can be appended, so that no new file is needed.
    pub(super) fn is_ready(&self) -> bool {
        self.tail.as_ref().is_some_and(|tail| tail.bytes < tail.limit)
    }

    /// Whether what was forced to the disk so far is still known to be there.
    pub(super) fn is_sound(&self) -> bool {
        self.tail.is_some()
    }

    /// Where a damaged file goes.
    pub(super) fn aside(path: &Path) -> PathBuf {
        aside(path, 1)
    }

    /// Appends the last word on these properties, and forces it to the disk.
    pub(super) fn append(&mut self, changes: &[(Key, Option<Remembered>)]) -> Result<(), FileError> {
        let Some(mut tail) = self.tail.take() else { return Ok(()) };
        let mut lines = Vec::new();
        for (key, entry) in changes {
            tail.last_number += 1;
            format::push_line(tail.last_number, key, entry.as_ref(), &mut lines);
        }
        tail.file.write_all(&lines).map_err(FileError::on("write", &self.path))?;
        tail.file.sync_data().map_err(FileError::on("sync", &self.path))?;
        tail.bytes += lines.len() as u64;
        self.tail = Some(tail);
        Ok(())
    }

    /// Writes a new file in the place of the one that is there, whole or not at all. Where that fails, the old one stays.
    pub(super) fn write_anew(&mut self, entries: &[(Key, Remembered)], is_complete: bool) -> Result<(), FileError> {
        if self.lock.is_none() && !self.lock()? {
            let in_use = io::Error::other("another mapper has it");
            return Err(FileError::on("lock", &self.path)(in_use));
        }
        let new = beside(&self.path, ".new");
        let mut content = Header::encode(is_complete).into_bytes();
        let mut last_number = 0;
        for (key, entry) in entries {
            last_number += 1;
            format::push_line(last_number, key, Some(entry), &mut content);
        }
        let mut file = self.disk.create(&new).map_err(FileError::on("make", &new))?;
        let written = file.write_all(&content).and_then(|()| file.sync_data()).map_err(FileError::on("write", &new));
        let replaced = written.and_then(|()| self.replace_by(&new));
        if let Err(error) = replaced {
            // What stays of it is written over at the next attempt.
            fs::remove_file(&new).ok();
            return Err(error);
        }
        let bytes = content.len() as u64;
        self.tail = Some(Tail { file, last_number, bytes, limit: limit(bytes, self.growth) });
        Ok(())
    }

    /// Goes on without the new file that could not be written, since the old one is sound.
    pub(super) fn put_off_new_file(&mut self) {
        let growth = self.growth;
        if let Some(tail) = &mut self.tail {
            tail.limit = limit(tail.bytes, growth);
        }
    }

    fn lock(&mut self) -> Result<bool, FileError> {
        let path = beside(&self.path, ".lock");
        self.lock = Lock::take(&path).map_err(FileError::on("lock", &path))?;
        Ok(self.lock.is_some())
    }

    /// Appends to the file from now on.
    fn continue_at(&mut self, last_number: u64, bytes: u64) -> Result<(), FileError> {
        let file = self.disk.open_at_end(&self.path).map_err(FileError::on("write", &self.path))?;
        self.tail = Some(Tail { file, last_number, bytes, limit: limit(bytes, self.growth) });
        Ok(())
    }

    /// Puts a new file into the place of the one that is there, at no time without a file of that name: one that is not there would be
    /// taken for a first start.
    fn replace_by(&mut self, new: &Path) -> Result<(), FileError> {
        if self.is_aside_due {
            self.keep_aside()?;
        }
        fs::rename(new, &self.path).map_err(FileError::on("replace", &self.path))?;
        self.is_aside_due = false;
        sync_folder_of(&self.path).map_err(FileError::on("sync the folder of", &self.path))
    }

    /// Gives the file another name beside its own, and drops the oldest that is kept so.
    fn keep_aside(&self) -> Result<(), FileError> {
        let newest = aside(&self.path, 1);
        for number in (1..KEPT_ASIDE).rev() {
            let (from, to) = (aside(&self.path, number), aside(&self.path, number + 1));
            if let Err(error) = fs::rename(&from, &to)
                && !is_absent(&error)
            {
                return Err(FileError::on("rename", &from)(error));
            }
        }
        link_or_copy(&self.path, &newest).map_err(FileError::on("set aside to", &newest))
    }
}

fn aside(path: &Path, number: usize) -> PathBuf {
    beside(path, &format!(".aside.{number}"))
}

/// How large a file of so many bytes gets before it is written anew.
fn limit(bytes: u64, growth: u64) -> u64 {
    bytes * 2 + growth
}

fn snapshot(found: &Found) -> Vec<(Key, Remembered)> {
    found.entries.iter().map(|(key, entry)| (key.clone(), entry.clone())).collect()
}

fn nothing(is_complete: bool) -> Found {
    Found { entries: Default::default(), is_complete, last_number: 0, condition: Condition::Sound }
}

/// The content of the file; `None` if there is none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let found = fs::metadata(path).and_then(|metadata| match metadata.len() {
        _ if !metadata.is_file() => Err(io::Error::other("it is not a file")),
        LARGEST.. => Err(io::Error::other("it is too large to be a memory of writes")),
        _ => fs::read(path).map(Some),
    });
    match found {
        Err(error) if is_absent(&error) => Ok(None),
        found => found,
    }
}

/// Whether a file is certainly not there.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
