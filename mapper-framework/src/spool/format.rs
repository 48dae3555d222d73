//! The bytes of a segment: its header, and the frames of its records.

/// What a segment begins with.
const MAGIC: [u8; 8] = *b"MFSPOOL\n";

/// The version of the format. A change of the frames gets a new one; the header keeps its form in every version, so that any
/// version of this crate recognizes the segments of all others.
const VERSION: u32 = 1;

/// The size of a header.
pub(super) const HEADER: usize = 24;

/// What a record takes beside its payload.
pub(super) const FRAME: usize = 8;

/// No segment grows beyond this.
pub(super) const MAX_SEGMENT: u64 = 8 << 20;

/// No number of a segment is above this: whatever is found in a folder, there is always a next number.
pub(super) const MAX_NUMBER: u64 = u64::MAX / 2;

/// What stands at the beginning of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The header of this segment, in this version.
    Sound,
    /// A header of another version of the format.
    OtherVersion,
    /// Anything else.
    Broken,
}

impl Header {
    /// The header of a segment.
    pub(super) fn encode(number: u64) -> [u8; HEADER] {
        Self::encode_version(VERSION, number)
    }

    pub(super) fn encode_version(version: u32, number: u64) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&version.to_le_bytes());
        header[12..20].copy_from_slice(&number.to_le_bytes());
        let checksum = crc32fast::hash(&header[..20]);
        header[20..].copy_from_slice(&checksum.to_le_bytes());
        header
    }

    /// Judges what stands at the beginning of the segment with this number.
    pub(super) fn judge(found: &[u8; HEADER], number: u64) -> Self {
        let version = u32_at(found, 8);
        if *found != Self::encode_version(version, number) {
            Self::Broken
        } else if version == VERSION {
            Self::Sound
        } else {
            Self::OtherVersion
        }
    }
}

/// What stands before a record's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The size of the payload.
    pub(super) len: u32,
    checksum: u32,
}

impl Head {
    pub(super) fn decode(bytes: &[u8; FRAME]) -> Self {
        Self { len: u32_at(bytes, 0), checksum: u32_at(bytes, 4) }
    }

    /// Whether the payload is the one that the head was written for.
    pub(super) fn fits(self, payload: &[u8]) -> bool {
        self.checksum == checksum(self.len, payload)
    }
}

/// Appends the frame of a record to the buffer. The payload fits into a segment.
pub(super) fn push_frame(payload: &[u8], buffer: &mut Vec<u8>) {
    let len = u32::try_from(payload.len()).expect("a payload fits into a segment, which has 8 MiB at most");
    buffer.extend_from_slice(&len.to_le_bytes());
    buffer.extend_from_slice(&checksum(len, payload).to_le_bytes());
    buffer.extend_from_slice(payload);
}

/// The checksum takes in the length, so that a row of zeros is no record.
fn checksum(len: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&len.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("the slice has four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("the slice has eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment with the records `first`, an empty one, and bytes of all kinds.
    const SEGMENT: &[u8] = include_bytes!("../../tests/golden/spool/segment-v1.bin");

    #[test]
    fn the_form_of_a_segment_stays() {
        let mut segment = Header::encode(7).to_vec();
        let all: Vec<u8> = (0..=255).collect();
        for payload in [b"first".as_slice(), b"", &all] {
            push_frame(payload, &mut segment);
        }
        assert_eq!(segment, SEGMENT);
    }

    #[test]
    fn a_header_is_told_from_anything_else() {
        let header = Header::encode(7);
        assert_eq!(Header::judge(&header, 7), Header::Sound);
        assert_eq!(Header::judge(&header, 8), Header::Broken, "it is the header of another segment");
        assert_eq!(Header::judge(&Header::encode_version(2, 7), 7), Header::OtherVersion);
        for bit in 0..HEADER * 8 {
            let mut header = header;
            header[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::judge(&header, 7), Header::Broken, "bit {bit}");
        }
    }

    #[test]
    fn zeros_are_no_record() {
        assert!(!Head::decode(&[0; FRAME]).fits(&[]));
    }
}
