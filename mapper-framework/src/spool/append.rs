//! Appends records: in one write for each segment that they go to.

use std::io;

use super::{
    Appended, Segment, Spool, SpoolError, TooLarge, Writer,
    format::{COMMIT, Commit, FRAME, HEADER, push_commit, push_record},
};

/// What the buffer of frames keeps when an append is done. It only grows beyond that while a larger batch is written.
const BUFFER_KEPT: usize = 1 << 20;

/// The records that go to one segment together.
struct Chunk<'a> {
    /// Which of the given records is the first.
    first: usize,
    records: Vec<&'a [u8]>,
    /// The size of their frames, and of the commit behind them.
    bytes: u64,
}

impl<'a> Chunk<'a> {
    fn at(first: usize) -> Self {
        Self { first, records: Vec::new(), bytes: COMMIT as u64 }
    }

    fn push(&mut self, record: &'a [u8]) {
        self.bytes += frame_of(record);
        self.records.push(record);
    }
}

fn frame_of(record: &[u8]) -> u64 {
    (FRAME + record.len()) as u64
}

impl Spool {
    /// Stores records behind all others. When it returns they are on disk, as far as the policy asks for it.
    ///
    /// Each segment that the records go to takes its share wholly or not at all, so a failure leaves none half stored. Should the
    /// disk refuse even to cut what was half written, then such records may come up after a restart, beside those that their owner
    /// kept.
    pub(crate) fn append<'a>(&mut self, records: impl IntoIterator<Item = &'a [u8]>) -> Appended {
        let mut appended = Appended::default();
        let stored = self.append_all(records, &mut appended);
        self.frames.clear();
        self.frames.shrink_to(BUFFER_KEPT);
        appended.failure = stored.err();
        appended
    }

    fn append_all<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a [u8]>,
        appended: &mut Appended,
    ) -> Result<(), SpoolError> {
        let limit = self.largest_record();
        let mut chunk = Chunk::at(0);
        for (index, record) in records.into_iter().enumerate() {
            if (HEADER + COMMIT) as u64 + frame_of(record) > self.segment_size() {
                appended.refused.push(TooLarge { index, bytes: record.len(), limit });
                continue;
            }
            if self.size_with(&chunk) + frame_of(record) > self.segment_size() {
                self.write(&chunk, appended)?;
                chunk = Chunk::at(index);
                // The segment is full.
                self.writer = None;
            }
            chunk.push(record);
        }
        self.write(&chunk, appended)
    }

    /// The size of the newest segment once the chunk is written to it.
    fn size_with(&self, chunk: &Chunk<'_>) -> u64 {
        let written = match (&self.writer, self.segments.back()) {
            (Some(_), Some(segment)) => segment.end,
            _ => HEADER as u64,
        };
        written + chunk.bytes
    }

    /// Writes a chunk to the newest segment. What is refused behind the first of its records is only settled with it.
    fn write(&mut self, chunk: &Chunk<'_>, appended: &mut Appended) -> Result<(), SpoolError> {
        if !chunk.records.is_empty() {
            if let Err(error) = self.write_frames(chunk, &mut appended.dropped) {
                appended.refused.retain(|refused| refused.index < chunk.first);
                return Err(error);
            }
            appended.stored += chunk.records.len() as u64;
        }
        Ok(())
    }

    fn write_frames(&mut self, chunk: &Chunk<'_>, dropped: &mut u64) -> Result<(), SpoolError> {
        self.make_room(HEADER as u64 + chunk.bytes, dropped)?;
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.begin_segment()?,
        };
        let segment = self.segments.back_mut().expect("a segment that is written stands last");
        let records = chunk.records.len() as u64;
        encode(chunk, self.sequence, segment, &mut self.frames);
        match writer.write(&self.frames) {
            Ok(()) => {
                segment.end += chunk.bytes;
                segment.bytes = segment.end;
                segment.unread += records;
                self.sequence += records;
                self.writer = Some(writer);
                Ok(())
            }
            Err(error) => {
                // Nobody knows what a file holds that could not be written: it gets no more records.
                if writer.cut(segment.end).is_err() {
                    segment.bytes = segment.end + chunk.bytes;
                }
                self.forget_empty();
                Err(error)
            }
        }
    }

    /// Puts a segment without records last.
    fn begin_segment(&mut self) -> Result<Writer, SpoolError> {
        loop {
            let number = self.next_number;
            self.next_number += 1;
            match Writer::create(&*self.disk, &self.folder, number, self.options.sync) {
                Ok(writer) => {
                    self.segments.push_back(Segment::empty(number));
                    return Ok(writer);
                }
                // Something that is not ours has the name.
                Err(SpoolError::Io { reason, .. }) if reason.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes the last segment if no record was ever written to it.
    fn forget_empty(&mut self) {
        if let Some(Segment { number, bytes, .. }) = self.segments.back().filter(|last| last.end == HEADER as u64) {
            // Where it cannot be removed, it goes when room is needed.
            self.aside.dispose(*number, *bytes).ok();
            self.segments.pop_back();
        }
    }
}

/// The frames of a chunk that goes behind what a segment has. `sequence` is how many records the spool has been given before.
fn encode(chunk: &Chunk<'_>, sequence: u64, segment: &Segment, frames: &mut Vec<u8>) {
    frames.clear();
    let end = segment.place(segment.end);
    let next = |frames: &Vec<u8>| end.at(segment.end + frames.len() as u64);
    for record in &chunk.records {
        push_record(record, next(frames), frames);
    }
    let records = u32::try_from(chunk.records.len()).expect("a segment has fewer records than bytes");
    push_commit(Commit { first: sequence, records }, next(frames), frames);
}
