//! Makes whole what was torn when the mapper was killed.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
    sync::Arc,
};

use super::{
    FileName, RecordError,
    avi::{AviFile, CHUNK, HEADER, MOST_CHUNKS, Shape, padded, part_of},
    disk::Disk,
    names::FileKind,
};

/// Makes a file whole that is still named `.part`, and returns its bytes; or removes it if no whole frame is in it.
pub(super) fn mend(
    folder: &Path,
    name: FileName,
    disk: &Arc<dyn Disk>,
) -> Result<Option<(FileName, u64)>, RecordError> {
    let path = part_of(folder, &name);
    if name.kind() == FileKind::Avi {
        let file = File::options().read(true).write(true).open(&path).map_err(RecordError::on("open", &path))?;
        let survey = survey(&file).map_err(RecordError::on("read", &path))?;
        if let Some((shape, sizes)) = survey {
            return AviFile::resume(folder, name, file, shape, sizes, Arc::clone(disk)).finish().map(Some);
        }
    }
    fs::remove_file(&path).map_err(RecordError::on("remove", &path))?;
    Ok(None)
}

/// The shape of a torn video, and the sizes of its whole chunks; `None` if none of them holds a frame.
fn survey(file: &File) -> io::Result<Option<(Shape, Vec<u32>)>> {
    let end = file.metadata()?.len();
    let mut file = BufReader::new(file);
    let mut header = Vec::new();
    file.by_ref().take(HEADER).read_to_end(&mut header)?;
    let Some(shape) = Shape::read(&header).filter(|_| header.len() as u64 == HEADER) else { return Ok(None) };
    let (mut sizes, mut at) = (Vec::new(), HEADER);
    while at + 8 <= end && sizes.len() < MOST_CHUNKS {
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        let [a, b, c, d, size @ ..] = head;
        let size = u32::from_le_bytes(size);
        let next = at + 8 + padded(size);
        if [a, b, c, d] != CHUNK || next > end || !holds_frame(&mut file, size)? {
            break;
        }
        file.seek_relative(i64::from(next.saturating_sub(at + 8 + u64::from(size.min(2))) as u32))?;
        sizes.push(size);
        at = next;
    }
    while sizes.last() == Some(&0) {
        sizes.pop();
    }
    Ok((!sizes.is_empty()).then_some((shape, sizes)))
}

/// Whether a chunk is empty or begins as a JPEG does. What was never written reads as zeros after a power loss.
fn holds_frame(file: &mut BufReader<&File>, size: u32) -> io::Result<bool> {
    if size == 0 {
        return Ok(true);
    }
    let mut begin = [0; 2];
    if size < 2 {
        return Ok(false);
    }
    file.read_exact(&mut begin)?;
    Ok(begin == [0xff, 0xd8])
}

/// Whether a picture under its own name is whole. After a power loss its bytes may be missing though its name is there.
pub(super) fn is_whole_picture(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() < 4 {
        return Ok(false);
    }
    let (mut begin, mut end) = ([0; 2], [0; 2]);
    file.read_exact(&mut begin)?;
    file.seek(SeekFrom::End(-2))?;
    file.read_exact(&mut end)?;
    // Some cameras fill up behind the end, but none with what a disk has that was never written.
    Ok(begin == [0xff, 0xd8] && (end == [0xff, 0xd9] || end != [0, 0]))
}
