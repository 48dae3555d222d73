//! Where frames come from.

mod camera;
mod ffmpeg;
mod folder;
mod test_card;

use std::{io, path::Path, time::Duration};

use mapper_framework::{Format, Frame};

use crate::{
    config::{Config, Source},
    machine::Machine,
    words::words,
};

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
    /// One that is damaged, and what is wrong with it. Others follow.
    Damaged(String),
}

/// Opens the source that a manifest asks for, with the file or folder that was found for it. May block.
///
/// # Errors
///
/// It is not there, or does not give what is asked for.
pub(crate) fn open(config: &Config, place: Option<&Path>, machine: &Machine) -> io::Result<Box<dyn FrameSource>> {
    let missing = || io::Error::new(io::ErrorKind::InvalidInput, "the source needs a file or a folder");
    Ok(match config.source {
        Source::Test => Box::new(test_card::TestCard::new(config)),
        Source::Folder => Box::new(folder::Folder::open(place.ok_or_else(missing)?, config)?),
        Source::V4l2 => Box::new(camera::Camera::open(&*machine.kernel(), place.ok_or_else(missing)?, config)?),
        Source::Ffmpeg => {
            let input = words(config.input.as_deref().unwrap_or_default()).map_err(io::Error::other)?;
            Box::new(ffmpeg::Ffmpeg::open(machine.program(), &input, config)?)
        }
    })
}
