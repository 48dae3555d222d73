//! The records of one target on disk: the spool, on a thread that may block.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::{Value as Json, json};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

use crate::{
    config::SpoolConfig,
    spool::{Appended, Options, Spool, SpoolError},
    telemetry::{
        Occurrence,
        spool::{SpoolDamaged, SpoolFailed, SpoolMended, SpoolRecovered, SpoolWorks, SpoolWritten},
    },
};

use super::{
    Record, Target,
    codec::{Decoder, encode},
    monitor::Monitor,
};

/// The file that says for which target the records beside it wait, so that they are delivered even if no device asks for the target
/// any more.
const TARGET_FILE: &str = "target.json";

/// The folder of the spool itself, beside that file.
const LOG_FOLDER: &str = "log";

/// Why a record that waits for its target can be lost although there is room.
const TOO_LARGE: &str = "they are too large for the spool, which takes an eighth of spool.max_bytes, and 8 MiB at most";

/// Why a record that was on disk is lost.
const DAMAGED: &str = "they are damaged on disk";

/// A spool that is open.
#[derive(Debug)]
pub(super) struct Disk {
    /// Lent to the thread that works on it.
    log: Option<Log>,
    /// Whether the last call has failed, which is logged once.
    failing: bool,
}

/// The spool, and what makes records of its bytes.
#[derive(Debug)]
struct Log {
    spool: Spool,
    decoder: Decoder,
}

impl Disk {
    /// Opens the spool of a target, and counts what waits in it.
    pub(super) async fn open(config: &SpoolConfig, monitor: &Monitor) -> Result<Self, SpoolError> {
        let folder = config.dir.join(monitor.target.id());
        let (target, options) = (monitor.target.clone(), Options { max_bytes: config.max_bytes, sync: config.sync });
        let (spool, recovery) = blocking(move || {
            let opened = Spool::open(&folder.join(LOG_FOLDER), options)?;
            write_target(&folder, &target)?;
            Ok::<_, SpoolError>(opened)
        })
        .await?;
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
        Ok(Self { log: Some(Log { spool, decoder: Decoder::new(monitor.target.clone()) }), failing: false })
    }

    /// How many records are not acknowledged.
    pub(super) fn pending(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.spool.pending())
    }

    /// How many of them have not been read.
    pub(super) fn unread(&self) -> usize {
        let unread = self.log.as_ref().map_or(0, |log| log.spool.unread());
        usize::try_from(unread).unwrap_or(usize::MAX)
    }

    /// How many bytes the spool takes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.spool.bytes())
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
        if let Err(error) = self.with(|log| log.spool.acknowledge()).await {
            // The records come again at the next start; nothing is lost.
            self.failed(&error, monitor);
        }
    }

    /// Closes the spool's files.
    pub(super) async fn close(self) {
        blocking(move || drop(self)).await;
    }

    fn failed(&mut self, error: &SpoolError, monitor: &Monitor) {
        let occurrence = Occurrence::first_if(!std::mem::replace(&mut self.failing, true));
        monitor.telemetry.emit(SpoolFailed { target: &monitor.target, error, occurrence });
    }

    async fn with<T: Send + 'static>(&mut self, work: impl FnOnce(&mut Log) -> T + Send + 'static) -> T {
        let mut log = self.log.take().expect("who works on the log gives it back");
        let (log, done) = blocking(move || {
            let done = work(&mut log);
            (log, done)
        })
        .await;
        self.log = Some(log);
        done
    }
}

impl Log {
    fn append(&mut self, records: &[Record]) -> Appended {
        let encoded: Vec<Vec<u8>> = records.iter().map(encode).collect();
        self.spool.append(encoded.iter().map(Vec::as_slice))
    }

    /// The next records, and how many could not be read.
    fn read(&mut self, max_records: usize, max_bytes: usize) -> Result<(Vec<Record>, usize), SpoolError> {
        let batch = self.spool.read(max_records, max_bytes)?;
        let records: Vec<_> = batch.records.iter().filter_map(|bytes| self.decoder.decode(bytes)).collect();
        let lost = batch.lost as usize + (batch.records.len() - records.len());
        Ok((records, lost))
    }
}

/// A folder of which nothing is delivered, and what to do about it.
#[derive(Debug, PartialEq)]
pub(super) struct Stray {
    pub(super) folder: PathBuf,
    pub(super) cure: String,
}

/// The targets for which something lies in the folder, and the folders that belong to none.
pub(super) fn targets(folder: &Path) -> Vec<Result<Target, Stray>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let files = entries.filter_map(|entry| Some(entry.ok()?.path().join(TARGET_FILE)));
    files.filter(|file| file.is_file()).map(|file| target_of(&file)).collect()
}

/// The target by whose name a folder goes.
fn target_of(file: &Path) -> Result<Target, Stray> {
    let folder = file.parent().unwrap_or(file).to_owned();
    match read_target(file) {
        // One that was moved or copied is nobody's.
        Some(target) if folder.file_name().is_some_and(|name| name.to_str() == Some(&target.id())) => Ok(target),
        Some(target) => Err(Stray { folder, cure: format!("name it {}, if that is not there", target.id()) }),
        None => Err(Stray {
            folder,
            cure: format!("{TARGET_FILE} in it cannot be read: put it right, or remove the folder"),
        }),
    }
}

fn read_target(file: &Path) -> Option<Target> {
    let document: Json = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    Some(Target::new(document.get("kind")?.as_str()?, document.get("settings")?))
}

/// Writes the file whole or not at all, for the mapper's eyes only.
fn write_target(folder: &Path, target: &Target) -> Result<(), SpoolError> {
    let file = folder.join(TARGET_FILE);
    if target_of(&file).is_ok() {
        return Ok(());
    }
    let document = json!({"kind": target.kind(), "settings": target.raw_settings()});
    let written = NamedTempFile::new_in(folder).and_then(|mut temporary| {
        writeln!(temporary, "{document:#}")?;
        temporary.as_file().sync_all()?;
        temporary.persist(&file)?;
        fs::File::open(folder)?.sync_all()
    });
    written.map_err(|reason| SpoolError::Io { attempt: "write", path: file, reason })
}

/// Runs what may block on a thread for it. A panic goes on in the caller.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down cancels, and then nobody goes on.
            Err(_) => std::future::pending().await,
        },
    }
}
