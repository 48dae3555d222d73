//! Raw pictures as JPEG.

use std::io;

use jpeg_encoder::{ImageBuffer, JpegColorType, SamplingFactor};

use crate::raw;

/// A picture of which two neighbouring pixels share their colour: `Y0 U Y1 V`, four bytes for both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Yuyv<'a> {
    bytes: &'a [u8],
    width: u16,
    height: u16,
    /// From the begin of one line to that of the next.
    stride: usize,
}

impl<'a> Yuyv<'a> {
    /// A picture in these bytes. A `stride` of zero stands for lines without a gap.
    ///
    /// # Errors
    ///
    /// There are too few bytes, or the size is none that JPEG has room for.
    pub(crate) fn new(bytes: &'a [u8], size: (u32, u32), stride: u32) -> io::Result<Self> {
        let (width, height) = raw::sides(size)?;
        let line = usize::from(width).next_multiple_of(2) * 2;
        let stride = if stride == 0 { line } else { stride as usize };
        if stride < line || bytes.len() < stride * (usize::from(height) - 1) + line {
            return Err(raw::too_few((width, height), bytes.len()));
        }
        Ok(Self { bytes, width, height, stride })
    }

    /// The picture as JPEG, of a quality from 1 to 100.
    ///
    /// # Errors
    ///
    /// The encoder refuses it.
    pub(crate) fn encode(self, quality: u8) -> io::Result<Vec<u8>> {
        raw::encode(self, SamplingFactor::R_4_2_2, quality)
    }
}

impl ImageBuffer for Yuyv<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, line: u16, buffers: &mut [Vec<u8>; 4]) {
        let line = &self.bytes[self.stride * usize::from(line)..];
        let pairs = line.chunks_exact(4).flat_map(|four| [[four[0], four[1], four[3]], [four[2], four[1], four[3]]]);
        for [y, u, v] in pairs.take(usize::from(self.width)) {
            buffers[0].push(y);
            buffers[1].push(u);
            buffers[2].push(v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_picture_becomes_a_jpeg_of_its_size_and_colours() {
        // Red, by the colours of JPEG; lines with a gap; and an odd width.
        let line = [[76, 85, 76, 255]; 4].concat().into_iter().chain([0; 8]);
        let bytes: Vec<u8> = line.cycle().take(24 * 6).collect();
        let jpeg = Yuyv::new(&bytes, (7, 6), 24).and_then(|picture| picture.encode(90)).expect("it is encoded");
        let mut decoder = jpeg_decoder::Decoder::new(jpeg.as_slice());
        let pixels = decoder.decode().expect("it is a JPEG");
        let info = decoder.info().expect("it has a head");
        assert_eq!((info.width, info.height), (7, 6));
        let is_red = |rgb: &[u8]| rgb[0] > 240 && rgb[1] < 15 && rgb[2] < 15;
        assert!(pixels.chunks(3).all(is_red), "{pixels:?}");
    }

    #[test]
    fn too_few_bytes_and_a_size_that_fits_no_jpeg_are_errors() {
        assert!(Yuyv::new(&[0; 2 * 4 * 4], (4, 4), 0).is_ok());
        let error = Yuyv::new(&[0; 31], (4, 4), 0).expect_err("a byte is missing").to_string();
        assert_eq!(error, "a raw picture of 4x4 pixels has 31 bytes, which are too few");
        for size in [(0, 4), (4, 0), (70_000, 4), (4, u32::MAX)] {
            assert!(Yuyv::new(&[0; 64], size, 0).is_err(), "{size:?}");
        }
        assert!(Yuyv::new(&[0; 64], (4, 4), 4).is_err(), "lines that overlap");
    }
}
