//! A camera of this machine, over V4L2.

use std::{io, path::Path, time::Duration};

use mapper_framework::{ContentType, Format, Frame};

use super::{Captured, FrameSource};
use crate::{
    choice::{self, interval, rate},
    config::Config,
    fourcc::FourCc,
    jpeg,
    nv12::Nv12,
    v4l2::{Capture, Granted, Kernel, Node, Taken, Wanted},
    yuyv::Yuyv,
};

/// How long a picture is waited for before somebody looks whether it is still wanted.
const PATIENCE: Duration = Duration::from_millis(250);

/// A camera that captures.
pub(super) struct Camera {
    capture: Box<dyn Capture>,
    format: FourCc,
    quality: u8,
    /// The bytes of the last raw picture, whose room the next one takes.
    bytes: Vec<u8>,
}

impl Camera {
    /// Begins to capture in what is nearest to what is wanted.
    ///
    /// # Errors
    ///
    /// The kernel's, or the camera has no format that this mapper takes.
    pub(super) fn open(kernel: &dyn Kernel, path: &Path, config: &Config) -> io::Result<Self> {
        let mut node = kernel.open(path)?;
        let wanted = choose(&mut *node, config)?;
        let capture = node.capture(wanted)?;
        let granted = &capture.granted().format;
        let format = FourCc::of_text(granted).ok_or_else(|| unsupported(&format!("it grants {granted}")))?;
        Ok(Self { capture, format, quality: config.quality, bytes: Vec::new() })
    }
}

/// What is asked for. Where a camera does not say what it offers, it grants the nearest itself.
fn choose(node: &mut dyn Node, config: &Config) -> io::Result<Wanted> {
    let offered = node.formats()?;
    let format = choice::format(&offered, config.format);
    let format = format.ok_or_else(|| unsupported(&format!("it offers {}", offered.join(", "))))?;
    let wanted = (config.width, config.height);
    let size = node.sizes(format).ok().and_then(|sizes| choice::size(&sizes, wanted)).unwrap_or(wanted);
    let intervals = node.intervals(format, size).ok();
    let interval = intervals.and_then(|intervals| choice::interval_of(&intervals, config.frame_rate));
    Ok(Wanted { format, size, interval: interval.unwrap_or_else(|| self::interval(config.frame_rate)) })
}

fn unsupported(what: &str) -> io::Error {
    let message = format!("{what}, and this mapper takes MJPG, JPEG, YUYV and NV12");
    io::Error::new(io::ErrorKind::Unsupported, message)
}

impl FrameSource for Camera {
    fn format(&self) -> Format {
        let Granted { size, interval, .. } = self.capture.granted();
        Format::new(self.format.as_str(), size.0, size.1).frames_per_second(interval.map(rate).unwrap_or_default())
    }

    fn next(&mut self) -> io::Result<Captured> {
        Ok(match self.capture.next(PATIENCE, &mut self.bytes)? {
            Taken::Nothing => Captured::NotBefore(Duration::ZERO),
            Taken::Damaged => Captured::Damaged("the kernel marks a picture as damaged".to_owned()),
            Taken::Picture => match self.picture() {
                Ok(bytes) => {
                    let Granted { size: (width, height), .. } = *self.capture.granted();
                    Captured::Frame(Frame::new(ContentType::Jpeg, bytes).size(width, height))
                }
                Err(reason) => Captured::Damaged(reason),
            },
        })
    }
}

impl Camera {
    /// What was taken, as JPEG.
    fn picture(&mut self) -> Result<Vec<u8>, String> {
        let Granted { size, stride, .. } = *self.capture.granted();
        let quality = self.quality;
        let encoded = match self.format {
            FourCc::Mjpg | FourCc::Jpeg => return jpeg::whole(std::mem::take(&mut self.bytes)),
            FourCc::Yuyv => Yuyv::new(&self.bytes, size, stride).and_then(|picture| picture.encode(quality)),
            FourCc::Nv12 => Nv12::new(&self.bytes, size, stride).and_then(|picture| picture.encode(quality)),
        };
        encoded.map_err(|error| error.to_string())
    }
}
