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
    v4l2::{Capture, Granted, Kernel, Node, Wanted},
    yuyv::Yuyv,
};

/// How long a picture is waited for before somebody looks whether it is still wanted.
const PATIENCE: Duration = Duration::from_millis(250);

/// A camera that captures.
pub(super) struct Camera {
    capture: Box<dyn Capture>,
    format: FourCc,
    quality: u8,
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
        Ok(Self { capture, format, quality: config.quality })
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
        let Self { capture, format, quality } = self;
        let Granted { size, stride, .. } = *capture.granted();
        let mut captured = Captured::NotBefore(Duration::ZERO);
        capture.next(PATIENCE, &mut |bytes, is_damaged| {
            captured = if is_damaged {
                Captured::Damaged("the kernel marks a picture as damaged".to_owned())
            } else {
                match picture(bytes, *format, size, stride, *quality) {
                    Ok(bytes) => Captured::Frame(Frame::new(ContentType::Jpeg, bytes).size(size.0, size.1)),
                    Err(reason) => Captured::Damaged(reason),
                }
            };
        })?;
        Ok(captured)
    }
}

/// A buffer of the camera's as JPEG.
fn picture(bytes: &[u8], format: FourCc, size: (u32, u32), stride: u32, quality: u8) -> Result<Vec<u8>, String> {
    let encoded = match format {
        FourCc::Mjpg | FourCc::Jpeg => return jpeg::whole(bytes).map(<[u8]>::to_vec),
        FourCc::Yuyv => Yuyv::new(bytes, size, stride).and_then(|picture| picture.encode(quality)),
        FourCc::Nv12 => Nv12::new(bytes, size, stride).and_then(|picture| picture.encode(quality)),
    };
    encoded.map_err(|error| error.to_string())
}
