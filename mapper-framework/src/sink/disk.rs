//! The spool of one target, as its worker has it: on a thread that may block.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::{
    config::SpoolConfig,
    spool::{Options, Recovery, Spool, SpoolError},
    telemetry::{
        Occurrence,
        spool::{SpoolDamaged, SpoolFailed, SpoolMended, SpoolRecovered, SpoolWorks, SpoolWritten},
    },
};

use super::{Record, folder::TargetFolder, log::Log, monitor::Monitor, shelf::Shelf};

/// Why a record that waits for its target can be lost although there is room.
const TOO_LARGE: &str = "they are too large for the spool, which takes an eighth of spool.max_bytes, and 8 MiB at most";

/// Why a record that was on disk is lost.
const DAMAGED: &str = "they are damaged on disk";

/// A spool that is open.
#[derive(Debug)]
pub(super) struct Disk {
    log: Arc<Log>,
    folder: TargetFolder,
    /// Whether the last call has failed, which is logged once.
    failing: bool,
}

impl Disk {
    /// Opens the spool of a target, and counts what waits in it.
    pub(super) async fn open(
        config: &SpoolConfig,
        monitor: &Arc<Monitor>,
        shelf: &Arc<Shelf>,
    ) -> Result<Self, SpoolError> {
        let folder = TargetFolder::of(&monitor.target, &config.dir);
        // It may not have more than all have together.
        let options = Options { max_bytes: config.max_bytes.min(config.total_bytes), sync: config.sync };
        let (monitor, shelf) = (Arc::clone(monitor), Arc::clone(shelf));
        blocking(move || {
            let (spool, recovery) = Spool::open(&folder.log(), options)?;
            folder.label(&monitor.target)?;
            take_in(&recovery, &monitor);
            let log = Log::new(spool, Arc::clone(&monitor), shelf);
            let mut disk = Self { log, folder, failing: false };
            if let Err(error) = disk.log.fit() {
                disk.failed(&error, &monitor);
            }
            Ok(disk)
        })
        .await
    }

    /// How many records are not acknowledged.
    pub(super) fn pending(&self) -> u64 {
        self.log.level().pending
    }

    /// How many of them have not been read.
    pub(super) fn unread(&self) -> usize {
        usize::try_from(self.log.level().unread).unwrap_or(usize::MAX)
    }

    /// Whether what was read and not acknowledged is read again at the next start. It is not if it had to make room meanwhile.
    pub(super) fn has_read(&self) -> bool {
        self.log.level().has_read
    }

    /// Writes records behind those that are there. Gives back what could not be written, in its order.
    pub(super) async fn append(&mut self, records: Vec<Record>, monitor: &Monitor) -> Vec<Record> {
        let (appended, records) = self.with(move |log| (log.append(&records), records)).await;
        if appended.dropped > 0 {
            monitor.dropped(appended.dropped as usize, "the spool is full (spool.max_bytes), and the oldest make room");
        }
        if !appended.refused.is_empty() {
            monitor.dropped(appended.refused.len(), TOO_LARGE);
        }
        if appended.stored > 0 {
            monitor.telemetry.emit(SpoolWritten { target: &monitor.target });
        }
        match &appended.failure {
            Some(error) => self.failed(error, monitor),
            None if std::mem::take(&mut self.failing) => {
                monitor.telemetry.emit(SpoolWorks { target: &monitor.target });
            }
            None => {}
        }
        records.into_iter().skip(appended.settled()).collect()
    }

    /// The next records, which stay on disk until they are acknowledged.
    pub(super) async fn read(&mut self, max_records: usize, max_bytes: usize, monitor: &Monitor) -> Vec<Record> {
        match self.with(move |log| log.read(max_records, max_bytes)).await {
            Ok((records, 0)) => records,
            Ok((records, lost)) => {
                monitor.dropped(lost, DAMAGED);
                records
            }
            Err(error) => {
                self.failed(&error, monitor);
                Vec::new()
            }
        }
    }

    /// All records that were read are done with.
    pub(super) async fn acknowledge(&mut self, monitor: &Monitor) {
        if let Err(error) = self.with(Log::acknowledge).await {
            // The records come again at the next start; nothing is lost.
            self.failed(&error, monitor);
        }
    }

    /// From now on all that it holds stays for the next start. Whether what was read and not acknowledged is among it.
    pub(super) async fn keep(&mut self) -> bool {
        self.with(Log::keep).await
    }

    /// Closes the spool's files.
    pub(super) async fn close(self) {
        blocking(move || drop(self)).await;
    }

    /// Closes the spool of a target that nobody asks for any more. Nothing stays of one that holds nothing.
    pub(super) async fn close_for_good(self) {
        blocking(move || {
            if self.log.is_bare() && self.log.remove().is_ok() {
                self.folder.remove();
            }
        })
        .await;
    }

    /// Removes the spool with all that it holds, and returns how many bytes that was.
    pub(super) async fn remove(self, monitor: &Monitor) -> u64 {
        let bytes = self.log.level().bytes;
        let removed = blocking(move || self.log.remove().map(|()| self.folder.remove())).await;
        if let Err(error) = removed {
            // It is opened again at the next start.
            monitor.telemetry.emit(SpoolFailed {
                target: &monitor.target,
                error: &error,
                occurrence: Occurrence::First,
            });
        }
        bytes
    }

    fn failed(&mut self, error: &SpoolError, monitor: &Monitor) {
        let occurrence = Occurrence::first_if(!std::mem::replace(&mut self.failing, true));
        monitor.telemetry.emit(SpoolFailed { target: &monitor.target, error, occurrence });
    }

    async fn with<T: Send + 'static>(&mut self, work: impl FnOnce(&Log) -> T + Send + 'static) -> T {
        let log = Arc::clone(&self.log);
        blocking(move || work(&log)).await
    }
}

/// Counts what was found when a spool was opened.
fn take_in(recovery: &Recovery, monitor: &Monitor) {
    monitor.count(|account| account.produce(usize::try_from(recovery.pending).unwrap_or(usize::MAX)));
    if recovery.pending > 0 {
        monitor.telemetry.emit(SpoolRecovered { target: &monitor.target, records: recovery.pending });
    }
    if recovery.dropped > 0 {
        monitor.count(|account| account.produce(recovery.dropped as usize));
        monitor.dropped(recovery.dropped as usize, "spool.max_bytes is less than before, and the oldest make room");
    }
    if recovery.torn_bytes > 0 || recovery.cursor_lost {
        let (torn_bytes, cursor_lost) = (recovery.torn_bytes, recovery.cursor_lost);
        monitor.telemetry.emit(SpoolMended { target: &monitor.target, torn_bytes, cursor_lost });
    }
    if recovery.corrupt_segments + recovery.unknown_segments + recovery.corrupt_records > 0 {
        monitor.telemetry.emit(SpoolDamaged {
            target: &monitor.target,
            segments: recovery.corrupt_segments,
            unknown: recovery.unknown_segments,
            records: recovery.corrupt_records,
        });
    }
    if recovery.corrupt_records > 0 {
        monitor.count(|account| account.produce(recovery.corrupt_records as usize));
        monitor.dropped(recovery.corrupt_records as usize, DAMAGED);
    }
}

/// Runs what may block on a thread for it. A panic goes on in the caller.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down cancels, and then nobody goes on.
            Err(_) => std::future::pending().await,
        },
    }
}
