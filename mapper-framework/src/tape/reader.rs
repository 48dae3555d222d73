//! Reads a recording.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    time::Duration,
};

use flate2::read::GzDecoder;

use super::{
    FORMAT, LONGEST, TapeError, VERSION,
    entry::{Entry, Event, Form, Header},
};

/// The most calls that a recording may hold to be replayed: it is in memory then.
const MOST: usize = 1 << 21;

/// A recording, without its bytes.
#[derive(Debug)]
pub(crate) struct Tape {
    pub(super) entries: Vec<Entry>,
    /// Whether its end is missing.
    pub(crate) is_torn: bool,
}

impl Tape {
    /// Reads a recording of this protocol, up to where it is torn.
    pub(crate) fn read(path: &Path, protocol: &str) -> Result<Self, TapeError> {
        let failed = |source| TapeError::Read { path: path.to_owned(), source };
        let mut lines = Lines(BufReader::new(GzDecoder::new(BufReader::new(File::open(path).map_err(failed)?))));
        let first = match lines.next_line() {
            Err(error) if !is_of_content(&error) => return Err(failed(error)),
            first => first.ok().flatten().unwrap_or_default(),
        };
        let no_tape = || TapeError::NoTape(path.to_owned());
        // A newer version may have another header, but says that it is one.
        let form = serde_json::from_str(&first).ok().filter(|form: &Form| form.format == FORMAT);
        let Form { version, .. } = form.ok_or_else(no_tape)?;
        if version > VERSION {
            return Err(TapeError::Newer { path: path.to_owned(), found: version });
        }
        let Header { protocol: found, .. } = serde_json::from_str(&first).map_err(|_| no_tape())?;
        if found != protocol {
            return Err(TapeError::Foreign { path: path.to_owned(), found, served: protocol.to_owned() });
        }
        let mut tape = Self { entries: Vec::new(), is_torn: false };
        loop {
            let entry = match lines.next_line() {
                Ok(Some(line)) => serde_json::from_str(&line),
                Ok(None) => break,
                Err(error) => Err(serde_json::Error::io(error)),
            };
            let Ok(entry) = entry else {
                tape.is_torn = true;
                break;
            };
            tape.push(entry, path)?;
        }
        if !tape.entries.iter().any(|entry| matches!(entry.event, Event::Connect { manifests: Some(_), .. })) {
            return Err(TapeError::Empty(path.to_owned()));
        }
        Ok(tape)
    }

    fn push(&mut self, entry: Entry, path: &Path) -> Result<(), TapeError> {
        if matches!(entry.event, Event::Sent { .. } | Event::Received { .. }) {
            return Ok(());
        }
        if self.entries.len() == MOST {
            return Err(TapeError::TooLong { path: path.to_owned(), most: MOST });
        }
        self.entries.push(entry);
        Ok(())
    }

    /// How long it lasts.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_micros(self.entries.iter().map(|entry| entry.at).max().unwrap_or_default())
    }
}

/// Whether the error is about what is in the file, and not about reading it.
fn is_of_content(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

struct Lines<R>(R);

impl<R: BufRead> Lines<R> {
    /// The next line; `None` at the end.
    fn next_line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let length = (&mut self.0).take(LONGEST as u64).read_line(&mut line)?;
        if length == 0 {
            Ok(None)
        } else if line.ends_with('\n') {
            Ok(Some(line))
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}
