//! JPEGs in the container Matroska, without an end: what `ffmpeg` reads without waiting for the next frame, with the time of each.

use std::time::Duration;

// The elements, by the names of RFC 9559.
const EBML: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];
const EBML_DOC_TYPE: [u8; 2] = [0x42, 0x82];
const EBML_DOC_TYPE_VERSION: [u8; 2] = [0x42, 0x87];
const EBML_DOC_TYPE_READ_VERSION: [u8; 2] = [0x42, 0x85];
const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];
const INFO: [u8; 4] = [0x15, 0x49, 0xa9, 0x66];
const TIMESTAMP_SCALE: [u8; 3] = [0x2a, 0xd7, 0xb1];
const TRACKS: [u8; 4] = [0x16, 0x54, 0xae, 0x6b];
const TRACK_ENTRY: [u8; 1] = [0xae];
const TRACK_NUMBER: [u8; 1] = [0xd7];
const TRACK_UID: [u8; 2] = [0x73, 0xc5];
const TRACK_TYPE: [u8; 1] = [0x83];
const CODEC_ID: [u8; 1] = [0x86];
const VIDEO: [u8; 1] = [0xe0];
const PIXEL_WIDTH: [u8; 1] = [0xb0];
const PIXEL_HEIGHT: [u8; 1] = [0xba];
const CLUSTER: [u8; 4] = [0x1f, 0x43, 0xb6, 0x75];
const TIMESTAMP: [u8; 1] = [0xe7];
const SIMPLE_BLOCK: [u8; 1] = [0xa3];

/// A size that says that nobody knows it.
const UNKNOWN: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// The head of a block: track 1, no time beside that of its cluster, and a key frame.
const BLOCK: [u8; 4] = [0x81, 0, 0, 0x80];

/// What comes before the first frame. The size is in pixels.
pub(super) fn head((width, height): (u32, u32)) -> Vec<u8> {
    let video = [element(&PIXEL_WIDTH, &number(width.into())), element(&PIXEL_HEIGHT, &number(height.into()))];
    let track = [
        element(&TRACK_NUMBER, &number(1)),
        element(&TRACK_UID, &number(1)),
        element(&TRACK_TYPE, &number(1)),
        element(&CODEC_ID, b"V_MJPEG"),
        element(&VIDEO, &video.concat()),
    ];
    let ebml = [
        element(&EBML_DOC_TYPE, b"matroska"),
        element(&EBML_DOC_TYPE_VERSION, &number(4)),
        element(&EBML_DOC_TYPE_READ_VERSION, &number(2)),
    ];
    let milliseconds = element(&TIMESTAMP_SCALE, &number(1_000_000));
    let (info, tracks) = (element(&INFO, &milliseconds), element(&TRACKS, &element(&TRACK_ENTRY, &track.concat())));
    [element(&EBML, &ebml.concat()), SEGMENT.to_vec(), UNKNOWN.to_vec(), info, tracks].concat()
}

/// What comes before the bytes of a frame, which has this time since the first one.
pub(super) fn before_frame(since: Duration, bytes: usize) -> Vec<u8> {
    let time = element(&TIMESTAMP, &number(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)));
    let block = BLOCK.len() + bytes;
    let inner = time.len() + SIMPLE_BLOCK.len() + size(block).len() + block;
    [&CLUSTER[..], &size(inner), &time, &SIMPLE_BLOCK, &size(block), &BLOCK].concat()
}

fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    [id, &size(content.len()), content].concat()
}

/// A size in eight bytes, of which the first one says how many they are.
fn size(bytes: usize) -> [u8; 8] {
    ((1 << 56) | bytes as u64).to_be_bytes()
}

/// A number in eight bytes. Fewer would do.
fn number(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_that_a_foreign_reader_has_taken() {
        let head = head((640, 480));
        assert!(head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3, 1, 0, 0, 0, 0, 0, 0]));
        assert!(head.windows(7).any(|seven| seven == b"V_MJPEG"));
        let frame = before_frame(Duration::from_millis(0x1234), 1000);
        let time = [0xe7, 1, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0x12, 0x34];
        let block = [0xa3, 1, 0, 0, 0, 0, 0, 0x03, 0xec, 0x81, 0, 0, 0x80];
        let whole = u64::try_from(time.len() + block.len() + 1000).unwrap() | 1 << 56;
        assert_eq!(frame, [&CLUSTER[..], &whole.to_be_bytes(), &time, &block].concat());
    }
}
