//! HTTP/2 frames, as far as header blocks need them (RFC 9113, sections 4 and 6).

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

/// The largest payload that every peer accepts (RFC 9113, section 4.2).
pub(super) const MAX_PAYLOAD: usize = 16_384;

pub(super) const HEADERS: u8 = 0x1;
pub(super) const CONTINUATION: u8 = 0x9;

pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
pub(super) const PRIORITY: u8 = 0x20;

/// Exclusive flag, stream dependency and weight: what PRIORITY puts before the fragment.
const PRIORITY_LEN: usize = 5;

/// The nine bytes before each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of payload that follow.
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// Without the reserved bit.
    pub(super) stream: u32,
}

impl Head {
    pub(super) const LEN: usize = 9;

    /// Reads the head at the start of `bytes`, or nothing while it is not whole.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes.first_chunk::<{ Self::LEN }>()?;
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        Some(Self { length, kind, flags, stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]) })
    }

    pub(super) fn ends_block(self) -> bool {
        self.flags & END_HEADERS != 0
    }

    fn put(self, output: &mut BytesMut) {
        output.put_uint(self.length as u64, 3);
        output.put_u8(self.kind);
        output.put_u8(self.flags);
        output.put_u32(self.stream);
    }
}

/// A header block or the first part of one: the payload of HEADERS without its padding.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    /// Empty without the PRIORITY flag.
    pub(super) priority: &'a [u8],
    pub(super) block: Cow<'a, [u8]>,
}

/// Takes a HEADERS payload apart, or gives nothing where its padding or priority do not fit into it.
pub(super) fn fragment(head: Head, mut payload: &[u8]) -> Option<Fragment<'_>> {
    if head.flags & PADDED != 0 {
        let (&padding, rest) = payload.split_first()?;
        payload = &rest[..rest.len().checked_sub(padding.into())?];
    }
    let priority_len = if head.flags & PRIORITY != 0 { PRIORITY_LEN } else { 0 };
    let (priority, block) = payload.split_at_checked(priority_len)?;
    Some(Fragment { priority, block: Cow::Borrowed(block) })
}

/// Writes a header block as HEADERS, and CONTINUATION where it does not fit, with the stream and flags of `first`.
pub(super) fn put_block(first: Head, priority: &[u8], block: &[u8], output: &mut BytesMut) {
    let (now, mut later) = block.split_at(block.len().min(MAX_PAYLOAD - priority.len()));
    Head {
        length: priority.len() + now.len(),
        flags: first.flags & !(PADDED | END_HEADERS) | end_flag(later),
        ..first
    }
    .put(output);
    output.put_slice(priority);
    output.put_slice(now);
    while !later.is_empty() {
        let now;
        (now, later) = later.split_at(later.len().min(MAX_PAYLOAD));
        Head { length: now.len(), kind: CONTINUATION, flags: end_flag(later), stream: first.stream }.put(output);
        output.put_slice(now);
    }
}

fn end_flag(later: &[u8]) -> u8 {
    if later.is_empty() { END_HEADERS } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END_STREAM: u8 = 0x1;

    fn head(flags: u8) -> Head {
        Head { length: 0, kind: HEADERS, flags, stream: 7 }
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let head = Head { length: 0x12_34_56, kind: 9, flags: 0xa5, stream: 0x7fff_fffe };
        let mut bytes = BytesMut::new();
        head.put(&mut bytes);
        assert_eq!(Head::parse(&bytes), Some(head));
        assert_eq!(Head::parse(&bytes[..8]), None);
    }

    #[test]
    fn the_reserved_bit_of_a_stream_is_not_part_of_it() {
        let head = Head::parse(&[0, 0, 0, 1, 4, 0x80, 0, 0, 3]).expect("nine bytes");
        assert_eq!(head.stream, 3);
    }

    #[test]
    fn a_fragment_stands_between_priority_and_padding() {
        let payload = [2, 1, 2, 3, 4, 5, b'a', b'b', 0, 0];
        let fragment = fragment(head(PADDED | PRIORITY), &payload).expect("well formed");
        assert_eq!(fragment, Fragment { priority: &[1, 2, 3, 4, 5], block: Cow::Borrowed(b"ab") });
    }

    #[test]
    fn padding_and_priority_that_do_not_fit_are_noticed() {
        assert_eq!(fragment(head(PADDED), &[]), None);
        assert_eq!(fragment(head(PADDED), &[2, 0]), None);
        assert_eq!(fragment(head(PRIORITY), &[1, 2, 3, 4]), None);
        assert_eq!(fragment(head(PADDED | PRIORITY), &[1, 1, 2, 3, 4, 5]), None);
    }

    #[test]
    fn a_long_block_is_cut_and_only_its_last_frame_ends_it() {
        let block: Vec<u8> = (0..40_000_u32).map(|n| n as u8).collect();
        let mut bytes = BytesMut::new();
        put_block(head(END_STREAM | END_HEADERS | PADDED | PRIORITY), &[9; 5], &block, &mut bytes);

        let mut rest = &bytes[..];
        let mut frames = Vec::new();
        let mut joined = Vec::new();
        while let Some(head) = Head::parse(rest) {
            joined.extend_from_slice(&rest[Head::LEN..Head::LEN + head.length]);
            frames.push((head.kind, head.flags, head.length, head.stream));
            rest = &rest[Head::LEN + head.length..];
        }
        let last = 40_000 + 5 - 2 * MAX_PAYLOAD;
        assert_eq!(
            frames,
            [
                (HEADERS, END_STREAM | PRIORITY, MAX_PAYLOAD, 7),
                (CONTINUATION, 0, MAX_PAYLOAD, 7),
                (CONTINUATION, END_HEADERS, last, 7)
            ]
        );
        assert_eq!(joined[..5], [9; 5]);
        assert_eq!(joined[5..], block);
    }

    #[test]
    fn a_block_that_just_fits_needs_no_continuation() {
        let mut bytes = BytesMut::new();
        put_block(head(END_HEADERS), &[], &[0; MAX_PAYLOAD], &mut bytes);
        assert_eq!(bytes.len(), Head::LEN + MAX_PAYLOAD);
        assert_eq!(Head::parse(&bytes).map(Head::ends_block), Some(true));
    }
}
