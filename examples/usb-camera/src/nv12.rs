//! Raw pictures whose colours stand behind their light, as JPEG.

use std::io;

use jpeg_encoder::{ImageBuffer, JpegColorType, SamplingFactor};

use crate::raw;

/// A picture of which four neighbouring pixels share their colour: all `Y`, and then `U V` for each square of four.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nv12<'a> {
    luma: &'a [u8],
    chroma: &'a [u8],
    width: u16,
    height: u16,
    /// From the begin of one line to that of the next, in both planes.
    stride: usize,
}

impl<'a> Nv12<'a> {
    /// A picture in these bytes. A `stride` of zero stands for lines without a gap.
    ///
    /// # Errors
    ///
    /// There are too few bytes, or the size is none that JPEG has room for.
    pub(crate) fn new(bytes: &'a [u8], size: (u32, u32), stride: u32) -> io::Result<Self> {
        let (width, height) = raw::sides(size)?;
        let line = usize::from(width).next_multiple_of(2);
        let stride = if stride == 0 { line } else { stride as usize };
        let (lines, pairs) = (usize::from(height), usize::from(height).div_ceil(2));
        // The last line may end with its last pixel.
        if stride < line || bytes.len() < stride * (lines + pairs - 1) + line {
            return Err(raw::too_few((width, height), bytes.len()));
        }
        let (luma, chroma) = bytes.split_at(stride * lines);
        Ok(Self { luma, chroma, width, height, stride })
    }

    /// The picture as JPEG, of a quality from 1 to 100.
    ///
    /// # Errors
    ///
    /// The encoder refuses it.
    pub(crate) fn encode(self, quality: u8) -> io::Result<Vec<u8>> {
        raw::encode(self, SamplingFactor::R_4_2_0, quality)
    }
}

impl ImageBuffer for Nv12<'_> {
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
        let (line, width) = (usize::from(line), usize::from(self.width));
        buffers[0].extend_from_slice(&self.luma[self.stride * line..][..width]);
        let colours = &self.chroma[self.stride * (line / 2)..];
        for pixel in 0..width {
            let pair = pixel / 2 * 2;
            buffers[1].push(colours[pair]);
            buffers[2].push(colours[pair + 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_picture_becomes_a_jpeg_of_its_size_and_colours() {
        // Red at the left and blue at the right, by the colours of JPEG; lines with a gap; and odd sides.
        let (width, height, stride) = (31_u32, 17_u32, 40_u32);
        let mut bytes = vec![0; (stride * (height + height.div_ceil(2))) as usize];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let (line, column) = (index as u32 / stride, index as u32 % stride);
            let is_red = column < 16;
            *byte = match (line < height, column % 2 == 0) {
                (true, _) => {
                    if is_red {
                        76
                    } else {
                        29
                    }
                }
                (false, true) => {
                    if is_red {
                        85
                    } else {
                        255
                    }
                }
                (false, false) => {
                    if is_red {
                        255
                    } else {
                        107
                    }
                }
            };
        }
        let picture = Nv12::new(&bytes, (width, height), stride);
        let jpeg = picture.and_then(|picture| picture.encode(95)).expect("it is encoded");
        let mut decoder = jpeg_decoder::Decoder::new(jpeg.as_slice());
        let pixels = decoder.decode().expect("it is a JPEG");
        let info = decoder.info().expect("it has a head");
        assert_eq!((info.width, info.height), (31, 17));
        for line in pixels.chunks(31 * 3) {
            let (red, blue) = (&line[3 * 5..][..3], &line[3 * 26..][..3]);
            assert!(red[0] > 230 && red[2] < 30 && blue[2] > 230 && blue[0] < 30, "{red:?} {blue:?}");
        }
    }

    #[test]
    fn too_few_bytes_and_a_size_that_fits_no_jpeg_are_errors() {
        assert!(Nv12::new(&[0; 4 * 4 + 4 * 2], (4, 4), 0).is_ok());
        let error = Nv12::new(&[0; 23], (4, 4), 0).expect_err("a byte is missing").to_string();
        assert_eq!(error, "a raw picture of 4x4 pixels has 23 bytes, which are too few");
        for size in [(0, 4), (4, 0), (70_000, 4), (4, u32::MAX)] {
            assert!(Nv12::new(&[0; 64], size, 0).is_err(), "{size:?}");
        }
        assert!(Nv12::new(&[0; 64], (4, 4), 3).is_err(), "lines that overlap");
    }
}
