//! What a folder holds when a spool is opened.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::config::SpoolSync;

use super::{
    Aside, Broken, Kind, Name, Position, Reader, Recovery, Segment, SpoolError,
    files::{self, remove},
    format::{HEADER, Header},
};

/// What a folder holds.
pub(super) struct Found {
    pub(super) segments: VecDeque<Segment>,
    pub(super) aside: Aside,
    /// Greater than the number of the cursor and of every segment that is sound.
    pub(super) next_number: u64,
    pub(super) recovery: Recovery,
}

/// Looks through the segments of a folder from the acknowledged position on, and sets aside what cannot be read.
pub(super) fn recover(folder: &Path, acknowledged: Position, sync: SpoolSync) -> Result<Found, SpoolError> {
    let files = files::list(folder)?;
    let newest = files.iter().filter(|(name, _)| name.kind == Kind::Segment).map(|(name, _)| name.number).max();
    let found = Found {
        segments: VecDeque::new(),
        aside: Aside::new(folder.to_owned()),
        next_number: acknowledged.number + 1,
        recovery: Recovery::default(),
    };
    let mut search = Search { folder: folder.to_owned(), acknowledged, sync, newest, found };
    for (name, bytes) in files {
        match name.kind {
            Kind::Segment => search.take_in(name.number, bytes)?,
            Kind::Corrupt | Kind::Unknown => search.found.aside.add(name, bytes),
        }
    }
    search.found.aside.prune()?;
    Ok(search.found)
}

struct Search {
    folder: PathBuf,
    acknowledged: Position,
    sync: SpoolSync,
    /// The number of the newest segment, the only one that may have been written when the process or the machine ended.
    newest: Option<u64>,
    found: Found,
}

impl Search {
    fn take_in(&mut self, number: u64, bytes: u64) -> Result<(), SpoolError> {
        let path = Name::segment(number).within(&self.folder);
        if bytes == 0 || self.acknowledged >= (Position { number, offset: bytes }) {
            return remove(&path);
        }
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(SpoolError::on("open", &path)(error)),
        };
        let mut header = [0; HEADER];
        let header = file.read_exact(&mut header).map_or(Header::Broken, |()| Header::judge(&header, number));
        match header {
            Header::Sound => self.scan(file, number, bytes),
            Header::OtherVersion => {
                self.found.recovery.unknown_segments += 1;
                self.found.aside.set_aside(number, Kind::Unknown, bytes)
            }
            Header::Broken if self.newest == Some(number) && bytes < HEADER as u64 => {
                self.found.recovery.torn_bytes += bytes;
                remove(&path)
            }
            Header::Broken => {
                self.found.recovery.corrupt_segments += 1;
                self.found.aside.set_aside(number, Kind::Corrupt, bytes)
            }
        }
    }

    /// Reads all records that are not acknowledged.
    fn scan(&mut self, file: File, number: u64, bytes: u64) -> Result<(), SpoolError> {
        self.found.next_number = self.found.next_number.max(number + 1);
        let start = if self.acknowledged.number == number { self.acknowledged.offset } else { 0 };
        let sound = IntactRecords::scan(Reader::new(file, number, start), bytes);
        let position = start.max(HEADER as u64);
        let end = sound.end.max(position);
        let mut segment = Segment { number, bytes, end, position, unread: sound.records, is_damaged: false };
        match sound.rest {
            None => {}
            Some(rest) if rest.may_be_torn() && self.newest == Some(number) => {
                self.found.recovery.torn_bytes += bytes - end;
                cut(&Name::segment(number).within(&self.folder), end, self.sync)?;
                segment.bytes = end;
            }
            Some(rest) => {
                self.found.recovery.corrupt_segments += 1;
                self.found.recovery.corrupt_records += rest.sound + rest.broken;
                segment.is_damaged = true;
            }
        }
        self.keep(segment)
    }

    fn keep(&mut self, segment: Segment) -> Result<(), SpoolError> {
        if segment.unread > 0 {
            self.found.segments.push_back(segment);
            Ok(())
        } else if segment.is_damaged {
            self.found.aside.set_aside(segment.number, Kind::Corrupt, segment.bytes)
        } else {
            self.found.aside.dispose(segment.number, segment.bytes)
        }
    }
}

/// The sound records from a place in a segment on.
struct IntactRecords {
    records: u64,
    end: u64,
    /// What stands behind them, if anything does.
    rest: Option<Remainder>,
}

/// A record that is broken, and what stands behind it.
struct Remainder {
    /// Records that would be sound.
    sound: u64,
    /// Records that are broken, as far as they can be made out.
    broken: u64,
    /// Whether the disk gives all of it.
    is_readable: bool,
}

impl IntactRecords {
    fn scan(reader: Result<Reader, Broken>, bytes: u64) -> Self {
        let Ok(mut reader) = reader else {
            return Self { records: 0, end: 0, rest: Some(Remainder { sound: 0, broken: 1, is_readable: false }) };
        };
        let (mut records, mut payload) = (0, Vec::new());
        loop {
            let end = reader.position();
            if end >= bytes {
                return Self { records, end, rest: None };
            }
            match reader.next(bytes, &mut payload) {
                Ok(()) => records += 1,
                Err(broken) => {
                    return Self { records, end, rest: Some(Remainder::count(reader, broken, bytes)) };
                }
            }
        }
    }
}

impl Remainder {
    /// Counts on as long as there is a next record to be made out.
    fn count(mut reader: Reader, first: Broken, bytes: u64) -> Self {
        let mut rest = Self { sound: 0, broken: 0, is_readable: true };
        let (mut next, mut payload) = (Err(first), Vec::new());
        loop {
            match next {
                Ok(()) => rest.sound += 1,
                Err(broken) => {
                    rest.broken += 1;
                    rest.is_readable = broken != Broken::Unreadable;
                }
            }
            if matches!(next, Err(Broken::Incomplete | Broken::Unreadable)) || reader.position() >= bytes {
                return rest;
            }
            next = reader.next(bytes, &mut payload);
        }
    }

    /// Whether it looks like a write that was cut short: no record stands behind one that is broken.
    fn may_be_torn(&self) -> bool {
        self.sound == 0 && self.is_readable
    }
}

fn cut(path: &Path, end: u64, sync: SpoolSync) -> Result<(), SpoolError> {
    let cut = || {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(end)?;
        if sync == SpoolSync::Batch { file.sync_data() } else { Ok(()) }
    };
    cut().map_err(SpoolError::on("cut", path))
}
