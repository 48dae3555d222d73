//! What is to be known of a JPEG.

/// The width and height of a JPEG in pixels, by its frame header, without decoding it; `None` if it has none, or is none.
///
/// The layout is that of ITU-T T.81, annex B.
#[must_use]
pub fn jpeg_size(bytes: &[u8]) -> Option<(u16, u16)> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let &[0xff, marker, ref after @ ..] = rest else { return None };
        rest = match marker {
            // A fill byte, which stands before a marker.
            0xff => &rest[1..],
            // The frame headers: all between SOF0 and SOF15 that are no tables.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let height = u16::from_be_bytes([*after.get(3)?, *after.get(4)?]);
                let width = u16::from_be_bytes([*after.get(5)?, *after.get(6)?]);
                return (width > 0 && height > 0).then_some((width, height));
            }
            // Those without a length.
            0x01 | 0xd0..=0xd7 => after,
            // The picture itself, or its end.
            0xd8..=0xda => return None,
            _ => after.get(usize::from(u16::from_be_bytes([*after.first()?, *after.get(1)?])).max(2)..)?,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_that_of_the_frame_header_behind_whatever_stands_before_it() {
        let header = [0xff, 0xc0, 0, 11, 8, 2, 208, 5, 0, 1];
        let with = |before: &[u8]| jpeg_size(&[&[0xff, 0xd8], before, &header].concat());
        assert_eq!(with(&[]), Some((1280, 720)));
        assert_eq!(with(&[0xff, 0xe0, 0, 4, 9, 9, 0xff, 0xff, 0xc4, 0, 3, 1]), Some((1280, 720)));
        assert_eq!(with(&[0xff, 0xda, 0, 2]), None);
        assert_eq!(with(&[0xff, 0xe0, 0xff, 0xff]), None);
        assert_eq!(with(&[0xff, 0xe0, 0, 0, 0]), None);
        for end in 0..header.len() {
            // No cut is read beyond its end.
            assert!(jpeg_size(&[&[0xff, 0xd8], &header[..end]].concat()).is_none_or(|size| size == (1280, 720)));
        }
        assert_eq!(jpeg_size(b"garbage"), None);
    }

    #[test]
    fn every_cut_before_the_end_of_the_header_has_no_size() {
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0, 0, 17, 8, 0, 240, 1, 64, 3];
        assert_eq!(jpeg_size(&jpeg), Some((320, 240)));
        for end in 0..jpeg.len() - 1 {
            assert_eq!(jpeg_size(&jpeg[..end]), None, "{end}");
        }
        assert_eq!(jpeg_size(b"<html>"), None);
        assert_eq!(jpeg_size(&[0xff, 0xd8, 0xff, 0xe0, 0, 0, 0xff]), None, "a length that is none");
    }
}
