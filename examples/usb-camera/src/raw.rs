//! What pictures of raw pixels have in common, whatever their layout.

use std::io;

use jpeg_encoder::{Encoder, ImageBuffer, SamplingFactor};

/// Width and height, as JPEG has room for them.
///
/// # Errors
///
/// One of them is 0 or too large.
pub(crate) fn sides((width, height): (u32, u32)) -> io::Result<(u16, u16)> {
    let side = |side: u32| u16::try_from(side).ok().filter(|side| *side > 0);
    side(width).zip(side(height)).ok_or_else(|| wrong((width, height), "fits no JPEG"))
}

/// The picture has fewer bytes than its size asks for.
pub(crate) fn too_few(size: (u16, u16), bytes: usize) -> io::Error {
    wrong(size, &format!("has {bytes} bytes, which are too few"))
}

fn wrong<T: std::fmt::Display>((width, height): (T, T), what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a raw picture of {width}x{height} pixels {what}"))
}

/// A picture as JPEG, of a quality from 1 to 100, with the colors sampled as they were in it.
///
/// # Errors
///
/// The encoder refuses it.
pub(crate) fn encode(picture: impl ImageBuffer, sampling: SamplingFactor, quality: u8) -> io::Result<Vec<u8>> {
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, quality);
    encoder.set_sampling_factor(sampling);
    encoder.encode_image(picture).map_err(io::Error::other)?;
    Ok(jpeg)
}
