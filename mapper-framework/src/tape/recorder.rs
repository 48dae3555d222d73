//! Writes a recording.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};
use serde::Serialize;
use tokio::time::Instant;

use super::{
    FORMAT, TapeError, VERSION,
    entry::{Entry, Event, Header, micros},
};

/// After so long, what was recorded goes to the file with the next entry: a file that is torn lacks no more than that.
const FLUSH: Duration = Duration::from_secs(1);

/// Writes lines, compressed, as they come. It holds no more of them than the compression does.
#[derive(Debug)]
pub(crate) struct Recorder {
    began: Instant,
    most_bytes: u64,
    /// A lock that is held to compress one line. What it writes goes to the page cache.
    out: Mutex<Out>,
}

#[derive(Debug)]
struct Out {
    /// `None` when it has ended.
    encoder: Option<GzEncoder<Counted>>,
    flushed: Instant,
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
    pub(crate) fn create(path: &Path, protocol: &str, mapper: &str, most_bytes: u64) -> Result<Self, TapeError> {
        let file =
            File::options().write(true).create_new(true).mode(0o600).open(path).map_err(|source| {
                match source.kind() {
                    io::ErrorKind::AlreadyExists => TapeError::Exists(path.to_owned()),
                    _ => TapeError::Create { path: path.to_owned(), source },
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
        let file = Counted { file: BufWriter::new(file), bytes: 0 };
        let mut encoder = GzEncoder::new(file, Compression::default());
        let begun = write_line(&mut encoder, &header).and_then(|()| encoder.flush());
        begun.map_err(|source| TapeError::Create { path: path.to_owned(), source })?;
        let now = Instant::now();
        Ok(Self { began: now, most_bytes, out: Mutex::new(Out { encoder: Some(encoder), flushed: now }) })
    }

    /// Keeps a call that has ended now.
    pub(super) fn keep(&self, device: &str, session: u64, took: Duration, event: Event) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Out { encoder: Some(encoder), flushed } = &mut *out else { return };
        let now = Instant::now();
        let at = micros(now.saturating_duration_since(self.began));
        let entry = Entry { at, took: micros(took), device: device.to_owned(), session, event };
        let mut written = write_line(encoder, &entry);
        if now.saturating_duration_since(*flushed) >= FLUSH {
            *flushed = now;
            written = written.and_then(|()| encoder.flush());
        }
        let is_full = encoder.get_ref().bytes >= self.most_bytes;
        if let Err(error) = &written {
            tracing::error!(%error, "the recording cannot be written, and ends here");
        } else if is_full {
            tracing::warn!(bytes = self.most_bytes, "the recording is as large as it may be, and ends here");
        }
        if is_full || written.is_err() {
            // What can be saved of it is.
            drop(out.finish());
        }
    }

    /// Ends the recording.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).finish()
    }
}

impl Out {
    fn finish(&mut self) -> io::Result<()> {
        match self.encoder.take() {
            Some(encoder) => encoder.finish().and_then(|mut file| file.flush()),
            None => Ok(()),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Whoever wants to know has called it before.
        drop(self.finish());
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
