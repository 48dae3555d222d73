//! Hands records out, and takes note when they are done with.

use std::{fs::File, io, path::Path};

use super::{
    Batch, Kind, Name, Position, Reader, Segment, Spool, SpoolError,
    survey::{Image, survey},
};

/// How much a batch may still take.
struct Room {
    records: usize,
    bytes: usize,
}

/// Why reading a segment stopped.
enum Stop {
    /// The batch is full.
    Full,
    /// The segment holds no more.
    Exhausted,
    /// Something is broken where the next record should be.
    Broken,
    /// The segment cannot be opened now.
    Refused(SpoolError),
}

impl Spool {
    /// Hands out the next records, the oldest first. They are leased until [`acknowledge`](Self::acknowledge).
    ///
    /// Their payloads have at most `max_bytes` together, but for a first one that is larger. A batch without records means that
    /// there are none, or that `max_records` is 0. It may still count some that are lost; `acknowledge` clears their segment away.
    ///
    /// # Errors
    ///
    /// A segment cannot be opened. Nothing is lost; the next call tries again.
    pub(crate) fn read(&mut self, max_records: usize, max_bytes: usize) -> Result<Batch, SpoolError> {
        let mut batch = Batch::default();
        let mut room = Room { records: max_records, bytes: max_bytes };
        let mut broke_at = None;
        while let Some(at) = self.segments.iter().position(|segment| segment.unread > 0) {
            match self.read_segment(at, &mut room, &mut batch.records) {
                Stop::Exhausted => {}
                Stop::Full => break,
                Stop::Broken => {
                    let place = (self.segments[at].number, self.segments[at].position);
                    // What breaks twice at one place is a disk that does not give what it has just given.
                    let again = broke_at.replace(place) == Some(place);
                    batch.lost += if again { self.give_up(at) } else { self.mend(at) };
                }
                Stop::Refused(error) if batch == Batch::default() => return Err(error),
                Stop::Refused(_) => break,
            }
        }
        Ok(batch)
    }

    /// Takes note that all records read so far are done with.
    ///
    /// # Errors
    ///
    /// It could not be noted on disk. They are done with all the same, but may be handed out again after a restart.
    pub(crate) fn acknowledge(&mut self) -> Result<(), SpoolError> {
        self.leased = 0;
        self.lost_leased = false;
        let done = self.segments.iter().take_while(|segment| segment.unread == 0).count();
        let next = self.segments.get(done);
        let position = next.map_or(Position { number: self.next_number, offset: 0 }, |segment| Position {
            number: segment.number,
            offset: segment.position,
        });
        let mut noted = self.cursor.write(position);
        for _ in 0..done {
            noted = noted.and(self.retire_first());
        }
        noted
    }

    fn read_segment(&mut self, at: usize, room: &mut Room, records: &mut Vec<Vec<u8>>) -> Stop {
        let segment = &mut self.segments[at];
        let reader = match open_reader(&mut self.reader, &self.folder, segment) {
            Ok(reader) => reader,
            Err(stop) => return stop,
        };
        while segment.unread > 0 {
            let Ok(len) = reader.peek(segment.end) else { return Stop::Broken };
            if room.records == 0 || (len > room.bytes && !records.is_empty()) {
                return Stop::Full;
            }
            let mut record = Vec::with_capacity(len);
            if reader.next(segment.end, &mut record).is_err() {
                return Stop::Broken;
            }
            (room.records, room.bytes) = (room.records - 1, room.bytes.saturating_sub(len));
            records.push(record);
            segment.position = reader.position();
            segment.unread -= 1;
            self.leased += 1;
        }
        Stop::Exhausted
    }

    /// Finds out what is broken in a segment, so that it is passed over, and returns how many records are lost.
    fn mend(&mut self, at: usize) -> u64 {
        let segment = &mut self.segments[at];
        let Ok(file) = File::open(Name::segment(segment.number).within(&self.folder)) else { return self.give_up(at) };
        let image = Image::load(&file, segment.end);
        let found = survey(image.bytes(), segment.number, segment.version, segment.position, None);
        segment.is_damaged = true;
        segment.holes = found.holes;
        let left = found.records.min(segment.unread);
        let lost = std::mem::replace(&mut segment.unread, left) - left;
        let number = segment.number;
        // Nothing is written behind what broke.
        self.close(number);
        self.damage.add(number, lost);
        lost
    }

    /// Ends a segment before its first unread record, and returns how many are lost.
    fn give_up(&mut self, at: usize) -> u64 {
        let segment = &mut self.segments[at];
        (segment.end, segment.is_damaged) = (segment.position, true);
        let number = segment.number;
        let lost = std::mem::take(&mut segment.unread);
        self.close(number);
        self.damage.add(number, lost);
        lost
    }

    /// Removes the first segment, or sets it aside: its records are done with.
    fn retire_first(&mut self) -> Result<(), SpoolError> {
        let Some(segment) = self.segments.pop_front() else { return Ok(()) };
        self.close(segment.number);
        self.damage.forget(segment.number);
        if segment.is_damaged {
            self.aside.set_aside(segment.number, Kind::Corrupt, segment.bytes)
        } else {
            self.aside.dispose(segment.number, segment.bytes)
        }
    }
}

/// The reader of this segment: the one there is, or a new one in its place.
fn open_reader<'a>(reader: &'a mut Option<Reader>, folder: &Path, segment: &Segment) -> Result<&'a mut Reader, Stop> {
    reader.take_if(|reader| reader.number() != segment.number);
    if reader.is_none() {
        let path = Name::segment(segment.number).within(folder);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Stop::Broken),
            Err(error) => return Err(Stop::Refused(SpoolError::on("open", &path)(error))),
        };
        let place = segment.place(segment.position);
        *reader = Some(Reader::new(file, place, &segment.holes).map_err(|_| Stop::Broken)?);
    }
    reader.as_mut().ok_or(Stop::Broken)
}
