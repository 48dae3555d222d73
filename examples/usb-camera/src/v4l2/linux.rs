//! The kernel of this machine, by the crate linuxvideo. This file was never run with a camera: README.md says what is known of it.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use linuxvideo::{
    BufType, Device, Fract,
    controls::{Cid, ControlDesc, ControlFlags, CtrlType},
    format::{FrameIntervals, FrameSizes, PixFormat, PixelFormat},
    stream::ReadStream,
};

use super::{
    Capture, Control, ControlId, ControlKind, Granted, Identity, Intervals, Kernel, Node, Range, Sizes, Taken, Wanted,
    is_gone,
};
use crate::{fourcc::FourCc, wait::wait_for_bytes};

/// What stands for a text that linuxvideo cannot read.
const UNREADABLE: &str = "unreadable";

/// The settings of KubeEdge's mapper of v1.16, under its names, but for the brightness, which is not listed.
const STANDARD: [(&str, Cid); 9] = [
    ("WhiteBalanceTemperature", Cid::WHITE_BALANCE_TEMPERATURE),
    ("WhiteBalanceTemperatureAuto", Cid::AUTO_WHITE_BALANCE),
    ("ExposureAbsolute", Cid::EXPOSURE_ABSOLUTE),
    ("ExposureAuto", Cid::EXPOSURE_AUTO),
    ("PowerLineFrequency", Cid::POWER_LINE_FREQUENCY),
    ("Sharpness", Cid::SHARPNESS),
    ("Contrast", Cid::CONTRAST),
    ("Saturation", Cid::SATURATION),
    ("Gain", Cid::GAIN),
];

/// The kernel of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linux;

impl Kernel for Linux {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Node>> {
        Ok(Box::new(File { device: Device::open(path)?, ids: Vec::new() }))
    }
}

struct File {
    device: Device,
    /// Of the settings, as they were listed last.
    ids: Vec<Cid>,
}

impl File {
    fn id(&self, control: ControlId) -> io::Result<Cid> {
        let unknown = || io::Error::from_raw_os_error(rustix::io::Errno::INVAL.raw_os_error());
        match control {
            ControlId::Brightness => Ok(Cid::BRIGHTNESS),
            ControlId::Listed(place) => self.ids.get(place).copied().ok_or_else(unknown),
        }
    }

    /// The setting at a place of the list; none for one that cannot be reached.
    fn control(&self, place: usize, description: &ControlDesc) -> io::Result<Option<Control>> {
        let Some(kind) = kind(description.control_type()) else { return Ok(None) };
        let mut menu = Vec::new();
        if kind == ControlKind::Menu {
            for item in self.device.enumerate_menu(description) {
                let item = item?;
                menu.push((i32::try_from(item.index()).unwrap_or(i32::MAX), text(|| item.name())));
            }
        }
        let (id, flags) = (description.id(), description.flags());
        Ok(Some(Control {
            id: ControlId::Listed(place),
            standard: STANDARD.iter().find(|(_, known)| *known == id).map(|(name, _)| *name),
            name: text(|| description.name()),
            kind,
            range: Some(Range {
                minimum: description.minimum(),
                maximum: description.maximum(),
                step: description.step(),
                default: description.default_value(),
            }),
            readable: !flags.contains(ControlFlags::WRITE_ONLY) && kind != ControlKind::Button,
            writable: !flags.contains(ControlFlags::READ_ONLY),
            inactive: flags.intersects(ControlFlags::INACTIVE | ControlFlags::GRABBED),
            menu,
        }))
    }
}

/// None for a heading, and for what is larger than 32 bits: `VIDIOC_G_CTRL` does not reach it.
fn kind(kind: CtrlType) -> Option<ControlKind> {
    Some(match kind {
        CtrlType::INTEGER => ControlKind::Integer,
        CtrlType::BOOLEAN => ControlKind::Boolean,
        CtrlType::MENU => ControlKind::Menu,
        CtrlType::INTEGER_MENU => ControlKind::IntegerMenu,
        CtrlType::BUTTON => ControlKind::Button,
        CtrlType::BITMASK => ControlKind::Bitmask,
        _ => return None,
    })
}

impl Node for File {
    fn identity(&mut self) -> io::Result<Identity> {
        let capabilities = self.device.capabilities()?;
        // A driver without inputs says `ENOTTY`.
        let input = self.device.inputs().next().and_then(Result::ok);
        Ok(Identity {
            driver: text(|| capabilities.driver()),
            card: text(|| capabilities.card()),
            bus_info: text(|| capabilities.bus_info()),
            input: input.map(|input| text(|| input.name())),
        })
    }

    fn formats(&mut self) -> io::Result<Vec<String>> {
        let formats = self.device.formats(BufType::VIDEO_CAPTURE);
        formats.map(|format| Ok(format?.pixel_format().to_string())).collect()
    }

    fn sizes(&mut self, format: FourCc) -> io::Result<Sizes> {
        Ok(match self.device.frame_sizes(pixel_format(format))? {
            FrameSizes::Discrete(sizes) => {
                Sizes::Each(sizes.iter().map(|size| (size.width(), size.height())).collect())
            }
            FrameSizes::Stepwise(range) | FrameSizes::Continuous(range) => Sizes::Range {
                least: (range.min_width(), range.min_height()),
                most: (range.max_width(), range.max_height()),
                step: (range.step_width(), range.step_height()),
            },
        })
    }

    fn intervals(&mut self, format: FourCc, (width, height): (u32, u32)) -> io::Result<Intervals> {
        Ok(match self.device.frame_intervals(pixel_format(format), width, height)? {
            FrameIntervals::Discrete(intervals) => {
                Intervals::Each(intervals.iter().map(|interval| fraction(interval.fract())).collect())
            }
            FrameIntervals::Stepwise(range) | FrameIntervals::Continuous(range) => {
                Intervals::Range { least: fraction(range.min()), most: fraction(range.max()) }
            }
        })
    }

    fn listed(&mut self) -> io::Result<Vec<Control>> {
        let (mut controls, mut ids) = (Vec::new(), Vec::new());
        for description in self.device.controls() {
            let description = match description {
                Ok(description) => description,
                // A driver without settings says `ENOTTY`.
                Err(error) if is_gone(&error) => return Err(error),
                Err(_) => break,
            };
            if let Some(control) = self.control(controls.len(), &description)? {
                controls.push(control);
                ids.push(description.id());
            }
        }
        self.ids = ids;
        Ok(controls)
    }

    fn get(&mut self, control: ControlId) -> io::Result<i32> {
        self.device.read_control_raw(self.id(control)?)
    }

    fn set(&mut self, control: ControlId, value: i32) -> io::Result<()> {
        let id = self.id(control)?;
        self.device.write_control_raw(id, value)
    }

    fn capture(self: Box<Self>, wanted: Wanted) -> io::Result<Box<dyn Capture>> {
        let (width, height) = wanted.size;
        let format = PixFormat::new(width, height, pixel_format(wanted.format));
        let camera = self.device.video_capture(format)?;
        let granted = camera.format();
        let (pixels, stride) = (granted.pixel_format(), granted.bytes_per_line());
        let size = (granted.width(), granted.height());
        let (numerator, denominator) = wanted.interval;
        let interval = match camera.set_frame_interval(Fract::new(numerator, denominator.max(1))) {
            Ok(interval) => {
                Some(fraction(&interval)).filter(|(numerator, denominator)| *numerator > 0 && *denominator > 0)
            }
            Err(error) if is_gone(&error) => return Err(error),
            // A driver that takes no rates.
            Err(_) => None,
        };
        let granted = Granted { format: pixels.to_string(), size, stride, interval };
        Ok(Box::new(Running { stream: camera.into_stream()?, granted }))
    }
}

struct Running {
    stream: ReadStream,
    granted: Granted,
}

impl Capture for Running {
    fn granted(&self) -> &Granted {
        &self.granted
    }

    /// Polls before it takes a picture, which alone would wait in the kernel for as long as none comes.
    fn next(&mut self, patience: Duration, picture: &mut Vec<u8>) -> io::Result<Taken> {
        if !wait_for_bytes(&self.stream, patience)? {
            return Ok(Taken::Nothing);
        }
        self.stream.dequeue(|buffer| {
            picture.clear();
            picture.extend_from_slice(&buffer);
            Ok(if buffer.is_error() { Taken::Damaged } else { Taken::Picture })
        })
    }
}

/// A text of the camera's. linuxvideo panics at one that is not UTF-8, and the kernel cuts long names in the middle of a letter.
fn text<'a>(of: impl FnOnce() -> &'a str) -> String {
    // It only reads.
    catch_unwind(AssertUnwindSafe(of)).map_or_else(|_| UNREADABLE.to_owned(), str::to_owned)
}

fn fraction(fraction: &Fract) -> (u32, u32) {
    (fraction.numerator(), fraction.denominator())
}

fn pixel_format(format: FourCc) -> PixelFormat {
    PixelFormat::from_fourcc(format.number().to_le_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_missing_or_no_camera_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = folder.path().join("video0");
        let missing = Linux.open(&file).err().expect("it is not there");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        fs::write(&file, "no camera").expect("it can be written");
        let wrong = Linux.open(&file).err().expect("it is no camera");
        assert!(crate::v4l2::is_refused(&wrong), "{wrong}");
    }

    #[test]
    fn a_text_that_linuxvideo_cannot_read_costs_itself_only() {
        // As its `byte_array_to_str` has it.
        let read = |bytes: &'static [u8]| text(|| std::str::from_utf8(bytes).expect("a name is UTF-8"));
        assert_eq!(read(b"Cam"), "Cam");
        assert_eq!(read(b"Caf\xc3"), UNREADABLE);
    }

    #[test]
    fn the_formats_are_those_of_the_kernel() {
        assert_eq!(pixel_format(FourCc::Mjpg), PixelFormat::MJPG);
        assert_eq!(pixel_format(FourCc::Yuyv), PixelFormat::YUYV);
        assert_eq!(pixel_format(FourCc::Jpeg), PixelFormat::JPEG);
        assert_eq!(pixel_format(FourCc::Nv12).to_string(), "NV12");
    }
}
