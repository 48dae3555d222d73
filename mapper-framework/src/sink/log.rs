//! The spool of one target, as its worker and those who need its room share it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::spool::{Appended, Spool, SpoolError};

use super::{
    Record,
    codec::{Decoder, encode},
    monitor::Monitor,
    shelf::Shelf,
};

/// Why records make room that have some of their own.
const CROWDED: &str = "the spools of all targets are full (spool.total_bytes), and the oldest of the largest make room";

/// A spool that is open. All but [`level`](Self::level) block: call them where that is allowed.
#[derive(Debug)]
pub(super) struct Log {
    monitor: Arc<Monitor>,
    shelf: Arc<Shelf>,
    files: Mutex<Files>,
    /// What there was at the end of the last work on the files, for those who must not wait for it.
    level: Mutex<Level>,
}

/// The spool, and what makes records of its bytes.
#[derive(Debug)]
struct Files {
    spool: Spool,
    decoder: Decoder,
    /// Whether it makes no room any more.
    kept: bool,
}

/// How much a spool holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Level {
    /// Records that are not acknowledged.
    pub(super) pending: u64,
    /// Those of them that have not been read.
    pub(super) unread: u64,
    /// Whether those that have been read would be read again at the next start.
    pub(super) has_read: bool,
    pub(super) bytes: u64,
}

impl Level {
    fn of(spool: &Spool) -> Self {
        Self { pending: spool.pending(), unread: spool.unread(), has_read: spool.has_leased(), bytes: spool.bytes() }
    }
}

impl Log {
    /// Puts a spool on the shelf. What it holds is in the account already.
    pub(super) fn new(spool: Spool, monitor: Arc<Monitor>, shelf: Arc<Shelf>) -> Arc<Self> {
        let level = Level::of(&spool);
        monitor.set_on_disk((level.pending, level.bytes));
        let files = Mutex::new(Files { spool, decoder: Decoder::new(monitor.target.clone()), kept: false });
        let log = Arc::new(Self { monitor, shelf, files, level: Mutex::new(level) });
        log.shelf.place(&log.monitor.target, Arc::downgrade(&log), level.bytes);
        log
    }

    /// How much it holds. Never waits.
    pub(super) fn level(&self) -> Level {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room among all spools for what this one has.
    pub(super) fn fit(&self) -> Result<(), SpoolError> {
        self.shelf.make_room(&self.monitor.target, 0)
    }

    /// Writes records behind those that are there.
    pub(super) fn append(&self, records: &[Record]) -> Appended {
        let encoded: Vec<Vec<u8>> = records.iter().map(encode).collect();
        let needed = self.files().spool.bytes_for(encoded.iter().map(Vec::len));
        if let Err(error) = self.shelf.make_room(&self.monitor.target, needed) {
            return Appended { failure: Some(error), ..Appended::default() };
        }
        let appended = self.work(|files| files.spool.append(encoded.iter().map(Vec::as_slice)));
        self.shelf.settle(&self.monitor.target);
        appended
    }

    /// The next records, and how many could not be read.
    pub(super) fn read(&self, max_records: usize, max_bytes: usize) -> Result<(Vec<Record>, usize), SpoolError> {
        self.work(|Files { spool, decoder, .. }| {
            let batch = spool.read(max_records, max_bytes)?;
            let records: Vec<_> = batch.records.iter().filter_map(|bytes| decoder.decode(bytes)).collect();
            let lost = batch.lost as usize + (batch.records.len() - records.len());
            Ok((records, lost))
        })
    }

    /// All records that were read are done with.
    pub(super) fn acknowledge(&self) -> Result<(), SpoolError> {
        self.work(|files| files.spool.acknowledge())
    }

    /// Makes room for another spool, and counts what that costs. False if there is nothing to remove.
    pub(super) fn give_way(&self) -> Result<bool, SpoolError> {
        let mut dropped = 0;
        // One that is kept is not asked again.
        let removed = self.work(|files| if files.kept { Ok(true) } else { files.spool.remove_oldest(&mut dropped) });
        if dropped > 0 {
            self.monitor.dropped(dropped as usize, CROWDED);
        }
        removed
    }

    /// Makes no room for others any more. Whether it still has all that was read and not acknowledged.
    pub(super) fn keep(&self) -> bool {
        self.work(|files| {
            files.kept = true;
            self.shelf.keep(&self.monitor.target);
            files.spool.has_leased()
        })
    }

    /// Whether it holds nothing that anybody may want.
    pub(super) fn is_bare(&self) -> bool {
        self.files().spool.is_bare()
    }

    /// Removes it from the disk, with all that it holds.
    pub(super) fn remove(&self) -> Result<(), SpoolError> {
        self.work(|files| files.spool.remove())
    }

    fn work<T>(&self, work: impl FnOnce(&mut Files) -> T) -> T {
        let mut files = self.files();
        let done = work(&mut files);
        let level = Level::of(&files.spool);
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = level;
        self.shelf.set(&self.monitor.target, level.bytes);
        self.monitor.set_on_disk((level.pending, level.bytes));
        done
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shelf.close(&self.monitor.target);
    }
}
