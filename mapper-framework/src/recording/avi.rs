//! An AVI file of MJPEG, as every player has it: one stream with one chunk for each interval of its rate. Where an interval has no frame
//! its chunk is empty, which players take for the frame before; so each frame stands at its time.
//!
//! The layout is that of RIFF (Microsoft, "AVI RIFF File Reference"): the header, the list `movi` of chunks, and the index `idx1`.

use std::{
    fs::{self, File},
    io::{self, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{FileName, RecordError, disk::Disk};

/// The bytes before the first chunk.
pub(super) const HEADER: u64 = 224;

/// Where the list `movi` begins, from which the index counts.
const MOVI: u64 = HEADER - 4;

/// What a chunk takes besides its bytes, its place in the index included.
pub(super) const PER_CHUNK: u64 = 8 + 16;

/// What is given up of a full disk beside the index: disks count in blocks.
const SPARE: u64 = 8192;

/// The four letters of a chunk of the stream.
pub(super) const CHUNK: [u8; 4] = *b"00dc";

/// The most chunks of a file, of which each takes four bytes of memory while it is written.
pub(super) const MOST_CHUNKS: usize = 1 << 18;

/// What all frames of a file have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) width: u16,
    pub(super) height: u16,
    /// The time from one chunk to the next, as a fraction of seconds.
    pub(super) scale: u32,
    pub(super) rate: u32,
}

impl Shape {
    /// Frames of this size that come so often in a second.
    pub(super) fn new((width, height): (u16, u16), frames_per_second: f64) -> Self {
        let per_second = frames_per_second.clamp(1e-5, 1000.0);
        let thousandths = (per_second * 1000.0).round();
        // By the fraction that has it exactly: 29.97 frames, or one in 90 seconds.
        let (scale, rate) =
            if per_second >= 1.0 { (1000.0, thousandths) } else { ((1000.0 / per_second).round(), 1000.0) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are between 1 and 1e8")]
        let (scale, rate) = (scale as u32, rate as u32);
        Self { width, height, scale, rate }
    }

    /// The time from one chunk to the next.
    pub(super) fn interval(self) -> Duration {
        Duration::from_secs(1) * self.scale / self.rate
    }

    /// The chunk of a frame that comes so long after the first one.
    pub(super) fn chunk_at(self, time: Duration) -> u64 {
        let interval = self.interval().as_nanos().max(1);
        u64::try_from((time.as_nanos() + interval / 2) / interval).unwrap_or(u64::MAX)
    }

    /// All before the first chunk. Before the file is whole, its sizes are zero.
    fn header(self, sizes: &[u32], file: u64) -> Vec<u8> {
        let is_whole = file > 0;
        let chunks = if is_whole { count(sizes.len()) } else { 0 };
        let largest = sizes.iter().copied().max().unwrap_or_default();
        let movi = if is_whole { file - (HEADER - 4) - (8 + 16 * u64::from(chunks)) } else { 0 };
        let (width, height) = (u32::from(self.width), u32::from(self.height));
        let micros = u32::try_from(self.interval().as_micros()).unwrap_or(u32::MAX);
        let mut out = Vec::with_capacity(HEADER.try_into().unwrap_or_default());
        let text = |out: &mut Vec<u8>, text: &[u8; 4]| out.extend(text);
        let long = |out: &mut Vec<u8>, numbers: &[u32]| numbers.iter().for_each(|it| out.extend(it.to_le_bytes()));
        text(&mut out, b"RIFF");
        long(&mut out, &[if is_whole { small(file - 8) } else { 0 }]);
        text(&mut out, b"AVI ");
        text(&mut out, b"LIST");
        long(&mut out, &[192]);
        text(&mut out, b"hdrl");
        text(&mut out, b"avih");
        // It has an index (0x10). The rates are for players that allocate by them.
        let per_second = u64::from(largest) * u64::from(self.rate) / u64::from(self.scale.max(1));
        long(&mut out, &[56, micros, small(per_second), 0, 0x10, chunks, 0, 1, largest, width, height, 0, 0, 0, 0]);
        text(&mut out, b"LIST");
        long(&mut out, &[116]);
        text(&mut out, b"strl");
        text(&mut out, b"strh");
        long(&mut out, &[56]);
        text(&mut out, b"vids");
        text(&mut out, b"MJPG");
        long(&mut out, &[0, 0, 0, self.scale, self.rate, 0, chunks, largest, u32::MAX, 0, 0, width | height << 16]);
        text(&mut out, b"strf");
        // One plane of 24 bits.
        long(&mut out, &[40, 40, width, height, 1 | 24 << 16]);
        text(&mut out, b"MJPG");
        long(&mut out, &[width.saturating_mul(height).saturating_mul(3), 0, 0, 0, 0]);
        text(&mut out, b"LIST");
        long(&mut out, &[small(movi)]);
        text(&mut out, b"movi");
        out
    }

    /// The shape by the header of a file.
    pub(super) fn read(header: &[u8]) -> Option<Self> {
        let at = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let is_ours = header.starts_with(b"RIFF") && header.get(8..12)? == b"AVI " && header.get(220..224)? == b"movi";
        let (width, height) = (u16::try_from(at(64)?).ok()?, u16::try_from(at(68)?).ok()?);
        let (scale, rate) = (at(128)?, at(132)?);
        (is_ours && scale > 0 && rate > 0).then_some(Self { width, height, scale, rate })
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct AviFile {
    pub(super) name: FileName,
    pub(super) shape: Shape,
    folder: PathBuf,
    file: File,
    disk: Arc<dyn Disk>,
    /// Of each chunk, its bytes.
    sizes: Vec<u32>,
    /// The bytes of all whole chunks, and of the header.
    end: u64,
    /// How many chunks hold a frame.
    pub(super) frames: u64,
    /// The time of the first frame.
    pub(super) begin: SystemTime,
    /// Whether frames may be given up for the index. Not when a file is mended, which is tried again and again.
    may_give: bool,
}

impl AviFile {
    /// Begins a file.
    pub(super) fn create(
        folder: &Path,
        name: FileName,
        shape: Shape,
        begin: SystemTime,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, RecordError> {
        let path = part_of(folder, &name);
        let mut file = File::create_new(&path).map_err(RecordError::on("create", &path))?;
        if let Err(reason) = disk.write(&mut file, &shape.header(&[], 0)) {
            fs::remove_file(&path).ok();
            return Err(RecordError::on("write", path)(reason));
        }
        let folder = folder.to_owned();
        Ok(Self { name, shape, folder, file, disk, sizes: Vec::new(), end: HEADER, frames: 0, begin, may_give: true })
    }

    /// Goes on with a file whose chunks are known, to make it whole.
    pub(super) fn resume(
        folder: &Path,
        name: FileName,
        file: File,
        shape: Shape,
        sizes: Vec<u32>,
        disk: Arc<dyn Disk>,
    ) -> Self {
        let end = HEADER + sizes.iter().map(|&size| 8 + padded(size)).sum::<u64>();
        let (frames, begin) = (sizes.iter().filter(|size| **size > 0).count() as u64, name.time());
        Self { name, shape, folder: folder.to_owned(), file, disk, sizes, end, frames, begin, may_give: false }
    }

    /// How many chunks there are.
    pub(super) fn chunks(&self) -> usize {
        self.sizes.len()
    }

    /// The bytes that the file has when it is whole.
    pub(super) fn bytes(&self) -> u64 {
        self.end + 8 + 16 * self.sizes.len() as u64
    }

    /// The bytes that a frame takes which comes after so many chunks without one.
    pub(super) fn needs(frame: usize, empty: u64) -> u64 {
        (empty + 1) * PER_CHUNK + padded(count(frame))
    }

    /// Adds a frame after so many chunks without one.
    ///
    /// # Errors
    ///
    /// It was not written whole. What was is kept from the file by [`finish`](Self::finish).
    pub(super) fn push(&mut self, frame: &[u8], empty: u64) -> Result<(), RecordError> {
        self.push_empty(empty)?;
        self.push_chunk(frame)?;
        self.frames += 1;
        Ok(())
    }

    fn push_empty(&mut self, chunks: u64) -> Result<(), RecordError> {
        let head = [CHUNK, 0_u32.to_le_bytes()].concat();
        // Callers keep to `MOST_CHUNKS`.
        let number = usize::try_from(chunks).unwrap_or(usize::MAX).min(MOST_CHUNKS);
        let written = self.disk.write(&mut self.file, &head.repeat(number));
        written.map_err(RecordError::on("write", part_of(&self.folder, &self.name)))?;
        self.sizes.extend(std::iter::repeat_n(0, number));
        self.end += head.len() as u64 * number as u64;
        Ok(())
    }

    fn push_chunk(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        let size = count(bytes.len());
        let head = [CHUNK, size.to_le_bytes()].concat();
        let written = self.disk.write(&mut self.file, &head);
        let written = written.and_then(|()| self.disk.write(&mut self.file, bytes));
        let pad = &[0][..usize::from(!size.is_multiple_of(2))];
        let written = written.and_then(|()| self.disk.write(&mut self.file, pad));
        written.map_err(RecordError::on("write", part_of(&self.folder, &self.name)))?;
        self.sizes.push(size);
        self.end += 8 + padded(size);
        Ok(())
    }

    /// Makes the file whole, gives it its name, and returns its bytes.
    pub(super) fn finish(mut self) -> Result<(FileName, u64), RecordError> {
        let path = part_of(&self.folder, &self.name);
        let failed = || RecordError::on("finish", &path);
        let (end, needed) = (self.end, self.bytes() - self.end + SPARE);
        while let Err(reason) = self.write_index() {
            let has_given = end - self.end >= needed;
            if !self.may_give || has_given || reason.kind() != io::ErrorKind::StorageFull || self.frames < 2 {
                return Err(failed()(reason));
            }
            // On a full disk the last frames make room for the index.
            self.pop_frame();
        }
        self.file.seek(SeekFrom::Start(0)).map_err(failed())?;
        let header = self.shape.header(&self.sizes, self.bytes());
        self.disk.write(&mut self.file, &header).map_err(failed())?;
        // A name without `.part` promises that all is there, also after a power loss.
        self.file.sync_data().map_err(failed())?;
        fs::rename(&path, self.folder.join(self.name.to_string())).map_err(failed())?;
        let bytes = self.bytes();
        Ok((self.name, bytes))
    }

    /// Writes the index behind the last whole chunk. What is there was torn.
    fn write_index(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        let index = self.index();
        self.disk.write(&mut self.file, &index)
    }

    /// Gives up the last frame, and what is empty before it.
    fn pop_frame(&mut self) {
        self.frames -= 1;
        let mut is_popped = false;
        while let Some(size) = self.sizes.pop_if(|size| !is_popped || *size == 0) {
            is_popped = true;
            self.end -= 8 + padded(size);
        }
    }

    fn index(&self) -> Vec<u8> {
        let mut index = Vec::with_capacity(8 + 16 * self.sizes.len());
        index.extend(b"idx1");
        index.extend((16 * count(self.sizes.len())).to_le_bytes());
        let mut at = HEADER - MOVI;
        for &size in &self.sizes {
            index.extend(CHUNK);
            // Each picture is a key frame (0x10).
            let flags: u32 = if size > 0 { 0x10 } else { 0 };
            [flags, small(at), size].iter().for_each(|number| index.extend(number.to_le_bytes()));
            at += 8 + padded(size);
        }
        index
    }
}

/// Where a file lies while it is being written.
pub(super) fn part_of(folder: &Path, name: &FileName) -> PathBuf {
    folder.join(format!("{name}.part"))
}

/// The bytes of a chunk, which begins at an even place.
pub(super) fn padded(size: u32) -> u64 {
    u64::from(size) + u64::from(size % 2)
}

/// A number that fits: files are kept far below 4 GiB, and so is what is in them.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_its_length_and_is_read_as_it_was_written() {
        for (rate, interval) in [(30.0, 33_333_333), (29.97, 33_366_700), (0.01, 100_000_000_000), (5000.0, 1_000_000)]
        {
            let shape = Shape::new((1280, 720), rate);
            let header = shape.header(&[], 0);
            assert_eq!((header.len() as u64, Shape::read(&header)), (HEADER, Some(shape)));
            assert_eq!(shape.interval().as_nanos(), interval, "{rate}");
        }
        assert_eq!(Shape::read(b"RIFF"), None);
        assert_eq!(Shape::read(&[0; 224]), None);
    }

    #[test]
    fn a_frame_stands_at_the_nearest_chunk() {
        let shape = Shape::new((1, 1), 25.0);
        assert_eq!(
            [0, 19, 21, 40, 4000].map(|millis| shape.chunk_at(Duration::from_millis(millis))),
            [0, 0, 1, 1, 100]
        );
    }
}
