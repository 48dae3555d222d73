//! The bytes of a segment: its header, and the frames of its records.

/// What a segment begins with.
const MAGIC: [u8; 8] = *b"MFSPOOL\n";

/// The size of a header.
pub(super) const HEADER: usize = 24;

/// What a record takes beside its payload, in the newest version.
pub(super) const FRAME: usize = 12;

/// The size of the frame that ends an append.
pub(super) const COMMIT: usize = FRAME + 12;

/// No segment grows beyond this.
pub(super) const MAX_SEGMENT: u64 = 8 << 20;

/// No number of a segment is above this: whatever is found in a folder, there is always a next number.
pub(super) const MAX_NUMBER: u64 = u64::MAX / 2;

/// What the first word of a frame says beside the size, which is less than 2^24.
const SIZE_BITS: u32 = 0x00FF_FFFF;
const COMMIT_MARK: u32 = 0xC0 << 24;

/// A version of the format. A change of the frames gets a new one; the header keeps its form in every version, so that any version of
/// this crate recognizes the segments of all others. Segments of all versions are read; only the newest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// A frame has one checksum, of size and payload.
    V1,
    /// A frame has a checksum of its head, which takes in its place, and each append ends with a commit.
    V2,
}

impl Version {
    pub(super) const NEWEST: Self = Self::V2;

    fn number(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }

    /// What a frame has before its payload.
    pub(super) fn head(self) -> usize {
        match self {
            Self::V1 => 8,
            Self::V2 => FRAME,
        }
    }
}

/// What stands at the beginning of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The header of this segment, in a version that can be read.
    Sound(Version),
    /// A header of another version of the format.
    OtherVersion,
    /// Anything else.
    Broken,
}

impl Header {
    /// The header of a segment.
    pub(super) fn encode(number: u64) -> [u8; HEADER] {
        Self::encode_version(Version::NEWEST.number(), number)
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
    pub(super) fn judge(found: &[u8], number: u64) -> Self {
        let Some(found) = found.first_chunk::<HEADER>() else { return Self::Broken };
        let version = u32_at(found, 8);
        if *found != Self::encode_version(version, number) {
            return Self::Broken;
        }
        let known = [Version::V1, Version::V2].into_iter().find(|known| known.number() == version);
        known.map_or(Self::OtherVersion, Self::Sound)
    }
}

/// Where a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The version of the segment.
    pub(super) version: Version,
    /// The number of the segment.
    pub(super) segment: u64,
    /// Bytes from the beginning of its file.
    pub(super) offset: u64,
}

impl Place {
    pub(super) fn at(self, offset: u64) -> Self {
        Self { offset, ..self }
    }

    /// What `word` at this place has as its checksum.
    fn checksum(self, word: u32) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.segment.to_le_bytes());
        hasher.update(&self.offset.to_le_bytes());
        hasher.update(&word.to_le_bytes());
        hasher.finalize()
    }
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The payload is a record.
    Record,
    /// The payload is a [`Commit`].
    Commit,
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The size of the payload.
    pub(super) len: usize,
    pub(super) content: Content,
    /// What the checksum of the payload begins with.
    seed: u32,
    checksum: u32,
}

impl Head {
    /// The head that stands at a place; none if it cannot be one. In the first version, what is a head shows only with the payload.
    pub(super) fn decode(bytes: &[u8], place: Place) -> Option<Self> {
        let bytes = bytes.get(..place.version.head())?;
        let word = u32_at(bytes, 0);
        let len = (word & SIZE_BITS) as usize;
        match place.version {
            Version::V1 => (word == word & SIZE_BITS).then(|| Self {
                len,
                content: Content::Record,
                seed: word,
                checksum: u32_at(bytes, 4),
            }),
            Version::V2 => {
                let content = match word & !SIZE_BITS {
                    0 => Content::Record,
                    COMMIT_MARK if len == COMMIT - FRAME => Content::Commit,
                    _ => return None,
                };
                let seed = u32_at(bytes, 4);
                (seed == place.checksum(word)).then(|| Self { len, content, seed, checksum: u32_at(bytes, 8) })
            }
        }
    }

    /// Whether the payload is the one that the head was written for.
    pub(super) fn fits(self, payload: &[u8]) -> bool {
        self.checksum == seeded(self.seed, payload)
    }
}

/// Ends an append: all that stands before it in the segment was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    /// How many records the spool had been given before this append, by which one sees how many are missing.
    pub(super) first: u64,
    /// How many records the append has in this segment.
    pub(super) records: u32,
}

impl Commit {
    pub(super) fn decode(payload: &[u8]) -> Self {
        Self { first: u64_at(payload, 0), records: u32_at(payload, 8) }
    }

    /// How many records the spool had been given with this append.
    pub(super) fn end(self) -> u64 {
        self.first.saturating_add(u64::from(self.records))
    }
}

/// Appends the frame of a record to the buffer, for this place. The payload fits into a segment.
pub(super) fn push_record(payload: &[u8], place: Place, buffer: &mut Vec<u8>) {
    let len = u32::try_from(payload.len()).expect("a payload fits into a segment, which has 8 MiB at most");
    push_frame(len, payload, place, buffer);
}

/// Appends the frame that ends an append to the buffer, for this place.
pub(super) fn push_commit(commit: Commit, place: Place, buffer: &mut Vec<u8>) {
    let mut payload = [0; COMMIT - FRAME];
    payload[..8].copy_from_slice(&commit.first.to_le_bytes());
    payload[8..].copy_from_slice(&commit.records.to_le_bytes());
    push_frame(COMMIT_MARK | payload.len() as u32, &payload, place, buffer);
}

fn push_frame(word: u32, payload: &[u8], place: Place, buffer: &mut Vec<u8>) {
    let seed = place.checksum(word);
    buffer.extend_from_slice(&word.to_le_bytes());
    buffer.extend_from_slice(&seed.to_le_bytes());
    buffer.extend_from_slice(&seeded(seed, payload).to_le_bytes());
    buffer.extend_from_slice(payload);
}

/// The checksum of a payload. It takes in the head, so that a row of zeros is no record.
fn seeded(seed: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("the slice has four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("the slice has eight bytes"))
}

/// Appends the frame of a record in the first version.
#[cfg(test)]
pub(super) fn push_record_v1(payload: &[u8], buffer: &mut Vec<u8>) {
    let len = payload.len() as u32;
    buffer.extend_from_slice(&len.to_le_bytes());
    buffer.extend_from_slice(&seeded(len, payload).to_le_bytes());
    buffer.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment with the records `first`, an empty one, and bytes of all kinds.
    const V1: &[u8] = include_bytes!("../../tests/golden/spool/segment-v1.bin");

    /// The same records in two appends, of which the second has the last record.
    const V2: &[u8] = include_bytes!("../../tests/golden/spool/segment-v2.bin");

    const PLACE: Place = Place { version: Version::V2, segment: 7, offset: HEADER as u64 };

    fn payloads() -> [Vec<u8>; 3] {
        [b"first".to_vec(), Vec::new(), (0..=255).collect()]
    }

    #[test]
    fn the_form_of_a_segment_stays() {
        let mut segment = Header::encode(7).to_vec();
        let [first, second, third] = payloads();
        let here = |segment: &Vec<u8>| PLACE.at(segment.len() as u64);
        push_record(&first, here(&segment), &mut segment);
        push_record(&second, here(&segment), &mut segment);
        push_commit(Commit { first: 40, records: 2 }, here(&segment), &mut segment);
        push_record(&third, here(&segment), &mut segment);
        push_commit(Commit { first: 42, records: 1 }, here(&segment), &mut segment);
        assert_eq!(segment, V2);
    }

    #[test]
    fn the_first_form_of_a_segment_stays() {
        let mut segment = Header::encode_version(1, 7).to_vec();
        payloads().iter().for_each(|payload| push_record_v1(payload, &mut segment));
        assert_eq!(segment, V1);
    }

    #[test]
    fn a_header_is_told_from_anything_else() {
        let header = Header::encode(7);
        assert_eq!(Header::judge(&header, 7), Header::Sound(Version::V2));
        assert_eq!(Header::judge(&V1[..HEADER], 7), Header::Sound(Version::V1));
        assert_eq!(Header::judge(&header, 8), Header::Broken, "it is the header of another segment");
        assert_eq!(Header::judge(&header[..HEADER - 1], 7), Header::Broken);
        assert_eq!(Header::judge(&Header::encode_version(3, 7), 7), Header::OtherVersion);
        for bit in 0..HEADER * 8 {
            let mut header = header;
            header[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::judge(&header, 7), Header::Broken, "bit {bit}");
        }
    }

    #[test]
    fn zeros_are_no_record() {
        assert_eq!(Head::decode(&[0; FRAME], PLACE), None);
        let first = Head::decode(&[0; FRAME], Place { version: Version::V1, ..PLACE });
        assert!(first.is_some_and(|head| !head.fits(&[])));
    }

    #[test]
    fn a_frame_belongs_to_its_place() {
        let mut frame = Vec::new();
        push_record(b"payload", PLACE, &mut frame);
        assert!(Head::decode(&frame, PLACE).is_some_and(|head| head.fits(b"payload")));
        assert_eq!(Head::decode(&frame, PLACE.at(25)), None, "what was moved or copied is no frame");
        assert_eq!(Head::decode(&frame, Place { segment: 8, ..PLACE }), None);
    }
}
