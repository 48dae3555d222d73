//! Appends records: in one write for each segment that they go to.

use std::io;

use super::{Appended, FRAME, HEADER, Segment, Spool, SpoolError, TooLarge, Writer, format::push_frame};

/// What the buffer of frames keeps when an append is done. It only grows beyond that while a larger batch is written.
const BUFFER_KEPT: usize = 1 << 20;

/// The records whose frames wait in the buffer.
#[derive(Default)]
struct Chunk {
    /// Which of the given records is the first.
    first: usize,
    records: u64,
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
        let mut chunk = Chunk::default();
        for (index, record) in records.into_iter().enumerate() {
            let size = (FRAME + record.len()) as u64;
            if HEADER as u64 + size > self.segment_size() {
                appended.refused.push(TooLarge { index, bytes: record.len(), limit });
                continue;
            }
            if self.size_with_frames() + size > self.segment_size() {
                self.write(&chunk, appended)?;
                chunk = Chunk { first: index, records: 0 };
                // The segment is full.
                self.writer = None;
            }
            push_frame(record, &mut self.frames);
            chunk.records += 1;
        }
        self.write(&chunk, appended)
    }

    /// The size of the newest segment once what waits is written to it.
    fn size_with_frames(&self) -> u64 {
        let written = match (&self.writer, self.segments.back()) {
            (Some(_), Some(segment)) => segment.end,
            _ => HEADER as u64,
        };
        written + self.frames.len() as u64
    }

    /// Writes what waits in the buffer to the newest segment. What is refused behind the first of it is only settled with it.
    fn write(&mut self, chunk: &Chunk, appended: &mut Appended) -> Result<(), SpoolError> {
        if chunk.records > 0 {
            if let Err(error) = self.write_frames(chunk.records, &mut appended.dropped) {
                appended.refused.retain(|refused| refused.index < chunk.first);
                return Err(error);
            }
            appended.stored += chunk.records;
            self.frames.clear();
        }
        Ok(())
    }

    fn write_frames(&mut self, records: u64, dropped: &mut u64) -> Result<(), SpoolError> {
        let bytes = self.frames.len() as u64;
        self.make_room(HEADER as u64 + bytes, dropped)?;
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.begin_segment()?,
        };
        let segment = self.segments.back_mut().expect("a segment that is written stands last");
        match writer.write(&self.frames) {
            Ok(()) => {
                segment.end += bytes;
                segment.bytes = segment.end;
                segment.unread += records;
                self.writer = Some(writer);
                Ok(())
            }
            Err(error) => {
                // Nobody knows what a file holds that could not be written: it gets no more records.
                if writer.cut(segment.end).is_err() {
                    segment.bytes = segment.end + bytes;
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
                    let end = HEADER as u64;
                    let segment = Segment { number, bytes: end, end, position: end, unread: 0, is_damaged: false };
                    self.segments.push_back(segment);
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
