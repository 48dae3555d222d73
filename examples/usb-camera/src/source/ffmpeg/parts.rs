//! Pictures one after the other, each with its length before it, as ffmpeg's muxer `mpjpeg` writes them.

use std::io;

use crate::jpeg::LARGEST;

/// The most bytes of a head.
const LONGEST_HEAD: usize = 4096;

/// What has come and was not taken yet.
#[derive(Debug, Default)]
pub(super) struct Parts {
    bytes: Vec<u8>,
    /// The length of the picture that comes, once its head has been read.
    length: Option<usize>,
}

impl Parts {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next picture, if it has come whole.
    ///
    /// # Errors
    ///
    /// What comes has no length.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.length.is_none() {
            let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                let is_long = self.bytes.len() > LONGEST_HEAD;
                return if is_long { Err(garbage("a head that does not end")) } else { Ok(None) };
            };
            self.length = Some(length(&self.bytes[..end])?);
            self.bytes.drain(..end + 4);
        }
        let length = self.length.filter(|length| self.bytes.len() >= *length);
        let Some(length) = length else { return Ok(None) };
        self.length = None;
        let rest = self.bytes.split_off(length);
        Ok(Some(std::mem::replace(&mut self.bytes, rest)))
    }
}

fn length(head: &[u8]) -> io::Result<usize> {
    let head = String::from_utf8_lossy(head);
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = fields.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-length"));
    let length = lengths.next().and_then(|(_, length)| length.trim().parse().ok());
    let length = length.ok_or_else(|| garbage("a picture without its length"))?;
    if length > LARGEST { Err(garbage("a picture of more than 32 MiB")) } else { Ok(length) }
}

fn garbage(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("ffmpeg gives {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_whole_however_their_bytes_are_cut() {
        let stream =
            b"--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: 5\r\n\r\na\r\n\r\n\r\n--ffmpeg\r\nContent-type: \
            image/jpeg\r\nContent-length: 0\r\n\r\n\r\n--ffmpeg\r\nContent-length: 2\r\n\r\nzz\r\n--ffm";
        for size in 1..stream.len() {
            let (mut parts, mut pictures) = (Parts::default(), Vec::new());
            for chunk in stream.chunks(size) {
                parts.push(chunk);
                while let Some(picture) = parts.next().expect("it is sound") {
                    pictures.push(picture);
                }
            }
            assert_eq!(pictures, [&b"a\r\n\r\n"[..], b"", b"zz"], "in pieces of {size}");
        }
    }

    #[test]
    fn garbage_is_an_error_and_gathers_nothing() {
        let error = |bytes: &[u8]| {
            let mut parts = Parts::default();
            parts.push(bytes);
            parts.next().expect_err("it is garbage").to_string()
        };
        assert_eq!(error(&[b'x'; 5000]), "ffmpeg gives a head that does not end");
        assert_eq!(error(b"--a\r\nContent-type: x\r\n\r\n"), "ffmpeg gives a picture without its length");
        let too_large = format!("Content-length: {}\r\n\r\n", LARGEST + 1);
        assert_eq!(error(too_large.as_bytes()), "ffmpeg gives a picture of more than 32 MiB");
    }
}
