//! Reads the records of one segment.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
};

use super::format::{FRAME, HEADER, Head, MAX_SEGMENT};

/// Reads from the file at once. Larger than most records, and small enough to have one of them for each spool.
const BUFFER: usize = 64 << 10;

/// Reads the records of a segment one after the other. What is read beyond the buffer is one record.
#[derive(Debug)]
pub(super) struct Reader {
    number: u64,
    file: BufReader<File>,
    /// Where the next record begins.
    position: u64,
    /// The head of the next record, if it has been read already.
    head: Option<Head>,
}

/// Why there is no record where one should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A record is there, and it is not what was written. The reader stands behind it.
    Checksum,
    /// What is there ends behind the segment, so it is no whole record. The reader is of no more use.
    Incomplete,
    /// The disk does not give what is there. The reader is of no more use.
    Unreadable,
}

impl Reader {
    /// Begins at a place between two records.
    pub(super) fn new(mut file: File, number: u64, position: u64) -> Result<Self, Broken> {
        let position = position.max(HEADER as u64);
        file.seek(SeekFrom::Start(position)).map_err(|_| Broken::Unreadable)?;
        Ok(Self { number, file: BufReader::with_capacity(BUFFER, file), position, head: None })
    }

    /// The segment's number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Where the next record begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The size of the next record, in a segment that ends at `end`.
    pub(super) fn peek(&mut self, end: u64) -> Result<usize, Broken> {
        let head = match self.head {
            Some(head) => head,
            None => self.read_head(end)?,
        };
        self.head = Some(head);
        Ok(head.len as usize)
    }

    /// Reads the next record, in a segment that ends at `end`.
    pub(super) fn next(&mut self, end: u64, payload: &mut Vec<u8>) -> Result<(), Broken> {
        let len = self.peek(end)?;
        let head = self.head.take().ok_or(Broken::Unreadable)?;
        payload.resize(len, 0);
        self.file.read_exact(payload).map_err(|_| Broken::Unreadable)?;
        self.position += (FRAME + len) as u64;
        if head.fits(payload) { Ok(()) } else { Err(Broken::Checksum) }
    }

    /// A head is believed only as far as the segment goes, so that a broken one costs no memory.
    fn read_head(&mut self, end: u64) -> Result<Head, Broken> {
        let room = end.min(self.position.saturating_add(MAX_SEGMENT)).saturating_sub(self.position);
        let room = room.checked_sub(FRAME as u64).ok_or(Broken::Incomplete)?;
        let mut bytes = [0; FRAME];
        self.file.read_exact(&mut bytes).map_err(|_| Broken::Unreadable)?;
        let head = Head::decode(&bytes);
        if u64::from(head.len) <= room { Ok(head) } else { Err(Broken::Incomplete) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_does_not_give_is_told_from_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = || File::create(folder.path().join("only for writing")).unwrap();
        let mut reader = Reader::new(file(), 1, 0).unwrap();
        assert_eq!(reader.peek(1000), Err(Broken::Unreadable));
        let mut reader = Reader::new(file(), 1, 0).unwrap();
        assert_eq!(reader.peek((HEADER + FRAME - 1) as u64), Err(Broken::Incomplete));
    }
}
