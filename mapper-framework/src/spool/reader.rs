//! Reads the records of one segment.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::Range,
};

use super::format::{COMMIT, Content, FRAME, Head, Place};

/// Reads from the file at once. Larger than most records, and small enough to have one of them for each spool.
const BUFFER: usize = 64 << 10;

/// Reads the records of a segment one after the other. What is read beyond the buffer is one record.
#[derive(Debug)]
pub(super) struct Reader {
    file: BufReader<File>,
    /// Where the next frame begins.
    place: Place,
    /// What is passed over.
    holes: VecDeque<Range<u64>>,
    /// The head of the next record, if it has been read already.
    head: Option<Head>,
}

/// There is no record where one should be: what is there is broken, or the disk does not give it. The reader is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl Reader {
    /// Begins at a place between two frames.
    pub(super) fn new(mut file: File, place: Place, holes: &[Range<u64>]) -> Result<Self, Broken> {
        file.seek(SeekFrom::Start(place.offset))?;
        let holes = holes.iter().filter(|hole| hole.end > place.offset).cloned().collect();
        Ok(Self { file: BufReader::with_capacity(BUFFER, file), place, holes, head: None })
    }

    /// The segment's number.
    pub(super) fn number(&self) -> u64 {
        self.place.segment
    }

    /// Where the next frame begins.
    pub(super) fn position(&self) -> u64 {
        self.place.offset
    }

    /// The size of the next record, in a segment that ends at `end`.
    pub(super) fn peek(&mut self, end: u64) -> Result<usize, Broken> {
        loop {
            if let Some(head) = self.head {
                return Ok(head.len);
            }
            self.pass_hole()?;
            let head = self.read_head(end)?;
            match head.content {
                Content::Record => self.head = Some(head),
                Content::Commit => {
                    let mut commit = [0; COMMIT - FRAME];
                    self.read_payload(head, &mut commit)?;
                }
            }
        }
    }

    /// Reads the next record, in a segment that ends at `end`.
    pub(super) fn next(&mut self, end: u64, payload: &mut Vec<u8>) -> Result<(), Broken> {
        payload.resize(self.peek(end)?, 0);
        let head = self.head.take().ok_or(Broken)?;
        self.read_payload(head, payload)
    }

    fn pass_hole(&mut self) -> Result<(), Broken> {
        if let Some(hole) = self.holes.front().filter(|hole| hole.start <= self.place.offset) {
            self.file.seek_relative((hole.end - self.place.offset).cast_signed())?;
            self.place.offset = hole.end;
            self.holes.pop_front();
        }
        Ok(())
    }

    /// A head is believed only as far as the segment goes, so that a broken one costs no memory.
    fn read_head(&mut self, end: u64) -> Result<Head, Broken> {
        let mut bytes = [0; FRAME];
        let bytes = &mut bytes[..self.place.version.head()];
        self.file.read_exact(bytes)?;
        let head = Head::decode(bytes, self.place).ok_or(Broken)?;
        let behind = self.place.offset + (bytes.len() + head.len) as u64;
        if behind <= end { Ok(head) } else { Err(Broken) }
    }

    fn read_payload(&mut self, head: Head, payload: &mut [u8]) -> Result<(), Broken> {
        self.file.read_exact(payload)?;
        self.place.offset += (self.place.version.head() + payload.len()) as u64;
        if head.fits(payload) { Ok(()) } else { Err(Broken) }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::format::Version, *};

    #[test]
    fn what_the_disk_does_not_give_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("only for writing")).unwrap();
        let place = Place { version: Version::V2, segment: 1, offset: 24 };
        assert_eq!(Reader::new(file, place, &[]).unwrap().peek(1000), Err(Broken));
    }
}
