//! What has to be known of a JPEG picture without decoding it.

/// The begin of a picture.
const BEGIN: [u8; 2] = [0xff, 0xd8];

/// Its end, which does not occur within the coded pixels.
const END: [u8; 2] = [0xff, 0xd9];

/// The picture without what a camera puts behind it to fill its buffer.
///
/// # Errors
///
/// What is wrong with it: it has no begin, or no end, since it was cut short.
pub(crate) fn whole(bytes: &[u8]) -> Result<&[u8], String> {
    if !bytes.starts_with(&BEGIN) {
        return Err(format!("a picture of {} bytes does not begin as JPEG does", bytes.len()));
    }
    // A smaller picture may be among the tables in front, with an end of its own.
    let tables = tables(bytes);
    let end = bytes.get(tables..).and_then(|rest| rest.windows(2).rposition(|two| two == END));
    let end = end.ok_or_else(|| format!("a picture ends early, after {} bytes", bytes.len()))?;
    Ok(&bytes[..tables + end + 2])
}

/// How many bytes stand in front of the coded pixels, as far as they can be told from them. More than there are of one that is cut short.
fn tables(bytes: &[u8]) -> usize {
    let mut at = BEGIN.len();
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if !matches!(marker, 0xc0..=0xcf | 0xda..=0xef | 0xfe) {
            break;
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        if marker == 0xda {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use mapper_framework::jpeg_size;

    use super::*;
    use crate::yuyv::Yuyv;

    #[test]
    fn what_stands_behind_a_picture_is_cut_off_and_one_that_is_cut_short_is_an_error() {
        let picture = [0xff, 0xd8, 1, 2, 0xff, 0xd9];
        let padded = [&picture[..], &[0; 50]].concat();
        assert_eq!(whole(&padded), Ok(&picture[..]));
        assert_eq!(whole(&picture[..5]), Err("a picture ends early, after 5 bytes".to_owned()));
        let with_a_smaller_one =
            [&[0xff, 0xd8, 0xff, 0xe1, 0, 8], &picture[..], &[0xff, 0xda, 0, 2, 7, 0xff, 0xd9]].concat();
        assert_eq!(whole(&with_a_smaller_one), Ok(&with_a_smaller_one[..]));
        for length in 0..with_a_smaller_one.len() {
            assert!(whole(&with_a_smaller_one[..length]).is_err(), "{length}");
        }
        assert_eq!(whole(b"no"), Err("a picture of 2 bytes does not begin as JPEG does".to_owned()));
        assert!(whole(&[]).is_err());
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
