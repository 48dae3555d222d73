//! Where frames come from.

mod folder;
mod test_card;
mod v4l2;

use std::{io, time::Duration};

use mapper_framework::{Format, Frame};

use crate::config::{Config, Source};

/// Gives frames. It lives on a thread of its own, which it may block.
pub trait FrameSource {
    /// What was granted, which may be another size and rate than was asked for.
    fn format(&self) -> Format;

    /// Takes the next frame, or returns how long to wait before it is asked again.
    ///
    /// # Errors
    ///
    /// No more frames come. The device is then connected to anew.
    fn next(&mut self) -> io::Result<Captured>;
}

/// What came of asking for a frame.
#[derive(Debug)]
pub enum Captured {
    /// A frame.
    Frame(Frame),
    /// None yet.
    NotBefore(Duration),
    /// One that the camera marked as damaged.
    Damaged,
}

/// Opens the source that a manifest asks for. May block.
///
/// # Errors
///
/// The file or the folder is not there, or does not give what is asked for.
pub(crate) fn open(config: &Config) -> io::Result<Box<dyn FrameSource>> {
    let missing = || io::Error::new(io::ErrorKind::InvalidInput, "the source needs a file or a folder");
    Ok(match config.source {
        Source::Test => Box::new(test_card::TestCard::new(config)),
        Source::Folder => Box::new(folder::Folder::open(config.folder.as_deref().ok_or_else(missing)?, config)?),
        Source::V4l2 => Box::new(v4l2::V4l2::open(config.device.as_deref().ok_or_else(missing)?, config)?),
    })
}
