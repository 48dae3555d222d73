//! Looks through a segment, past whatever is broken in it.
//!
//! A frame that is broken costs itself: the next sound one is searched for, byte by byte. In the second version of the format a head
//! is known by itself, so that this takes one pass. In the first it takes the payload as well, and what is spent on that is bounded.

use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::format::{COMMIT, Commit, Content, HEADER, Head, MAX_SEGMENT, Place, Version};

/// How many bytes are hashed at most to find the frames of a segment of the first version again.
const MAX_HASHED: usize = 256 << 20;

/// What is read at once where the disk does not give all of it.
const BLOCK: usize = 4096;

/// After so many blocks that the disk does not give, the rest is given up: each may take the disk seconds.
const MAX_UNREADABLE: usize = 8;

/// A segment with more holes than this is not worth reading on.
const MAX_HOLES: usize = 1_000;

/// The bytes of one segment. There is one at a time in a process: they take up to 8 MiB.
pub(super) struct Image {
    bytes: Vec<u8>,
    /// Whether the disk has given all of it.
    is_whole: bool,
    _only: MutexGuard<'static, ()>,
}

static ONLY: Mutex<()> = Mutex::new(());

impl Image {
    /// Reads the first `size` bytes of a file, or as many as a segment may have. What the disk does not give is zeros.
    pub(super) fn load(file: &File, size: u64) -> Self {
        let only = ONLY.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = vec![0; size.min(MAX_SEGMENT) as usize];
        let is_whole = file.read_exact_at(&mut bytes, 0).is_ok();
        if !is_whole {
            bytes.fill(0);
            read_blocks(&mut bytes, |block, at| file.read_exact_at(block, at));
        }
        Self { bytes, is_whole, _only: only }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the disk has given all of it. What lies where it has not may be sound.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }
}

fn read_blocks(bytes: &mut [u8], read: impl Fn(&mut [u8], u64) -> io::Result<()>) {
    let mut unreadable = 0;
    for (index, block) in bytes.chunks_mut(BLOCK).enumerate() {
        if read(block, (index * BLOCK) as u64).is_err() {
            block.fill(0);
            unreadable += 1;
            if unreadable == MAX_UNREADABLE {
                return;
            }
        }
    }
}

/// What stands in a segment.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Sound records from the start on.
    pub(super) records: u64,
    /// What is broken between sound frames, as far as it stands behind the start.
    pub(super) holes: Vec<Range<u64>>,
    /// Where the last sound frame ends; at the segment's header if there is none.
    pub(super) end: u64,
    /// Records that are missing, as far as they can be counted. What stands behind `end` is not among them.
    pub(super) lost: u64,
    /// How many records the spool has been given up to the end, if that is known.
    pub(super) sequence: Option<u64>,
    /// Whether anything at all is sound.
    pub(super) has_frames: bool,
    /// Whether the search was given up, so that sound frames may stand behind the end.
    pub(super) is_given_up: bool,
}

/// Looks through a segment. `start` is where the first unread record begins, `sequence` how many records the spool has been given
/// before this segment, if that is known.
pub(super) fn survey(bytes: &[u8], segment: u64, version: Version, start: u64, sequence: Option<u64>) -> Survey {
    let start = start.max(HEADER as u64);
    let place = Place { version, segment, offset: 0 };
    // What is committed can only be counted from the beginning.
    let first = if version == Version::V1 { start } else { HEADER as u64 };
    let found = Survey { end: HEADER as u64, sequence, ..Survey::default() };
    let mut surveyor = Surveyor { version, start, found, group: Group::default() };
    let mut scanner = Scanner { bytes, place, at: first as usize, hashed: 0 };
    while let Some((hole, frame)) = scanner.next_frame() {
        surveyor.take(hole, frame);
        if surveyor.found.holes.len() > MAX_HOLES {
            surveyor.found.is_given_up = true;
            break;
        }
    }
    surveyor.found.is_given_up |= scanner.hashed > MAX_HASHED;
    surveyor.finish()
}

/// What was found since the last commit.
#[derive(Default)]
struct Group {
    sound: u64,
    /// Holes that may have been records: before the start, and behind it.
    done: u64,
    broken: u64,
}

struct Surveyor {
    version: Version,
    start: u64,
    found: Survey,
    group: Group,
}

impl Surveyor {
    fn take(&mut self, hole: Option<Range<u64>>, frame: Frame) {
        if let Some(hole) = hole {
            self.pass(hole);
        }
        self.found.has_frames = true;
        self.found.end = frame.end;
        match frame.commit {
            Some(commit) => self.commit(commit, frame.start),
            None => {
                self.group.sound += 1;
                self.found.records += u64::from(frame.start >= self.start);
            }
        }
    }

    fn pass(&mut self, hole: Range<u64>) {
        let is_commit = self.version != Version::V1 && hole.end - hole.start == COMMIT as u64;
        let may_be_record = u64::from(!is_commit);
        if hole.end <= self.start {
            self.group.done += may_be_record;
        } else {
            self.group.broken += may_be_record;
            self.found.holes.push(hole);
        }
    }

    fn commit(&mut self, commit: Commit, at: u64) {
        let group = std::mem::take(&mut self.group);
        let missing = |before: u64| commit.end().saturating_sub(before).saturating_sub(group.sound);
        let missing = match self.found.sequence {
            Some(before) => missing(before),
            None => missing(commit.first).max(group.broken + group.done),
        };
        if at >= self.start {
            self.found.lost += missing.saturating_sub(group.done);
        }
        self.found.sequence = Some(commit.end());
    }

    /// What stands behind the last commit is counted as it is found.
    fn finish(self) -> Survey {
        let Self { mut found, group, .. } = self;
        found.lost += group.broken;
        found.sequence = found.sequence.map(|before| before + group.sound + group.broken + group.done);
        found
    }
}

/// A sound frame.
#[derive(Clone, Copy)]
struct Frame {
    start: u64,
    end: u64,
    /// `None` for a record.
    commit: Option<Commit>,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    place: Place,
    at: usize,
    /// How many bytes were hashed in vain.
    hashed: usize,
}

impl Scanner<'_> {
    /// The next sound frame, and what stands before it that is not. None if none follows.
    fn next_frame(&mut self) -> Option<(Option<Range<u64>>, Frame)> {
        let begun = self.at as u64;
        let frame = match self.frame_at(self.at) {
            Some(frame) => frame,
            None => self.search()?,
        };
        self.at = frame.end as usize;
        let hole = (frame.start > begun).then_some(begun..frame.start);
        Some((hole, frame))
    }

    fn search(&mut self) -> Option<Frame> {
        let from = self.at;
        let mut at = from;
        while at < self.bytes.len() && self.hashed <= MAX_HASHED {
            at += match self.head_at(at) {
                // The place is in the checksum of the head, so its size is right.
                Some(head) if self.place.version == Version::V2 => self.place.version.head() + head.len,
                Some(_) | None => 1,
            };
            if let Some(frame) = self.frame_at(at) {
                return Some(frame);
            }
        }
        // The size may be right, and only the payload broken.
        let head = self.head_at(from).filter(|_| self.hashed > MAX_HASHED)?;
        self.frame_at(from + self.place.version.head() + head.len)
    }

    fn head_at(&self, at: usize) -> Option<Head> {
        Head::decode(self.bytes.get(at..)?, self.place.at(at as u64))
    }

    fn frame_at(&mut self, at: usize) -> Option<Frame> {
        let head = self.head_at(at)?;
        let begin = at + self.place.version.head();
        let payload = self.bytes.get(begin..begin + head.len)?;
        if !head.fits(payload) {
            self.hashed += head.len;
            return None;
        }
        let commit = (head.content == Content::Commit).then(|| Commit::decode(payload));
        Some(Frame { start: at as u64, end: (begin + head.len) as u64, commit })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::format::push_record_v1, *};

    #[test]
    fn what_the_disk_does_not_give_is_zeros_and_the_rest_is_there() {
        let mut bytes = vec![0; 3 * BLOCK + 100];
        read_blocks(&mut bytes, |block, at| {
            block.fill(7);
            if at == BLOCK as u64 { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
        });
        let expected: Vec<u8> = [[7; BLOCK], [0; BLOCK], [7; BLOCK]].into_iter().flatten().chain([7; 100]).collect();
        assert!(bytes == expected);
    }

    #[test]
    fn a_disk_that_gives_nothing_is_not_asked_for_each_block() {
        let asked = std::cell::Cell::new(0);
        read_blocks(&mut vec![0; 100 * BLOCK], |_, _| {
            asked.set(asked.get() + 1);
            Err(io::ErrorKind::Other.into())
        });
        assert_eq!(asked.get(), MAX_UNREADABLE);
    }

    #[test]
    fn the_search_in_the_first_version_ends_however_much_looks_like_a_head() {
        // Each of these bytes begins what could be a record of 4 MiB.
        let mut segment = vec![0; HEADER];
        let looks_like_heads = [0, 0, 0x40, 0].repeat(1 << 20);
        push_record_v1(&looks_like_heads, &mut segment);
        push_record_v1(&looks_like_heads[..3 << 20], &mut segment);
        push_record_v1(b"last", &mut segment);
        segment[HEADER + 8] ^= 1;
        let begun = std::time::Instant::now();
        let found = survey(&segment, 1, Version::V1, 0, None);
        assert!(begun.elapsed() < std::time::Duration::from_secs(60));
        assert_eq!((found.records, found.lost), (2, 1));
    }
}
