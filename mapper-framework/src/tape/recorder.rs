//! Writes a recording.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};
use serde::Serialize;
use tokio::time::Instant;

use super::{
    FORMAT, LONGEST, TapeError, VERSION,
    entry::{Entry, Event, Header, micros},
};
use crate::telemetry::{
    Telemetry,
    tape::{TapeEntryLost, TapeEntryTooLong, TapeFailed, TapeFull},
};

/// How often what was recorded goes to the disk: a file that is torn lacks no more than what was recorded in such a time.
const FLUSH: Duration = Duration::from_secs(1);

/// Writes lines, compressed, as they come. It holds no more of them than the compression does, and what comes within [`FLUSH`].
#[derive(Debug)]
pub(crate) struct Recorder {
    began: Instant,
    writer: Arc<Writer>,
    /// Dropped with this, which ends the thread that flushes.
    _flushes: Sender<()>,
}

/// What is written, by the calls that are recorded, and by the thread that flushes.
#[derive(Debug)]
struct Writer {
    path: PathBuf,
    most_bytes: u64,
    telemetry: Telemetry,
    /// A lock that is held to compress one line. What it writes goes to the page cache.
    out: Mutex<Out>,
}

#[derive(Debug)]
struct Out {
    /// `None` when it has ended.
    encoder: Option<GzEncoder<Counted>>,
    /// Whether something was written since the last flush.
    is_dirty: bool,
    /// What was the last line, for its room.
    line: Vec<u8>,
}

/// The file, and how much is in it.
#[derive(Debug)]
struct Counted {
    file: BufWriter<File>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Recorder {
    /// Begins a recording in a new file, which only its owner can read, and which ends at so many bytes.
    pub(crate) fn create(
        path: &Path,
        protocol: &str,
        mapper: &str,
        most_bytes: u64,
        telemetry: Telemetry,
    ) -> Result<Self, TapeError> {
        let failed = |source| TapeError::Create { path: path.to_owned(), source };
        let file =
            File::options().write(true).create_new(true).mode(0o600).open(path).map_err(|source| {
                match source.kind() {
                    io::ErrorKind::AlreadyExists => TapeError::Exists(path.to_owned()),
                    _ => failed(source),
                }
            })?;
        let began = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let header = Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            protocol: protocol.to_owned(),
            mapper: mapper.to_owned(),
            began: u64::try_from(began.as_millis()).unwrap_or(u64::MAX),
        };
        let begun = Self::begin(path, file, &header, most_bytes, telemetry);
        begun.map_err(|source| {
            // An empty file would stand in the way of the next attempt.
            fs::remove_file(path).ok();
            failed(source)
        })
    }

    fn begin(path: &Path, file: File, header: &Header, most_bytes: u64, telemetry: Telemetry) -> io::Result<Self> {
        let on_disk = file.try_clone()?;
        let mut encoder = GzEncoder::new(Counted { file: BufWriter::new(file), bytes: 0 }, Compression::default());
        let mut line = Vec::new();
        write_line(&mut line, header)?;
        encoder.write_all(&line)?;
        encoder.flush()?;
        let out = Mutex::new(Out { encoder: Some(encoder), is_dirty: false, line });
        let writer = Arc::new(Writer { path: path.to_owned(), most_bytes, telemetry, out });
        let (flushes, ended) = channel();
        let flushed = Arc::clone(&writer);
        thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || flushed.flush_now_and_then(&on_disk, &ended))?;
        Ok(Self { began: Instant::now(), writer, _flushes: flushes })
    }

    /// Keeps a call that has ended now.
    pub(super) fn keep(&self, device: &str, session: u64, took: Duration, event: Event) {
        let at = micros(self.began.elapsed());
        self.writer.keep(&Entry { at, took: micros(took), device: device.to_owned(), session, event });
    }

    /// Ends the recording.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.writer.lock().finish()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Whoever wants to know has called it before.
        drop(self.finish());
    }
}

impl Writer {
    fn keep(&self, entry: &Entry) {
        let mut out = self.lock();
        let Out { encoder: Some(encoder), is_dirty, line } = &mut *out else {
            return self.telemetry.emit(TapeEntryLost {});
        };
        line.clear();
        let made = write_line(line, entry);
        if line.len() > LONGEST {
            let (device, bytes) = (entry.device.as_str(), line.len());
            return self.telemetry.emit(TapeEntryTooLong { path: &self.path, device, bytes });
        }
        let written = made.and_then(|()| encoder.write_all(line));
        *is_dirty = true;
        let is_full = encoder.get_ref().bytes >= self.most_bytes;
        match written {
            Err(error) => {
                self.telemetry.emit(TapeEntryLost {});
                self.fail(&mut out, &error);
            }
            Ok(()) if is_full => {
                self.telemetry.emit(TapeFull { path: &self.path, bytes: self.most_bytes });
                if let Err(error) = out.finish() {
                    self.fail(&mut out, &error);
                }
            }
            Ok(()) => {}
        }
    }

    /// Has what was recorded go to the disk again and again, until the recorder is dropped.
    fn flush_now_and_then(&self, on_disk: &File, ended: &Receiver<()>) {
        while ended.recv_timeout(FLUSH) == Err(RecvTimeoutError::Timeout) {
            let flushed = self.lock().flush();
            // Not under the lock: a disk may take its time.
            let synced = flushed.and_then(|is_news| if is_news { on_disk.sync_data() } else { Ok(()) });
            if let Err(error) = synced {
                self.fail(&mut self.lock(), &error);
            }
        }
    }

    /// Ends a recording that cannot be written.
    fn fail(&self, out: &mut Out, error: &io::Error) {
        self.telemetry.emit(TapeFailed { path: &self.path, error });
        // What can be saved of it is.
        drop(out.finish());
    }

    fn lock(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Out {
    /// Returns whether something has gone to the file.
    fn flush(&mut self) -> io::Result<bool> {
        match &mut self.encoder {
            Some(encoder) if std::mem::take(&mut self.is_dirty) => encoder.flush().map(|()| true),
            _ => Ok(false),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.encoder.take() {
            Some(encoder) => encoder.finish().and_then(|mut file| file.flush()),
            None => Ok(()),
        }
    }
}

fn write_line(line: &mut Vec<u8>, it: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *line, it)?;
    line.push(b'\n');
    Ok(())
}
