//! What has to be known of a JPEG picture without decoding it.

mod huffman;

/// The most bytes of a picture that is gathered or read. What the mapper takes is bounded by `driver.max_frame_bytes`, by default half of it.
pub(crate) const LARGEST: usize = 32 * 1024 * 1024;

/// The begin of a picture.
const BEGIN: [u8; 2] = [0xff, 0xd8];

/// Its end, which does not occur within the coded pixels.
const END: [u8; 2] = [0xff, 0xd9];

/// The picture without what a camera puts behind it to fill its buffer, and with the Huffman tables that cameras leave out of MJPEG.
///
/// # Errors
///
/// What is wrong with it: it has no begin, or no end, since it was cut short.
pub(crate) fn whole(mut bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(&BEGIN) {
        return Err(format!("a picture of {} bytes does not begin as JPEG does", bytes.len()));
    }
    let front = Front::of(&bytes);
    // A smaller picture may be among the tables in front, with an end of its own.
    let end = bytes.get(front.length..).and_then(|rest| rest.windows(2).rposition(|two| two == END));
    let end = end.ok_or_else(|| format!("a picture ends early, after {} bytes", bytes.len()))?;
    bytes.truncate(front.length + end + END.len());
    if let Some(scan) = front.scan_without_tables() {
        bytes.splice(scan..scan, huffman::standard());
    }
    Ok(bytes)
}

/// What stands in front of the coded pixels, as far as it can be told from them.
#[derive(Debug, Default)]
struct Front {
    /// How many bytes it has. More than there are of a picture that is cut short.
    length: usize,
    /// Whether the pixels are coded as all of MJPEG is: baseline, by Huffman's codes.
    is_baseline: bool,
    has_tables: bool,
    /// Where the head of the first scan begins.
    scan: Option<usize>,
}

impl Front {
    fn of(bytes: &[u8]) -> Self {
        let mut front = Self { length: BEGIN.len(), ..Self::default() };
        while let Some(&[0xff, marker, high, low]) = bytes.get(front.length..front.length + 4) {
            match marker {
                0xc0 => front.is_baseline = true,
                0xc4 => front.has_tables = true,
                0xda => front.scan = Some(front.length),
                0xc1..=0xcf | 0xdb..=0xef | 0xfe => {}
                _ => break,
            }
            front.length += 2 + usize::from(u16::from_be_bytes([high, low]));
            if front.scan.is_some() {
                break;
            }
        }
        front
    }

    /// Where the tables are missing.
    fn scan_without_tables(&self) -> Option<usize> {
        self.scan.filter(|_| self.is_baseline && !self.has_tables)
    }
}

#[cfg(test)]
mod tests {
    use mapper_framework::jpeg_size;

    use super::*;
    use crate::yuyv::Yuyv;

    /// A picture of many colours.
    fn colourful() -> Vec<u8> {
        let bytes: Vec<u8> = (0..64 * 2 * 48_u32).map(|it| (it * it / 97 % 251) as u8).collect();
        Yuyv::new(&bytes, (64, 48), 0).and_then(|picture| picture.encode(90)).expect("it is one")
    }

    /// The picture as a camera gives it in MJPEG, and the tables that were in it, the lowest first.
    fn without_tables(jpeg: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (mut left, mut tables, mut at) = (jpeg[..2].to_vec(), Vec::new(), 2);
        while jpeg[at + 1] != 0xda {
            let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
            if jpeg[at + 1] == 0xc4 {
                let mut segment = &jpeg[at + 4..end];
                while !segment.is_empty() {
                    let values: usize = segment[1..17].iter().map(|count| usize::from(*count)).sum();
                    let (table, rest) = segment.split_at(17 + values);
                    tables.push(table.to_vec());
                    segment = rest;
                }
            } else {
                left.extend_from_slice(&jpeg[at..end]);
            }
            at = end;
        }
        left.extend_from_slice(&jpeg[at..]);
        tables.sort_unstable();
        (left, tables)
    }

    fn pixels(jpeg: &[u8]) -> Result<Vec<u8>, jpeg_decoder::Error> {
        jpeg_decoder::Decoder::new(jpeg).decode()
    }

    #[test]
    fn what_stands_behind_a_picture_is_cut_off_and_one_that_is_cut_short_is_an_error() {
        let whole = |bytes: &[u8]| whole(bytes.to_vec());
        let picture = [0xff, 0xd8, 1, 2, 0xff, 0xd9];
        let padded = [&picture[..], &[0; 50]].concat();
        assert_eq!(whole(&padded), Ok(picture.to_vec()));
        assert_eq!(whole(&picture[..5]), Err("a picture ends early, after 5 bytes".to_owned()));
        let with_a_smaller_one =
            [&[0xff, 0xd8, 0xff, 0xe1, 0, 8], &picture[..], &[0xff, 0xda, 0, 2, 7, 0xff, 0xd9]].concat();
        assert_eq!(whole(&with_a_smaller_one), Ok(with_a_smaller_one.clone()));
        for length in 0..with_a_smaller_one.len() {
            assert!(whole(&with_a_smaller_one[..length]).is_err(), "{length}");
        }
        assert_eq!(whole(b"no"), Err("a picture of 2 bytes does not begin as JPEG does".to_owned()));
        assert!(whole(&[]).is_err());
    }

    #[test]
    fn tables_that_a_camera_leaves_out_are_put_in() {
        let jpeg = colourful();
        let (bare, _) = without_tables(&jpeg);
        assert!(pixels(&bare).is_err_and(|error| error.to_string().contains("unset dc huffman table")));
        let mended = whole([&bare[..], &[0; 9]].concat()).expect("it is whole");
        assert_eq!(pixels(&mended).expect("it decodes"), pixels(&jpeg).expect("it decodes"));
        assert_eq!(whole(mended.clone()), Ok(mended), "they are put in once");
        assert_eq!(whole(jpeg.clone()), Ok(jpeg), "a picture that has its own keeps them");
    }

    #[test]
    fn the_tables_are_those_of_another_encoder() {
        let (bare, theirs) = without_tables(&colourful());
        let (_, ours) = without_tables(&whole(bare).expect("it is whole"));
        assert_eq!(ours.len(), 4);
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_picture_that_is_not_baseline_is_left_as_it_is() {
        let (mut bare, _) = without_tables(&colourful());
        let frame = bare.windows(2).position(|two| two == [0xff, 0xc0]).expect("it has a frame");
        // Coded arithmetically, which takes no Huffman tables.
        bare[frame + 1] = 0xc9;
        assert_eq!(whole(bare.clone()), Ok(bare));
    }

    #[test]
    fn the_size_stands_in_the_head_and_garbage_has_none() {
        let jpeg =
            Yuyv::new(&[128; 34 * 2 * 19], (34, 19), 0).and_then(|picture| picture.encode(80)).expect("it is one");
        assert_eq!(jpeg_size(&jpeg), Some((34, 19)));
        for length in 0..jpeg.len().min(700) {
            // Nothing panics, and nothing is made up.
            assert!(jpeg_size(&jpeg[..length]).is_none_or(|size| size == (34, 19)));
        }
        assert_eq!(jpeg_size(&[0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff]), None);
        assert_eq!(jpeg_size(&[0xff, 0xd8, 0xff, 0xe0, 0, 0, 1, 2]), None);
    }
}
