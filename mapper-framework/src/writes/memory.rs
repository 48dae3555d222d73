//! What became of the last wish for each property, over restarts, upgrades and crashes.
//!
//! A *wish* is the desired value of a property. Without a memory, a restart would write each of them again.
//!
//! # File
//!
//! One file, with a line for each change; [`format`] has its form. It is appended to and forced to the disk before
//! [`WriteMemory::remember`] returns, and written anew, beside the old one and then in its place, when it has grown to twice its size.
//!
//! | beside the file | what |
//! | --- | --- |
//! | `.lock` | locked by the mapper that has it |
//! | `.new` | a new file while it is written |
//! | `.aside.1` to `.aside.3` | files with damage or of another version, the newest first |
//!
//! # What survives what
//!
//! | fault | cost |
//! | --- | --- |
//! | the process is killed, the power is lost | nothing that was durable |
//! | a full disk | nothing while the mapper runs: it is written once there is room |
//! | a damaged line | the entry it belongs to, or all before it where the line no longer shows whose it is; and [`is_complete`] |
//! | a file that cannot be read, or of another version | all entries, and [`is_complete`] |
//! | more than 100,000 entries, or 64 MiB of them | the oldest, those of devices that are gone first; and [`is_complete`] |
//!
//! [`is_complete`]: WriteMemory::is_complete

mod disk;
mod entries;
mod file;
mod format;
mod recovery;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt, mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    config::FirstStart,
    model::DeviceId,
    telemetry::{
        Occurrence, Telemetry,
        memory::{
            MemoryDamaged, MemoryFailed, MemoryFull, MemoryInUse, MemoryOfOtherVersion, MemoryUnreadable,
            MemoryUnwritable, MemoryWorks,
        },
    },
};

use super::{
    files::FileError,
    lock::{LOCK_ATTEMPTS, LOCK_PAUSE},
};
use disk::RealDisk;
use entries::{Entries, Key, Limits};
use file::{GROWTH, MemoryFile, Opened, Problem};
use recovery::Condition;

/// Wishes of more bytes are kept by their digest.
const MAX_WISH: usize = 64 << 10;

/// What became of the last wish for each property; kept over restarts. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct WriteMemory(Arc<Shared>);

/// What became of the last wish for a property.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Remembered {
    /// The desired value, verbatim. One of more than 64 KiB comes back from the disk as its digest: compare by
    /// [`is_of`](Self::is_of).
    pub(crate) wish: String,
    pub(crate) outcome: Outcome,
    /// How often it was tried to write it.
    pub(crate) attempts: u32,
    /// When the wish was first seen.
    pub(crate) since: SystemTime,
}

impl Remembered {
    /// Whether this is what became of a desired value.
    pub(crate) fn is_of(&self, desired: &str) -> bool {
        self.wish == desired || (desired.len() > MAX_WISH && self.wish == format::digest(desired))
    }
}

/// How a wish stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It was not written yet.
    Pending,
    /// It was or is being written, and is not acknowledged.
    Attempted,
    /// The device has taken it, and was not read to have it.
    Written,
    /// The device has it.
    Acknowledged,
    /// The device or the mapper refuses it for good.
    Refused,
    /// It was too old to be written.
    Expired,
    /// It may have been written or not.
    Unknown,
}

/// Whether a change is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durable {
    /// It is there after a restart, and after a power loss.
    Yes,
    /// It counts until the mapper ends, and is written with the next change that can be.
    No,
}

/// What is done about changes that could not be written.
#[derive(Clone, Copy, PartialEq)]
enum Failed {
    /// They are left to the next change.
    Accept,
    /// They are tried again.
    Retry,
}

struct Shared {
    /// Locked for look-ups and changes in RAM, and to copy what is to be written.
    book: Mutex<Book>,
    /// `None` if nothing is written over the run.
    writer: Option<Arc<tokio::sync::Mutex<Writer>>>,
    telemetry: Telemetry,
}

/// The entries, and what of them is not written yet.
struct Book {
    entries: Entries,
    changed: BTreeSet<Key>,
    /// The number of the last change.
    last_change: u64,
    /// Whether the file's header has to change.
    is_new_file_due: bool,
}

/// Writes the file, one batch after the other.
struct Writer {
    path: PathBuf,
    file: MemoryFile,
    /// The number of the last change that it has dealt with, and how.
    settled: (u64, Durable),
    is_failing: bool,
}

impl WriteMemory {
    /// Opens the file, or makes it. Never fails: what is wrong is reported, and the memory then works in RAM.
    ///
    /// Where there is none, and desired values are held on a first start, the memory is incomplete from the beginning.
    pub(crate) async fn open(path: PathBuf, first_start: FirstStart, telemetry: Telemetry) -> Self {
        let mut attempt = 1;
        loop {
            let place = path.clone();
            let opened =
                spawn_blocking(move || MemoryFile::open(&place, first_start, Box::new(RealDisk), GROWTH)).await;
            match opened {
                Ok(Opened { problem: Some(Problem::InUse), .. }) if attempt < LOCK_ATTEMPTS => sleep(LOCK_PAUSE).await,
                Ok(opened) => break Self::opened(path, opened, Limits::DEFAULT, telemetry),
                // Only a runtime that shuts down cancels, and then nobody goes on.
                Err(_) => break Self::volatile(),
            }
            attempt += 1;
        }
    }

    /// Keeps nothing over a restart.
    pub(crate) fn volatile() -> Self {
        Self(Arc::new(Shared {
            book: Mutex::new(Book::new(Entries::new(Limits::DEFAULT))),
            writer: None,
            telemetry: Telemetry::default(),
        }))
    }

    fn opened(path: PathBuf, opened: Opened, limits: Limits, telemetry: Telemetry) -> Self {
        report(&path, &opened, &telemetry);
        let Opened { file, found, problem } = opened;
        let mut entries = Entries::new(limits);
        entries.is_complete = found.is_complete;
        found.entries.into_iter().for_each(|(key, entry)| entries.load(key, entry));
        let is_failing = problem.is_some();
        let settled = (0, if is_failing { Durable::No } else { Durable::Yes });
        let writer = file.map(|file| Writer { path, file, settled, is_failing });
        let writer = writer.map(|writer| Arc::new(tokio::sync::Mutex::new(writer)));
        Self(Arc::new(Shared { book: Mutex::new(Book::new(entries)), writer, telemetry }))
    }

    /// Whether a property of which nothing is remembered has never had a wish written. Not so for the rest of a file's life once it was
    /// damaged, could not be read, or had no room for all entries, or when it was made on a first start that holds desired values.
    /// Remove the file for another first start.
    pub(crate) fn is_complete(&self) -> bool {
        self.0.book().entries.is_complete
    }

    /// What is remembered of a property.
    pub(crate) fn recall(&self, device: &DeviceId, property: &str) -> Option<Remembered> {
        self.0.book().entries.recall(device, property)
    }

    /// Keeps an entry in the place of the one before. Returns when it is on the disk, or when that has failed, which is reported once
    /// until it succeeds again. Whoever no longer waits for it does not undo it.
    pub(crate) async fn remember(&self, device: &DeviceId, property: &str, entry: Remembered) -> Durable {
        self.change(|book| book.remember(device, property, entry)).await
    }

    /// Drops what is remembered of a property.
    pub(crate) async fn forget(&self, device: &DeviceId, property: &str) {
        self.change(|book| book.forget(device, property)).await;
    }

    /// Drops what is remembered of a device.
    pub(crate) async fn forget_device(&self, device: &DeviceId) {
        self.change(|book| {
            for property in book.entries.properties(device) {
                book.forget(device, &property);
            }
        })
        .await;
    }

    /// Waits until all changes so far are on the disk, or cannot be written.
    pub(crate) async fn flush(&self) -> Durable {
        let change = self.0.book().last_change;
        self.settle(change, Failed::Retry).await
    }

    async fn change(&self, change: impl FnOnce(&mut Book)) -> Durable {
        let (number, dropped) = {
            let mut book = self.0.book();
            change(&mut book);
            (book.last_change, book.make_room())
        };
        if dropped > 0 {
            self.0.telemetry.emit(MemoryFull { entries: dropped });
        }
        self.settle(number, Failed::Accept).await
    }

    /// Has all changes up to a number written.
    async fn settle(&self, change: u64, failed: Failed) -> Durable {
        let shared = Arc::clone(&self.0);
        let Some(writer) = shared.writer.clone() else { return Durable::No };
        // As a task of its own, so that it goes on when whoever waits for it is cancelled.
        let settling = tokio::spawn(async move {
            let mut writer = writer.lock_owned().await;
            let (settled, durable) = writer.settled;
            if settled >= change && (durable == Durable::Yes || failed == Failed::Accept) {
                // Another change has taken this one along.
                return durable;
            }
            spawn_blocking(move || writer.write(&shared)).await.unwrap_or(Durable::No)
        });
        settling.await.unwrap_or(Durable::No)
    }
}

impl Shared {
    /// A book that a panic was in the middle of is no less usable.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteMemory").field("is_kept", &self.writer.is_some()).finish_non_exhaustive()
    }
}

impl Book {
    fn new(entries: Entries) -> Self {
        Self { entries, changed: BTreeSet::new(), last_change: 0, is_new_file_due: false }
    }

    fn remember(&mut self, device: &DeviceId, property: &str, entry: Remembered) {
        self.entries.remember(device, property, entry);
        self.changed(device, property);
    }

    fn forget(&mut self, device: &DeviceId, property: &str) {
        if self.entries.forget(device, property) {
            self.changed(device, property);
        }
    }

    fn changed(&mut self, device: &DeviceId, property: &str) {
        self.changed.insert((device.clone(), property.to_owned()));
        self.last_change += 1;
    }

    fn make_room(&mut self) -> usize {
        let dropped = self.entries.make_room();
        self.is_new_file_due |= dropped > 0;
        dropped
    }

    /// The last word on each property that has changed.
    fn take_changes(&mut self) -> Vec<(Key, Option<Remembered>)> {
        let changed = mem::take(&mut self.changed).into_iter();
        changed.map(|key| (key.clone(), self.entries.get(&key).cloned())).collect()
    }
}

impl Writer {
    /// Writes all changes so far.
    fn write(&mut self, shared: &Shared) -> Durable {
        let mut book = shared.book();
        let last_change = book.last_change;
        let written = if self.file.is_ready() && !book.is_new_file_due {
            let changes = book.take_changes();
            drop(book);
            self.file.append(&changes)
        } else {
            self.write_anew(book, shared)
        };
        self.settled = (last_change, self.report(&written, &shared.telemetry));
        self.settled.1
    }

    fn write_anew(&mut self, mut book: MutexGuard<'_, Book>, shared: &Shared) -> Result<(), FileError> {
        let (changes, all, is_complete) = (book.take_changes(), book.entries.snapshot(), book.entries.is_complete);
        let is_due = mem::take(&mut book.is_new_file_due);
        drop(book);
        let written = self.file.write_anew(&all, is_complete);
        if written.is_err() && self.file.is_sound() && !is_due {
            // It was only to become smaller.
            self.file.put_off_new_file();
            return self.file.append(&changes);
        }
        shared.book().is_new_file_due |= written.is_err();
        written
    }

    /// Reports a failure when it begins, and its end.
    fn report(&mut self, written: &Result<(), FileError>, telemetry: &Telemetry) -> Durable {
        let path = self.path.as_path();
        match written {
            Ok(()) => {
                if mem::take(&mut self.is_failing) {
                    telemetry.emit(MemoryWorks { path });
                }
                Durable::Yes
            }
            Err(error) => {
                let occurrence = Occurrence::first_if(!mem::replace(&mut self.is_failing, true));
                telemetry.emit(MemoryFailed { path, error, occurrence });
                Durable::No
            }
        }
    }
}

/// Reports what is wrong with a file that was opened.
fn report(path: &Path, opened: &Opened, telemetry: &Telemetry) {
    let aside = MemoryFile::aside(path);
    match opened.found.condition {
        Condition::Damaged { line, lost } => {
            telemetry.emit(MemoryDamaged { path, line, entries: lost, aside: &aside });
        }
        Condition::OtherVersion(version) => {
            telemetry.emit(MemoryOfOtherVersion { path, version, aside: &aside });
        }
        Condition::Sound | Condition::Torn => {}
    }
    match &opened.problem {
        Some(Problem::InUse) => telemetry.emit(MemoryInUse { path }),
        Some(Problem::Unreadable(error)) => telemetry.emit(MemoryUnreadable { path, error }),
        Some(Problem::Unwritable(error)) => telemetry.emit(MemoryUnwritable { path, error }),
        None => {}
    }
}
