//! What this mapper asks of V4L2, call by call, so that tests can put a fake device into the kernel's place.

mod linux;

use std::{fmt, io, path::Path, time::Duration};

pub use linux::Linux;
use rustix::io::Errno;

use crate::fourcc::FourCc;

/// Opens the files of cameras.
pub trait Kernel: fmt::Debug + Send + Sync + 'static {
    /// Opens one. May block.
    ///
    /// # Errors
    ///
    /// The file is not there, is no camera, or may not be opened.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Node>>;
}

/// An open file of a camera. Each call may block for as long as the kernel likes, and fails with `ENODEV` once the camera is unplugged.
pub trait Node: Send {
    /// What the camera is (`VIDIOC_QUERYCAP`, `VIDIOC_ENUMINPUT`).
    ///
    /// # Errors
    ///
    /// The kernel's.
    fn identity(&mut self) -> io::Result<Identity>;

    /// The formats in which it captures, as four characters (`VIDIOC_ENUM_FMT`).
    ///
    /// # Errors
    ///
    /// The kernel's.
    fn formats(&mut self) -> io::Result<Vec<String>>;

    /// The sizes of a format (`VIDIOC_ENUM_FRAMESIZES`).
    ///
    /// # Errors
    ///
    /// The kernel's; `ENOTTY` for a driver that does not say.
    fn sizes(&mut self, format: FourCc) -> io::Result<Sizes>;

    /// The intervals between two frames (`VIDIOC_ENUM_FRAMEINTERVALS`).
    ///
    /// # Errors
    ///
    /// The kernel's; `ENOTTY` for a driver that does not say.
    fn intervals(&mut self, format: FourCc, size: (u32, u32)) -> io::Result<Intervals>;

    /// The settings that can be listed, as they are now (`VIDIOC_QUERYCTRL` with `V4L2_CTRL_FLAG_NEXT_CTRL`, `VIDIOC_QUERYMENU`). A setting keeps
    /// its place in the list.
    ///
    /// # Errors
    ///
    /// The kernel's.
    fn listed(&mut self) -> io::Result<Vec<Control>>;

    /// The value of a setting (`VIDIOC_G_CTRL`).
    ///
    /// # Errors
    ///
    /// The kernel's: `EACCES` for one that can only be written, `EINVAL` for one that is not there.
    fn get(&mut self, control: ControlId) -> io::Result<i32>;

    /// Sets it (`VIDIOC_S_CTRL`).
    ///
    /// # Errors
    ///
    /// The kernel's: `ERANGE` outside of the range, `EINVAL` for an entry that the menu does not have, `EACCES` for one that can only be read,
    /// `EBUSY` for one that cannot be changed now.
    fn set(&mut self, control: ControlId, value: i32) -> io::Result<()>;

    /// Sets format and rate, and begins to capture (`VIDIOC_S_FMT`, `VIDIOC_S_PARM`, `VIDIOC_STREAMON`).
    ///
    /// # Errors
    ///
    /// The kernel's: `EBUSY` when another program captures.
    fn capture(self: Box<Self>, wanted: Wanted) -> io::Result<Box<dyn Capture>>;

    /// All settings: those that can be listed, and before them the brightness of a camera that answers for it.
    ///
    /// # Errors
    ///
    /// The kernel's.
    fn controls(&mut self) -> io::Result<Vec<Control>> {
        let listed = self.listed()?;
        let brightness = match self.get(ControlId::Brightness) {
            Ok(_) => Some(Control::brightness()),
            Err(error) if is_gone(&error) => return Err(error),
            Err(_) => None,
        };
        Ok(brightness.into_iter().chain(listed).collect())
    }
}

/// A camera that captures, until it is dropped.
pub trait Capture: Send {
    /// What it has granted.
    fn granted(&self) -> &Granted;

    /// Waits for the next picture, no longer than `patience`, and copies its bytes to the place of those in `picture`. So the kernel has its
    /// buffer back before anybody works on them: it has two, and loses what comes while both are taken.
    ///
    /// # Errors
    ///
    /// The kernel's.
    fn next(&mut self, patience: Duration, picture: &mut Vec<u8>) -> io::Result<Taken>;
}

/// What came of waiting for a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// None has come.
    Nothing,
    /// One has come.
    Picture,
    /// One has come that the driver marks as damaged.
    Damaged,
}

/// What a camera is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The driver in the kernel, such as `uvcvideo`.
    pub driver: String,
    /// The camera's name.
    pub card: String,
    /// Where it is attached, such as `usb-0000:00:14.0-2`.
    pub bus_info: String,
    /// Its input, such as `Camera 1`. A camera has one.
    pub input: Option<String>,
}

/// The sizes that a camera offers, in pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// These.
    Each(Vec<(u32, u32)>),
    /// All from the first to the second, in steps of the third.
    Range {
        /// The smallest.
        least: (u32, u32),
        /// The largest.
        most: (u32, u32),
        /// The steps in both directions, from the smallest.
        step: (u32, u32),
    },
}

/// The intervals that a camera offers, in seconds as fractions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intervals {
    /// These.
    Each(Vec<(u32, u32)>),
    /// All between the two.
    Range {
        /// The shortest.
        least: (u32, u32),
        /// The longest.
        most: (u32, u32),
    },
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The format.
    pub format: FourCc,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// From one frame to the next, in seconds as a fraction.
    pub interval: (u32, u32),
}

/// What a camera has granted, which may be something else than was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The format, as four characters.
    pub format: String,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Bytes from the begin of one line to that of the next; zero where the driver does not say.
    pub stride: u32,
    /// From one frame to the next; none for a camera that does not take rates.
    pub interval: Option<(u32, u32)>,
}

/// Which setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlId {
    /// The one at this place of the list (see [`Node::listed`]).
    Listed(usize),
    /// `V4L2_CID_BRIGHTNESS`. It has the lowest number of all settings, and that is where linuxvideo has the kernel begin its list: the kernel lists
    /// what has a higher one.
    Brightness,
}

/// A setting of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Which one.
    pub id: ControlId,
    /// The name that KubeEdge's mapper of v1.16 had for it, where it had one. What the kernel calls it depends on its release.
    pub standard: Option<&'static str>,
    /// The kernel's name, such as `White Balance, Automatic`.
    pub name: String,
    /// What values it has.
    pub kind: ControlKind,
    /// Its values; none for one that cannot be listed.
    pub range: Option<Range>,
    /// Whether it can be read.
    pub readable: bool,
    /// Whether it can be written at all.
    pub writable: bool,
    /// Whether something keeps it from being written now, such as an automatic that governs it.
    pub inactive: bool,
    /// The entries of a menu, with their numbers.
    pub menu: Vec<(i32, String)>,
}

impl Control {
    fn brightness() -> Self {
        Self {
            id: ControlId::Brightness,
            standard: Some("Brightness"),
            name: "Brightness".to_owned(),
            kind: ControlKind::Integer,
            range: None,
            readable: true,
            writable: true,
            inactive: false,
            menu: Vec::new(),
        }
    }
}

/// The values of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The least value.
    pub minimum: i32,
    /// The greatest value.
    pub maximum: i32,
    /// From one value to the next.
    pub step: i32,
    /// The value that it begins with.
    pub default: i32,
}

/// The kinds of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlKind {
    /// A number.
    Integer,
    /// On or off.
    Boolean,
    /// One of several entries.
    Menu,
    /// One of several numbers; which these are, linuxvideo does not say.
    IntegerMenu,
    /// Something that happens when it is written.
    Button,
    /// Bits.
    Bitmask,
}

/// Whether the camera is gone.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    [Errno::NODEV, Errno::NXIO].iter().any(|gone| error.raw_os_error() == Some(gone.raw_os_error()))
}

/// Whether the kernel refuses what was asked for, and would again.
pub(crate) fn is_refused(error: &io::Error) -> bool {
    [Errno::INVAL, Errno::RANGE, Errno::ACCESS, Errno::NOTTY]
        .iter()
        .any(|refused| error.raw_os_error() == Some(refused.raw_os_error()))
}

/// Whether somebody else has it.
pub(crate) fn is_busy(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::BUSY.raw_os_error())
}
