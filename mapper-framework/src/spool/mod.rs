//! What waits on disk: a bounded log of records, first in first out.
//!
//! It stores bytes and knows nothing of sinks. It belongs to one owner in one process, and blocks: call it where blocking is
//! allowed.
//!
//! # Accounting
//!
//! Every record that [`Spool::append`] has stored is pending until it is acknowledged, or until it is counted once: as *dropped*,
//! when it had to make room for newer ones, or as *lost*, when it can no longer be read. Records that were handed out are *leased*:
//! their owner holds them, so they are neither dropped nor lost with their segment, only handed out no more after a restart. So at
//! any time
//!
//! ```text
//! pending when opened + stored = acknowledged + dropped + lost + pending (= leased + unread)
//! ```
//!
//! After a restart everything is handed out again that was not acknowledged.
//!
//! # Files
//!
//! | in the folder | what |
//! | --- | --- |
//! | `lock` | locked by whoever has the spool open |
//! | `cursor` | up to where records are acknowledged |
//! | `damage` | how many lost records of the segments that wait are counted already |
//! | `<number>.segment` | records; 20 digits, the oldest has the lowest number, and no number of a sound one comes twice |
//! | `<number>.corrupt` | a segment that was found to be broken, the newest two at most |
//! | `<number>.unknown` | a segment of another version of the format |
//!
//! All of them together stay within [`Options::max_bytes`], counted in bytes and not in blocks of the disk. What is set aside goes
//! first when room is needed, then the oldest segment. Other files are never touched.
//!
//! All numbers are little endian; a checksum is the CRC-32 of IEEE 802.3.
//!
//! | segment: at | size | what |
//! | ---: | ---: | --- |
//! | 0 | 8 | `MFSPOOL\n` |
//! | 8 | 4 | the version of the format: 2 |
//! | 12 | 8 | the segment's number |
//! | 20 | 4 | the checksum of the 20 bytes before |
//! | 24 | | the frames: those of the records of an append, and a commit behind them |
//!
//! | frame: at | size | what |
//! | ---: | ---: | --- |
//! | 0 | 3 | the size of the payload |
//! | 3 | 1 | 0 for a record, 0xC0 for a commit |
//! | 4 | 4 | the checksum of the segment's number, of where the frame begins in its file, eight bytes each, and of the four bytes before |
//! | 8 | 4 | the checksum of the four bytes before and the payload |
//! | 12 | | the payload |
//!
//! | commit: at | size | what |
//! | ---: | ---: | --- |
//! | 0 | 8 | how many records the spool was given before this append |
//! | 8 | 4 | how many the append has in this segment |
//!
//! Segments of version 1 are read, and no longer written. They have no commits, and their frames are those of records: the size of the
//! payload in four bytes, the checksum of size and payload, the payload.
//!
//! | cursor: at | size | what |
//! | ---: | ---: | --- |
//! | 0 and 512 | 8 | `MFCURSR1` |
//! | 8 and 520 | 8 | a segment's number |
//! | 16 and 528 | 8 | bytes from the beginning of this segment |
//! | 24 and 536 | 4 | the checksum of the 24 bytes before |
//!
//! The two slots of the cursor are written in turn, and the greater position holds.
//!
//! # What survives what
//!
//! | fault | cost |
//! | --- | --- |
//! | the process is killed | nothing |
//! | power loss, [`SpoolSync::Batch`] | nothing; acknowledged records may come again |
//! | power loss, [`SpoolSync::Never`] | what the operating system had not written yet |
//! | a full disk | nothing: the half-written tail is cut, and the owner keeps what was not stored |
//! | a broken record | it alone; its segment is set aside once the others are acknowledged |
//! | a broken header of a segment, a broken commit | nothing; the segment is set aside once its records are acknowledged |
//! | a segment that is cut short or gone | what it had; it is counted, but for the newest segment |
//! | a broken cursor | acknowledged records come again |
//!
//! What stands behind the last sound frame of the newest segment is a torn tail: it was being written when the process or the machine
//! ended, and is cut. A commit stands behind each completed append, so no record of one is taken for a torn tail because it is broken.
//! (In a segment of version 1, the very last record can be.) All else that is broken is damage, and counted: commits say how many records
//! there were, so the count is exact as long as one of them stands behind, in this segment or a later one.
//!
//! A segment is only ever appended to by the process that made it: what a power loss has left of its end cannot get in the way of
//! new records, and a cursor that is older or newer than the segments never points into records that it does not mean.

mod append;
mod cursor;
mod damage;
mod error;
mod files;
mod format;
mod read;
mod reader;
mod recovery;
mod survey;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use crate::config::SpoolSync;

use cursor::{CURSOR, Cursor, Memory, Position};
use damage::Damage;
pub(crate) use error::{SpoolError, TooLarge};
use files::{Aside, Kind, Lock, Name};
use format::{COMMIT, FRAME, HEADER, MAX_SEGMENT, Place, Version};
use reader::Reader;
use writer::{Disk, RealDisk, Writer};

/// How many segments share the room of a spool: the share that is dropped at once when it is used up.
const SEGMENTS: u64 = 8;

/// How large a spool gets, and when it goes to the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// The most bytes of all files.
    pub(crate) max_bytes: u64,
    /// When records are forced to the disk.
    pub(crate) sync: SpoolSync,
}

/// What was found when a spool was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// Records that are pending now.
    pub(crate) pending: u64,
    /// Bytes behind the last sound frame of the newest segment. They are cut: they were being written when the process or the machine
    /// ended, and nobody relies on them being stored.
    pub(crate) torn_bytes: u64,
    /// Segments with something broken in them.
    pub(crate) corrupt_segments: u64,
    /// Records that were in these, or in segments that are gone, and can no longer be read, as far as they can be counted.
    pub(crate) corrupt_records: u64,
    /// Segments of another version of the format, which are set aside.
    pub(crate) unknown_segments: u64,
    /// Records that had to go because the spool may take less room than before.
    pub(crate) dropped: u64,
    /// Whether it was forgotten what is acknowledged, so that such records come again.
    pub(crate) cursor_lost: bool,
}

/// What has become of the records that were to be stored.
#[derive(Debug, Default)]
#[must_use = "it counts records"]
pub(crate) struct Appended {
    /// Records that are stored.
    pub(crate) stored: u64,
    /// Older records that had to make room, unread and unacknowledged ones.
    pub(crate) dropped: u64,
    /// Records that are too large for any segment. They are left out.
    pub(crate) refused: Vec<TooLarge>,
    /// What went wrong, if not all was stored: the first [`settled`](Self::settled) records are dealt with, and nothing stays of the
    /// others.
    pub(crate) failure: Option<SpoolError>,
}

impl Appended {
    /// How many records, from the first one on, are stored or refused.
    pub(crate) fn settled(&self) -> usize {
        self.stored as usize + self.refused.len()
    }
}

/// Records that were read.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use = "its records are leased"]
pub(crate) struct Batch {
    /// The records, the oldest first.
    pub(crate) records: Vec<Vec<u8>>,
    /// How many records were found to be unreadable on the way.
    pub(crate) lost: u64,
}

/// A bounded log of records on disk.
pub(crate) struct Spool {
    folder: PathBuf,
    options: Options,
    /// What holds pending records, the oldest in front. Those that have been read stand before those that have not.
    segments: VecDeque<Segment>,
    /// Records that were handed out and are not acknowledged, also those whose segment was dropped meanwhile.
    leased: u64,
    /// Whether a segment with leased records had to make room.
    lost_leased: bool,
    /// The number of the next segment.
    next_number: u64,
    /// How many records the spool has been given, as the next commit says.
    sequence: u64,
    /// Writes the last of the segments. `None` when the next record begins another.
    writer: Option<Writer>,
    /// Reads the first segment with an unread record, if there was one when it was last needed.
    reader: Option<Reader>,
    cursor: Cursor,
    damage: Damage,
    aside: Aside,
    /// The frames of a write. It stays, so that not every append allocates.
    frames: Vec<u8>,
    disk: Box<dyn Disk>,
    /// Keeps others out.
    _lock: Lock,
}

/// A segment with pending records.
#[derive(Clone, Debug)]
struct Segment {
    number: u64,
    version: Version,
    /// The size of its file.
    bytes: u64,
    /// Where its sound records end.
    end: u64,
    /// Where its first unread record begins.
    position: u64,
    unread: u64,
    /// What is broken between `position` and `end`, and passed over.
    holes: Vec<Range<u64>>,
    /// Whether something is broken, so that the file is set aside and not removed.
    is_damaged: bool,
}

impl Segment {
    /// One that is being begun.
    fn empty(number: u64) -> Self {
        let end = HEADER as u64;
        let (version, holes) = (Version::NEWEST, Vec::new());
        Self { number, version, bytes: end, end, position: end, unread: 0, holes, is_damaged: false }
    }

    /// A place in it.
    fn place(&self, offset: u64) -> Place {
        Place { version: self.version, segment: self.number, offset }
    }
}

impl Spool {
    /// Opens the spool in a folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// The folder is in use, or the operating system refuses it. Whatever the files hold, it is no error.
    pub(crate) fn open(folder: &Path, options: Options) -> Result<(Self, Recovery), SpoolError> {
        make_folder(folder, options.sync)?;
        let lock = files::lock(folder)?;
        let (cursor, memory) = Cursor::load(folder);
        let mut damage = Damage::load(folder);
        let mut found = recovery::recover(folder, cursor.position(), &mut damage, options.sync)?;
        found.recovery.cursor_lost = memory == Memory::Lost;
        let mut spool = Self {
            folder: folder.to_owned(),
            options,
            segments: found.segments,
            leased: 0,
            lost_leased: false,
            next_number: found.next_number,
            sequence: found.sequence,
            writer: None,
            reader: None,
            cursor,
            damage,
            aside: found.aside,
            frames: Vec::new(),
            disk: Box::new(RealDisk),
            _lock: lock,
        };
        spool.make_room(0, &mut found.recovery.dropped)?;
        found.recovery.pending = spool.pending();
        Ok((spool, found.recovery))
    }

    /// Records that are stored and not acknowledged: leased and unread ones.
    pub(crate) fn pending(&self) -> u64 {
        self.leased + self.unread()
    }

    /// Records that were read and not acknowledged.
    #[cfg(test)]
    pub(crate) fn leased(&self) -> u64 {
        self.leased
    }

    /// Whether all records that were read and not acknowledged would be read again after a restart.
    pub(crate) fn has_leased(&self) -> bool {
        !self.lost_leased
    }

    /// Records that were not read yet.
    pub(crate) fn unread(&self) -> u64 {
        self.segments.iter().map(|segment| segment.unread).sum()
    }

    /// The bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes_of_segments() + self.cursor.bytes()
    }

    /// The size of the largest record that can be stored.
    pub(crate) fn largest_record(&self) -> usize {
        self.segment_size().saturating_sub((HEADER + FRAME + COMMIT) as u64) as usize
    }

    fn bytes_of_segments(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum::<u64>() + self.aside.bytes() + self.damage.bytes()
    }

    fn segment_size(&self) -> u64 {
        (self.options.max_bytes.saturating_sub(CURSOR) / SEGMENTS).min(MAX_SEGMENT)
    }

    /// How many bytes an append of records of these sizes may take at most.
    pub(crate) fn bytes_for(&self, records: impl IntoIterator<Item = usize>) -> u64 {
        let frames: u64 = records.into_iter().map(|bytes| (FRAME + bytes) as u64).sum();
        let segments = 2 + 2 * frames / self.segment_size().max(1);
        let needed = frames + segments * (HEADER + COMMIT) as u64 + CURSOR;
        needed.min(self.options.max_bytes.saturating_sub(self.bytes()))
    }

    /// Removes files until this many more bytes fit, and counts unread records.
    fn make_room(&mut self, needed: u64, dropped: &mut u64) -> Result<(), SpoolError> {
        while self.bytes_of_segments() + CURSOR + needed > self.options.max_bytes && self.remove_oldest(dropped)? {}
        Ok(())
    }

    /// Removes the oldest file, those set aside before segments, and counts unread records. False when there is none.
    pub(crate) fn remove_oldest(&mut self, dropped: &mut u64) -> Result<bool, SpoolError> {
        if self.aside.remove_oldest()? {
            return Ok(true);
        }
        let Some(oldest) = self.segments.front() else { return Ok(false) };
        files::remove(&Name::segment(oldest.number).within(&self.folder))?;
        *dropped += oldest.unread;
        // Whoever has read them has them still.
        self.lost_leased |= self.leased > 0;
        let number = oldest.number;
        self.segments.pop_front();
        self.close(number);
        self.damage.forget(number);
        Ok(true)
    }

    /// Whether the folder holds nothing that anybody may want.
    pub(crate) fn is_bare(&self) -> bool {
        self.pending() == 0 && self.segments.is_empty() && self.aside.bytes() == 0
    }

    /// Removes the spool with all that it holds, and its folder, unless something else lies there.
    pub(crate) fn remove(&mut self) -> Result<(), SpoolError> {
        while self.remove_oldest(&mut 0)? {}
        self.damage.remove();
        self.cursor.remove()?;
        // The lock goes last, and is held until the folder is gone: whoever waits for it finds that it is, and begins anew.
        files::remove(&self.folder.join(files::LOCK))?;
        files::remove_folder(&self.folder)
    }

    /// Neither reads nor writes a segment any more.
    fn close(&mut self, number: u64) {
        self.reader.take_if(|reader| reader.number() == number);
        self.writer.take_if(|writer| writer.number() == number);
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("folder", &self.folder).field("pending", &self.pending()).finish_non_exhaustive()
    }
}

fn make_folder(folder: &Path, sync: SpoolSync) -> Result<(), SpoolError> {
    let is_forced = sync == SpoolSync::Batch;
    files::make_folder(folder, |parent| if is_forced { files::sync_folder(parent) } else { Ok(()) })
}
