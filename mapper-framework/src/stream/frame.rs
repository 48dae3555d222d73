//! One picture of a stream, or one unit of a video.

use std::{fmt, time::SystemTime};

use bytes::Bytes;

use crate::model::rfc3339;

/// What the bytes of a [`Frame`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentType {
    /// A whole JPEG image, which is what the HTTP server shows.
    Jpeg,
    /// A whole PNG image.
    Png,
    /// One access unit of H.264, with start codes (Annex B).
    H264,
    /// One access unit of H.265, with start codes (Annex B).
    H265,
}

impl ContentType {
    /// The media type, such as `image/jpeg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::H264 => "video/H264",
            Self::H265 => "video/H265",
        }
    }

    /// The bytes with which each frame of this type begins, where there are such.
    fn magic(self) -> &'static [u8] {
        match self {
            Self::Jpeg => &[0xff, 0xd8],
            Self::Png => &[0x89, b'P', b'N', b'G'],
            Self::H264 | Self::H265 => &[0, 0],
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One frame of a stream: its bytes, and what is known of them. Cloning shares the bytes.
///
/// ```
/// use mapper_framework::{ContentType, Frame};
///
/// let bytes = vec![0xff, 0xd8, 0xff, 0xd9];
/// let frame = Frame::new(ContentType::Jpeg, bytes).size(640, 480).number(7);
/// assert_eq!((frame.sequence(), frame.width(), frame.is_key()), (Some(7), Some(640), true));
/// ```
#[derive(Clone)]
pub struct Frame {
    content_type: ContentType,
    bytes: Bytes,
    time: SystemTime,
    sequence: Option<u64>,
    size: Option<(u32, u32)>,
    is_key: bool,
}

impl Frame {
    /// A frame that is taken now, of an unknown size, and complete in itself.
    pub fn new(content_type: ContentType, bytes: impl Into<Bytes>) -> Self {
        let (bytes, time) = (bytes.into(), SystemTime::now());
        Self { content_type, bytes, time, sequence: None, size: None, is_key: true }
    }

    /// Sets when the frame was taken; by default when it was made.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.time = time;
        self
    }

    /// Sets the number that the camera gives the frame. By default [`FrameSender`](crate::FrameSender) numbers the frames of a session
    /// from 1.
    #[must_use]
    pub fn number(mut self, sequence: u64) -> Self {
        self.sequence = Some(sequence);
        self
    }

    /// Sets width and height in pixels; unknown by default.
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = Some((width, height));
        self
    }

    /// Sets whether the frame can be decoded without others; `true` by default, as it is for images.
    #[must_use]
    pub fn key(mut self, is_key: bool) -> Self {
        self.is_key = is_key;
        self
    }

    /// What the bytes are.
    pub fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// When the frame was taken.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// The number of the frame within its session; `None` before it is sent, unless it was set.
    pub fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// The width in pixels, where it is known.
    pub fn width(&self) -> Option<u32> {
        self.size.map(|(width, _)| width)
    }

    /// The height in pixels, where it is known.
    pub fn height(&self) -> Option<u32> {
        self.size.map(|(_, height)| height)
    }

    /// Whether the frame can be decoded without others.
    pub fn is_key(&self) -> bool {
        self.is_key
    }

    /// The time in UTC, as RFC 3339 has it, to the millisecond.
    pub(crate) fn rfc3339(&self) -> String {
        rfc3339(self.time)
    }

    /// The time in seconds since 1970, to the microsecond.
    #[cfg(any(feature = "http", feature = "sink-http"))]
    pub(crate) fn timestamp(&self) -> String {
        let since = self.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        format!("{}.{:06}", since.as_secs(), since.subsec_micros())
    }

    /// The frame with a number, if it has none.
    pub(super) fn numbered(mut self, sequence: u64) -> Self {
        self.sequence.get_or_insert(sequence);
        self
    }

    /// Why the frame cannot be taken, if so.
    pub(super) fn misfit(&self, limit: usize) -> Option<String> {
        let length = self.bytes.len();
        if length > limit {
            return Some(format!(
                "a frame has {length} bytes, which is more than {limit}: raise driver.max_frame_bytes, or choose a smaller format"
            ));
        }
        let magic = self.content_type.magic();
        (!self.bytes.starts_with(magic)).then(|| {
            let begin = &self.bytes[..length.min(4)];
            format!(
                "a frame of {length} bytes is no {}: it begins with {begin:02x?} and not with {magic:02x?}",
                self.content_type
            )
        })
    }
}

/// Without the bytes.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Frame");
        shown.field("content_type", &self.content_type).field("bytes", &self.bytes.len()).field("time", &self.time);
        shown.field("sequence", &self.sequence).field("size", &self.size).field("is_key", &self.is_key).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_frame_or_too_large_is_named_with_a_cure() {
        let large = Frame::new(ContentType::Jpeg, vec![0xff; 20]).misfit(10).expect("too large");
        assert!(large.contains("20 bytes") && large.contains("driver.max_frame_bytes"), "{large}");
        let garbage = Frame::new(ContentType::Jpeg, b"garbage".to_vec()).misfit(10).expect("no JPEG");
        assert!(garbage.contains("is no image/jpeg: it begins with [67, 61, 72, 62]"), "{garbage}");
        assert!(Frame::new(ContentType::Png, Bytes::new()).misfit(10).is_some(), "an empty frame is none");
        assert_eq!(Frame::new(ContentType::Jpeg, vec![0xff, 0xd8]).misfit(2), None);
    }
}
