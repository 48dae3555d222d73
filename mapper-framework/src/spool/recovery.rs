//! What a folder holds when a spool is opened.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use crate::config::SpoolSync;

use super::{
    Aside, Damage, Kind, Name, Position, Recovery, Segment, SpoolError,
    files::{self, remove},
    format::{COMMIT, HEADER, Header, Version},
    survey::{Image, Survey, survey},
};

/// What a folder holds.
pub(super) struct Found {
    pub(super) segments: VecDeque<Segment>,
    pub(super) aside: Aside,
    /// Greater than the number of the cursor and of every segment that has something sound.
    pub(super) next_number: u64,
    /// How many records the spool has been given.
    pub(super) sequence: u64,
    pub(super) recovery: Recovery,
}

/// Looks through the segments of a folder from the acknowledged position on, and sets aside what cannot be read.
pub(super) fn recover(
    folder: &Path,
    acknowledged: Position,
    damage: &mut Damage,
    sync: SpoolSync,
) -> Result<Found, SpoolError> {
    let files = files::list(folder)?;
    let newest = files.iter().filter(|(name, _)| name.kind == Kind::Segment).map(|(name, _)| name.number).max();
    let found = Found {
        segments: VecDeque::new(),
        aside: Aside::new(folder.to_owned()),
        next_number: acknowledged.number + 1,
        sequence: 0,
        recovery: Recovery::default(),
    };
    let mut search = Search { folder: folder.to_owned(), acknowledged, sync, newest, sequence: None, damage, found };
    for (name, bytes) in files {
        match name.kind {
            Kind::Segment => search.take_in(name.number, bytes)?,
            Kind::Corrupt | Kind::Unknown => search.found.aside.add(name, bytes),
        }
    }
    search.found.aside.prune()?;
    let segments = &search.found.segments;
    search.damage.retain(|number| segments.iter().any(|segment| segment.number == number));
    search.found.sequence = search.sequence.unwrap_or_default();
    Ok(search.found)
}

struct Search<'a> {
    folder: PathBuf,
    acknowledged: Position,
    sync: SpoolSync,
    /// The number of the newest segment, the only one that may have been written when the process or the machine ended.
    newest: Option<u64>,
    /// How many records the spool had been given up to the end of the last segment, once that is known.
    sequence: Option<u64>,
    /// What was counted at earlier starts.
    damage: &'a mut Damage,
    found: Found,
}

impl Search<'_> {
    fn take_in(&mut self, number: u64, bytes: u64) -> Result<(), SpoolError> {
        let path = Name::segment(number).within(&self.folder);
        if bytes == 0 || self.acknowledged >= (Position { number, offset: bytes }) {
            return remove(&path);
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(SpoolError::on("open", &path)(error)),
        };
        let image = Image::load(&file, bytes);
        match Header::judge(image.bytes(), number) {
            Header::OtherVersion => {
                self.found.recovery.unknown_segments += 1;
                self.found.aside.set_aside(number, Kind::Unknown, bytes)
            }
            Header::Broken if self.newest == Some(number) && bytes < HEADER as u64 => {
                self.found.recovery.torn_bytes += bytes;
                remove(&path)
            }
            Header::Broken => self.take_in_headless(&image, number, bytes),
            Header::Sound(version) => {
                let found = self.survey(image.bytes(), number, version);
                let is_whole = image.is_whole();
                self.accept(Candidate { number, version, bytes, has_header: true, is_whole }, found)
            }
        }
    }

    /// A segment's frames can be known without its header.
    fn take_in_headless(&mut self, image: &Image, number: u64, bytes: u64) -> Result<(), SpoolError> {
        for version in [Version::V2, Version::V1] {
            let found = self.survey(image.bytes(), number, version);
            if found.has_frames {
                let is_whole = image.is_whole();
                return self.accept(Candidate { number, version, bytes, has_header: false, is_whole }, found);
            }
        }
        self.found.recovery.corrupt_segments += 1;
        self.found.aside.set_aside(number, Kind::Corrupt, bytes)
    }

    fn survey(&self, image: &[u8], number: u64, version: Version) -> Survey {
        survey(image, number, version, self.start(number), self.sequence)
    }

    /// Where the first record of a segment begins that is not acknowledged.
    fn start(&self, number: u64) -> u64 {
        let acknowledged = if self.acknowledged.number == number { self.acknowledged.offset } else { 0 };
        acknowledged.max(HEADER as u64)
    }

    fn accept(&mut self, candidate: Candidate, found: Survey) -> Result<(), SpoolError> {
        let Candidate { number, version, bytes, has_header, is_whole } = candidate;
        self.found.next_number = self.found.next_number.max(number + 1);
        let position = self.start(number);
        let end = found.end.max(position);
        // What could not be read, or was not searched to its end, may hold sound records: nobody cuts that.
        let is_known = is_whole && !found.is_given_up;
        let is_torn = bytes > end && self.newest == Some(number) && is_known;
        let is_cut_short = bytes > end && !is_torn;
        let is_damaged = !has_header || !found.holes.is_empty() || is_cut_short;
        // What ends the segment may be no more than a broken commit.
        let is_record = version == Version::V1 || bytes > end + COMMIT as u64;
        let lost = found.lost + u64::from(is_cut_short && is_record && found.sequence.is_none());
        if is_torn {
            self.found.recovery.torn_bytes += bytes - end;
            cut(&Name::segment(number).within(&self.folder), end, self.sync)?;
        }
        let counted = self.damage.counted(number);
        let lost = lost.saturating_sub(counted.unwrap_or_default());
        self.found.recovery.corrupt_segments += u64::from(is_damaged && (counted.is_none() || lost > 0));
        self.found.recovery.corrupt_records += lost;
        if lost > 0 || (is_damaged && counted.is_none()) {
            self.damage.add(number, lost);
        }
        self.sequence = found.sequence;
        let bytes = if is_torn { end } else { bytes };
        let (unread, holes) = (found.records, found.holes);
        self.keep(Segment { number, version, bytes, end, position, unread, holes, is_damaged })
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

/// A segment that something is to be made of.
#[derive(Clone, Copy)]
struct Candidate {
    number: u64,
    version: Version,
    bytes: u64,
    has_header: bool,
    /// Whether the disk has given all of it.
    is_whole: bool,
}

fn cut(path: &Path, end: u64, sync: SpoolSync) -> Result<(), SpoolError> {
    let cut = || {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(end)?;
        if sync == SpoolSync::Batch { file.sync_data() } else { Ok(()) }
    };
    cut().map_err(SpoolError::on("cut", path))
}
