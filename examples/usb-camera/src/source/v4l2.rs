//! A camera of this machine, over V4L2. This file was never run with a camera: README.md says what is known of it.

use std::{io, path::Path};

use linuxvideo::{
    BufType, Device, Fract,
    format::{FrameIntervals, FrameSizes, PixFormat, PixelFormat},
    stream::ReadStream,
};
use mapper_framework::{ContentType, Format, Frame};

use super::{Captured, FrameSource};
use crate::{
    choice::{interval, nearest_interval, nearest_size, rate},
    config::Config,
    fourcc::FourCc,
    yuyv::Yuyv,
};

/// A camera that captures.
pub(super) struct V4l2 {
    stream: ReadStream,
    granted: Granted,
    quality: u8,
}

/// What the camera has granted.
#[derive(Clone, Copy, Debug)]
struct Granted {
    format: FourCc,
    size: (u32, u32),
    stride: u32,
    /// Unknown for a camera that does not take rates.
    rate: Option<f64>,
}

impl V4l2 {
    /// Opens a camera, and begins to capture in what is nearest to what is wanted.
    pub(super) fn open(path: &Path, config: &Config) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let device = Device::open(path).map_err(named)?;
        let format = choose_format(&device, config.format).map_err(named)?;
        let pixels = pixel_format(format);
        let size = choose_size(&device, pixels, (config.width, config.height));
        let wanted = choose_interval(&device, pixels, size, config.frame_rate);
        let camera = device.video_capture(PixFormat::new(size.0, size.1, pixels)).map_err(named)?;
        let granted = camera.format();
        let (pixels, stride) = (granted.pixel_format(), granted.bytes_per_line());
        let size = (granted.width(), granted.height());
        let rate = granted_rate(camera.set_frame_interval(Fract::new(wanted.0, wanted.1)).ok());
        let format = known(pixels).ok_or_else(|| named(unknown(pixels)))?;
        let granted = Granted { format, size, stride, rate };
        Ok(Self { stream: camera.into_stream().map_err(named)?, granted, quality: config.quality })
    }
}

impl FrameSource for V4l2 {
    fn format(&self) -> Format {
        let Granted { format, size, rate, .. } = self.granted;
        Format::new(format.as_str(), size.0, size.1).frames_per_second(rate.unwrap_or_default())
    }

    fn next(&mut self) -> io::Result<Captured> {
        let Self { stream, granted, quality } = self;
        stream.dequeue(|buffer| {
            if buffer.is_error() {
                return Ok(Captured::Damaged);
            }
            let bytes = match granted.format {
                FourCc::Mjpg | FourCc::Jpeg => buffer.to_vec(),
                FourCc::Yuyv => match Yuyv::new(&buffer, granted.size, granted.stride) {
                    Ok(picture) => picture.encode(*quality)?,
                    // Cut short on its way.
                    Err(_) => return Ok(Captured::Damaged),
                },
            };
            Ok(Captured::Frame(Frame::new(ContentType::Jpeg, bytes).size(granted.size.0, granted.size.1)))
        })
    }
}

/// The wanted format, or else the first one that this mapper takes.
fn choose_format(device: &Device, wanted: FourCc) -> io::Result<FourCc> {
    let mut offered = Vec::new();
    for format in device.formats(BufType::VIDEO_CAPTURE) {
        offered.push(format?.pixel_format());
    }
    let mut taken = offered.iter().filter_map(|format| known(*format));
    let wanted = offered.contains(&pixel_format(wanted)).then_some(wanted);
    wanted.or_else(|| taken.next()).ok_or_else(|| {
        let message = format!("it offers {offered:?}, and this mapper takes MJPG, JPEG and YUYV");
        io::Error::new(io::ErrorKind::Unsupported, message)
    })
}

/// The nearest of the sizes that the camera offers; what is wanted where it does not say which, since it then grants the nearest itself.
fn choose_size(device: &Device, format: PixelFormat, wanted: (u32, u32)) -> (u32, u32) {
    match device.frame_sizes(format) {
        Ok(FrameSizes::Discrete(sizes)) => {
            let sizes: Vec<_> = sizes.iter().map(|size| (size.width(), size.height())).collect();
            nearest_size(&sizes, wanted).unwrap_or(wanted)
        }
        Ok(FrameSizes::Stepwise(_) | FrameSizes::Continuous(_)) | Err(_) => wanted,
    }
}

/// The nearest of the intervals that the camera offers for a size.
fn choose_interval(device: &Device, format: PixelFormat, (width, height): (u32, u32), wanted: f64) -> (u32, u32) {
    match device.frame_intervals(format, width, height) {
        Ok(FrameIntervals::Discrete(intervals)) => {
            let fraction = |fraction: &Fract| (fraction.numerator(), fraction.denominator());
            let intervals: Vec<_> = intervals.iter().map(|interval| fraction(interval.fract())).collect();
            nearest_interval(&intervals, wanted).unwrap_or_else(|| interval(wanted))
        }
        Ok(FrameIntervals::Stepwise(_) | FrameIntervals::Continuous(_)) | Err(_) => interval(wanted),
    }
}

/// The rate of an interval, unless it is none.
fn granted_rate(interval: Option<Fract>) -> Option<f64> {
    let interval = interval?;
    let (numerator, denominator) = (interval.numerator(), interval.denominator());
    (numerator > 0 && denominator > 0).then(|| rate((numerator, denominator)))
}

fn pixel_format(format: FourCc) -> PixelFormat {
    PixelFormat::from_fourcc(format.number().to_le_bytes())
}

fn known(format: PixelFormat) -> Option<FourCc> {
    [FourCc::Mjpg, FourCc::Jpeg, FourCc::Yuyv].into_iter().find(|known| pixel_format(*known) == format)
}

fn unknown(format: PixelFormat) -> io::Error {
    let message = format!("it grants {format}, and this mapper takes MJPG, JPEG and YUYV");
    io::Error::new(io::ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn error(path: &Path) -> io::Error {
        let config = serde_json::from_value(json!({"device": path})).expect("it can be read");
        V4l2::open(path, &config).err().expect("it is no camera")
    }

    #[test]
    fn a_file_that_is_missing_or_no_camera_is_an_error_with_its_name() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = folder.path().join("video0");
        let missing = error(&file);
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        assert!(missing.to_string().starts_with(file.to_str().expect("it is text")), "{missing}");
        fs::write(&file, "no camera").expect("it can be written");
        let wrong = error(&file).to_string();
        assert!(wrong.starts_with(file.to_str().expect("it is text")), "{wrong}");
    }

    #[test]
    fn the_formats_are_those_of_the_kernel() {
        assert_eq!(pixel_format(FourCc::Mjpg), PixelFormat::MJPG);
        assert_eq!(pixel_format(FourCc::Yuyv), PixelFormat::YUYV);
        assert_eq!(known(PixelFormat::JPEG), Some(FourCc::Jpeg));
        assert_eq!(known(PixelFormat::RGB3), None);
        assert_eq!(granted_rate(Some(Fract::new(1, 30))), Some(30.0));
        assert_eq!(granted_rate(Some(Fract::new(0, 30))), None, "no rate is told");
    }
}
