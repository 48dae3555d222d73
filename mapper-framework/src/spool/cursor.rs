//! The file that remembers up to where records are acknowledged.
//!
//! Two slots, written in turn, so that a write which is cut short leaves the other. The file is not forced to the disk: what a
//! power loss costs of it is records that are handed out twice.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    error::SpoolError,
    files,
    format::{MAX_NUMBER, u32_at, u64_at},
};

/// What a slot begins with: a name, and the version of its form.
const MAGIC: [u8; 8] = *b"MFCURSR1";

/// The bytes of a slot that mean something.
const SLOT: usize = 28;

/// From the beginning of a slot to that of the next: a sector, which a disk writes as a whole.
const SLOT_DISTANCE: u64 = 512;

/// The size of the file.
pub(super) const CURSOR: u64 = 2 * SLOT_DISTANCE;

/// A place between two records. All that stands before it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// The segment's number.
    pub(super) number: u64,
    /// Bytes from the beginning of its file.
    pub(super) offset: u64,
}

impl Position {
    fn encode(self) -> [u8; SLOT] {
        let mut slot = [0; SLOT];
        slot[..8].copy_from_slice(&MAGIC);
        slot[8..16].copy_from_slice(&self.number.to_le_bytes());
        slot[16..24].copy_from_slice(&self.offset.to_le_bytes());
        let checksum = crc32fast::hash(&slot[..24]);
        slot[24..].copy_from_slice(&checksum.to_le_bytes());
        slot
    }

    fn decode(slot: &[u8]) -> Option<Self> {
        let sound = slot.starts_with(&MAGIC) && crc32fast::hash(&slot[..24]) == u32_at(slot, 24);
        let position = sound.then(|| Self { number: u64_at(slot, 8), offset: u64_at(slot, 16) })?;
        (position.number <= MAX_NUMBER).then_some(position)
    }
}

/// What has been remembered.
#[derive(Debug)]
pub(super) struct Cursor {
    path: PathBuf,
    /// Opened when it is first written.
    file: Option<File>,
    /// The size of the file.
    bytes: u64,
    written: Position,
    /// The slot that the next position goes to.
    next_slot: u64,
}

/// What was found of a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// There was none.
    None,
    /// It is sound.
    Sound,
    /// There is a file, and nothing in it that can be used.
    Lost,
}

impl Cursor {
    /// Reads what was remembered. Whatever stands there, it is no error: without a cursor, all records are handed out again.
    pub(super) fn load(folder: &Path) -> (Self, Memory) {
        let path = folder.join("cursor");
        let slots = read_slots(&path);
        let memory = match &slots {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Memory::None,
            Ok([None, None]) | Err(_) => Memory::Lost,
            Ok(_) => Memory::Sound,
        };
        let [first, second] = slots.unwrap_or_default();
        // Positions only move ahead, so the greater one is the newer.
        let next_slot = u64::from(first > second);
        let written = first.max(second).unwrap_or_default();
        let bytes = fs::metadata(&path).map_or(0, |found| if found.is_file() { found.len() } else { 0 });
        (Self { path, file: None, bytes, written, next_slot }, memory)
    }

    pub(super) fn position(&self) -> Position {
        self.written
    }

    /// The size of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Removes the file.
    pub(super) fn remove(&self) -> Result<(), SpoolError> {
        files::remove(&self.path)
    }

    /// Remembers a position.
    pub(super) fn write(&mut self, position: Position) -> Result<(), SpoolError> {
        if position == self.written {
            return Ok(());
        }
        let failed = SpoolError::on("write", &self.path);
        let file = match self.file.take() {
            Some(file) => file,
            None => open(&self.path).map_err(SpoolError::on("open", &self.path))?,
        };
        let written = file.write_all_at(&position.encode(), self.next_slot * SLOT_DISTANCE);
        (self.file, self.bytes) = (Some(file), CURSOR);
        written.map_err(failed)?;
        (self.written, self.next_slot) = (position, 1 - self.next_slot);
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.set_len(CURSOR)?;
    Ok(file)
}

fn read_slots(path: &Path) -> io::Result<[Option<Position>; 2]> {
    let file = File::open(path)?;
    let read = |at| {
        let mut slot = [0; SLOT];
        file.read_exact_at(&mut slot, at).ok().and_then(|()| Position::decode(&slot))
    };
    Ok([read(0), read(SLOT_DISTANCE)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After the positions 3/24 and 3/1000.
    const GOLDEN: &[u8] = include_bytes!("../../tests/golden/spool/cursor-v1.bin");

    const FIRST: Position = Position { number: 3, offset: 24 };
    const SECOND: Position = Position { number: 3, offset: 1000 };
    const THIRD: Position = Position { number: 4, offset: 24 };

    fn written(folder: &Path, positions: &[Position]) -> PathBuf {
        let (mut cursor, memory) = Cursor::load(folder);
        assert_eq!((cursor.position(), memory), (Position::default(), Memory::None));
        for position in positions {
            cursor.write(*position).unwrap();
        }
        folder.join("cursor")
    }

    #[test]
    fn the_form_of_the_cursor_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &[FIRST, SECOND]);
        assert_eq!(fs::read(path).unwrap(), GOLDEN);
    }

    #[test]
    fn the_last_position_is_remembered() {
        for positions in [&[FIRST][..], &[FIRST, SECOND], &[FIRST, SECOND, THIRD]] {
            let folder = tempfile::tempdir().unwrap();
            written(folder.path(), positions);
            let (cursor, memory) = Cursor::load(folder.path());
            assert_eq!((Some(&cursor.position()), memory), (positions.last(), Memory::Sound));
        }
    }

    #[test]
    fn a_broken_slot_leaves_the_other() {
        for byte in 0..SLOT {
            let folder = tempfile::tempdir().unwrap();
            let path = written(folder.path(), &[FIRST, SECOND]);
            let mut bytes = fs::read(&path).unwrap();
            bytes[SLOT_DISTANCE as usize + byte] ^= 0x10;
            fs::write(&path, bytes).unwrap();
            let (mut cursor, memory) = Cursor::load(folder.path());
            assert_eq!((cursor.position(), memory), (FIRST, Memory::Sound), "byte {byte}");
            cursor.write(THIRD).unwrap();
            assert_eq!(Cursor::load(folder.path()).0.position(), THIRD, "the sound slot was not written over");
        }
    }

    #[test]
    fn what_cannot_be_used_counts_as_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        for garbage in [&b""[..], b"garbage", &[0; 2000]] {
            fs::write(&path, garbage).unwrap();
            let (mut cursor, memory) = Cursor::load(folder.path());
            assert_eq!((cursor.position(), memory), (Position::default(), Memory::Lost));
            cursor.write(THIRD).unwrap();
            assert_eq!(Cursor::load(folder.path()).0.position(), THIRD);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let (mut cursor, memory) = Cursor::load(folder.path());
        assert_eq!(memory, Memory::Lost);
        let error = cursor.write(THIRD).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}
