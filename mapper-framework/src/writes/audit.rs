//! The audit: one line of JSON for each write to a device, in files that are rotated by size.
//!
//! Whoever records a line does not wait. A task of the audit's own takes the lines from a bounded queue and writes them. What the queue
//! has no room for, and what the disk refuses, is lost, counted, and reported: once when it begins, and once, with the number of lines,
//! when it is over.

mod file;

#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use serde::{Serialize, Serializer};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::sleep,
};

use crate::{
    config::AuditConfig,
    model::{self, DeviceId},
    telemetry::{
        Occurrence, Telemetry,
        audit::{AuditFailed, AuditLinesLost, AuditOverflows, AuditWorks},
    },
};

use super::{
    files::FileError,
    lock::{LOCK_ATTEMPTS, LOCK_PAUSE},
};
use file::{Files, Unwritten};

/// How many lines wait for the disk.
const QUEUE: usize = 1024;

/// How many lines are written and forced to the disk at once.
const BATCH: usize = 256;

/// A value of more bytes is cut.
const MAX_VALUE: usize = 2048;

/// Records writes. Cloning shares the file.
#[derive(Clone, Debug)]
pub(crate) struct AuditFile(Option<Arc<Queue>>);

/// What is recorded of a write.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuditLine {
    #[serde(serialize_with = "rfc3339")]
    pub(crate) time: SystemTime,
    pub(crate) device: String,
    pub(crate) namespace: String,
    pub(crate) property: String,
    /// The method that was called, instead of a write of the property.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// The value before, where it is known.
    pub(crate) old: Option<String>,
    pub(crate) new: String,
    /// Who wants it: `desired`, `handle` or `method`.
    pub(crate) origin: String,
    pub(crate) result: AuditResult,
    /// Why it is so.
    pub(crate) reason: Option<String>,
    /// What the device read afterwards.
    pub(crate) read_back: Option<String>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuditResult {
    /// The device has taken it.
    Written,
    /// It did not succeed.
    Failed,
    /// The device will never take it.
    Refused,
    /// The device may have taken it or not.
    Unknown,
    /// It was not tried, since `writes.dry_run` is set.
    #[serde(rename = "dry run")]
    DryRun,
}

impl AuditLine {
    /// A line of a write at this moment, with nothing but what each has.
    pub(crate) fn new(device: &DeviceId, property: &str, new: String, origin: &str, result: AuditResult) -> Self {
        Self {
            time: SystemTime::now(),
            device: device.name().to_owned(),
            namespace: device.namespace().to_owned(),
            property: property.to_owned(),
            method: None,
            old: None,
            new,
            origin: origin.to_owned(),
            result,
            reason: None,
            read_back: None,
        }
    }
}

#[derive(Debug)]
struct Queue {
    messages: mpsc::Sender<Message>,
    losses: Arc<Losses>,
}

#[derive(Debug)]
enum Message {
    /// A line with its end.
    Line(String),
    /// Answered when all lines before it are written or lost.
    Flush(oneshot::Sender<()>),
}

/// The lines that were lost since lines were last written.
#[derive(Debug)]
struct Losses {
    path: PathBuf,
    lines: AtomicU64,
    telemetry: Telemetry,
}

/// Takes lines from the queue.
struct Writer {
    files: Files,
    losses: Arc<Losses>,
    is_failing: bool,
}

impl AuditFile {
    /// Records nothing.
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// Opens the file, or makes it. Never fails: what is wrong is reported, and tried again with the next lines.
    pub(crate) async fn open(config: &AuditConfig, telemetry: Telemetry) -> Self {
        if config.path.as_os_str().is_empty() {
            return Self::off();
        }
        let files = Files::new(config.path.clone(), config.max_bytes, config.files);
        let losses = Arc::new(Losses { path: config.path.clone(), lines: AtomicU64::new(0), telemetry });
        let mut writer = Writer { files, losses: Arc::clone(&losses), is_failing: false };
        for attempt in 1.. {
            let opened = spawn_blocking(move || (writer.files.prepare(), writer));
            // Only a runtime that shuts down cancels, and then nobody writes.
            let Ok((prepared, back)) = opened.await else { return Self::off() };
            writer = back;
            match prepared {
                Ok(()) => break,
                Err(error) if error.is_in_use() && attempt < LOCK_ATTEMPTS => sleep(LOCK_PAUSE).await,
                Err(error) => {
                    writer.failed(&error);
                    break;
                }
            }
        }
        let (messages, received) = mpsc::channel(QUEUE);
        // It ends when the queue is closed, with the last clone of this.
        drop(tokio::spawn(writer.run(received)));
        Self(Some(Arc::new(Queue { messages, losses })))
    }

    /// Records a write, and does not wait for the disk. A line for which the queue has no room is lost, and counted.
    pub(crate) fn record(&self, line: &AuditLine) {
        let Some(queue) = &self.0 else { return };
        if queue.messages.try_send(Message::Line(text(line))).is_err() {
            queue.losses.overflow();
        }
    }

    /// Waits until all lines so far are written or lost. To be given a deadline: a disk may hang.
    pub(crate) async fn close(&self) {
        let Some(queue) = &self.0 else { return };
        let (answer, answered) = oneshot::channel();
        if queue.messages.send(Message::Flush(answer)).await.is_ok() {
            // A writer that died has no lines left.
            answered.await.ok();
        }
    }
}

impl Losses {
    fn overflow(&self) {
        let occurrence = Occurrence::first_if(self.lose(1) == 0);
        self.telemetry.emit(AuditOverflows { path: &self.path, occurrence });
    }

    /// Counts lines, and returns how many were lost before.
    fn lose(&self, lines: u64) -> u64 {
        self.telemetry.emit(AuditLinesLost { lines });
        self.lines.fetch_add(lines, Relaxed)
    }

    fn over(&self) {
        let lines_lost = self.lines.swap(0, Relaxed);
        if lines_lost > 0 {
            self.telemetry.emit(AuditWorks { path: &self.path, lines_lost });
        }
    }
}

impl Writer {
    async fn run(mut self, mut received: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(BATCH);
        while received.recv_many(&mut messages, BATCH).await > 0 {
            let batch = std::mem::take(&mut messages);
            let written = spawn_blocking(move || {
                self.take(batch);
                self
            });
            let Ok(writer) = written.await else { return };
            self = writer;
        }
    }

    fn take(&mut self, messages: Vec<Message>) {
        let (mut lines, mut flushes) = (Vec::new(), Vec::new());
        for message in messages {
            match message {
                Message::Line(line) => lines.push(line),
                Message::Flush(answer) => flushes.push(answer),
            }
        }
        if !lines.is_empty() {
            self.write(&lines);
        }
        for answer in flushes {
            // Whoever no longer waits needs no answer.
            answer.send(()).ok();
        }
    }

    fn write(&mut self, lines: &[String]) {
        match self.files.write(lines) {
            Ok(()) => {
                self.is_failing = false;
                self.losses.over();
            }
            Err(Unwritten { lines, error }) => {
                self.losses.lose(lines);
                self.failed(&error);
            }
        }
    }

    fn failed(&mut self, error: &FileError) {
        let occurrence = Occurrence::first_if(!std::mem::replace(&mut self.is_failing, true));
        self.losses.telemetry.emit(AuditFailed { path: &self.losses.path, error, occurrence });
    }
}

/// The line, with its end. Values that are too long are cut.
fn text(line: &AuditLine) -> String {
    let cut_all = |line: &AuditLine| AuditLine {
        old: line.old.as_deref().map(cut),
        new: cut(&line.new),
        reason: line.reason.as_deref().map(cut),
        read_back: line.read_back.as_deref().map(cut),
        ..line.clone()
    };
    let mut text = serde_json::to_string(&cut_all(line)).expect("strings are JSON");
    text.push('\n');
    text
}

fn cut(value: &str) -> String {
    if value.len() <= MAX_VALUE {
        return value.to_owned();
    }
    let end = (0..=MAX_VALUE).rev().find(|at| value.is_char_boundary(*at)).unwrap_or_default();
    format!("{}… ({} bytes)", &value[..end], value.len())
}

/// `2026-01-31T23:59:59.000Z`
fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&model::rfc3339(*time))
}
