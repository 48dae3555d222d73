//! A fake of V4L2 at the seam of its system calls, as strict as the kernel's documentation has it. No kernel and no camera is behind it: what it
//! shows is that the mapper keeps these rules, not that a real camera does.
//!
//! //= <https://docs.kernel.org/userspace-api/media/v4l/vidioc-g-ctrl.html>: `ERANGE` outside of the bounds, `EINVAL` for a menu's entry that is
//! not there, `EACCES` for what is read-only, write-only or inactive; drivers round to steps, and may take the nearest value in the place of `ERANGE`.
//! //= <https://docs.kernel.org/userspace-api/media/v4l/vidioc-queryctrl.html>: with `V4L2_CTRL_FLAG_NEXT_CTRL` the settings are listed whose number
//! is greater than the given one. linuxvideo gives that of the brightness, the lowest of all.
//! //= <https://docs.kernel.org/userspace-api/media/v4l/vidioc-g-fmt.html>: `EBUSY` while another one streams; what is not offered becomes the nearest.
//! //= <https://docs.kernel.org/userspace-api/media/v4l/open.html>: a device may be opened more than once, unless its driver cannot.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::io::Errno;
use tempfile::TempDir;
use usb_camera::{
    FourCc, Machine,
    v4l2::{
        Capture, Control, ControlId, ControlKind, Granted, Identity, Intervals, Kernel, Node, Range, Sizes, Taken,
        Wanted,
    },
};

/// A machine with a folder of its own for `/dev` and `/sys`.
#[derive(Debug)]
pub(crate) struct FakeMachine {
    root: TempDir,
    kernel: Arc<FakeKernel>,
}

/// Knows the cameras that are plugged in, by their files.
#[derive(Debug, Default)]
struct FakeKernel(Mutex<HashMap<PathBuf, Arc<FakeCamera>>>);

/// A camera, plugged in or not.
#[derive(Debug)]
pub(crate) struct FakeCamera {
    pub(crate) serial: &'static str,
    state: Mutex<State>,
    /// Something has changed that a call waits for.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    is_plugged: bool,
    formats: Vec<(&'static str, Vec<(u32, u32)>)>,
    intervals: Vec<(u32, u32)>,
    controls: Vec<(Control, i32)>,
    /// Open files.
    files: usize,
    opens_once: bool,
    is_streaming: bool,
    hangs: bool,
    capture_hangs: bool,
    is_silent: bool,
    panics: bool,
    /// What comes in the place of the next picture.
    next: Option<Vec<u8>>,
}

fn errno(error: Errno) -> io::Error {
    io::Error::from_raw_os_error(error.raw_os_error())
}

impl FakeMachine {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["dev/v4l/by-id", "sys/class/video4linux", "sys/devices"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        Self { root, kernel: Arc::default() }
    }

    pub(crate) fn machine(&self) -> Machine {
        Machine::new(self.root.path(), self.kernel.clone())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Makes the files that the kernel and udev make for a camera.
    pub(crate) fn plug(&self, camera: &Arc<FakeCamera>, number: u32) {
        let name = format!("video{number}");
        let port = format!("1-{number}");
        let node = self.path(&format!("sys/devices/{port}/{port}:1.0/video4linux/{name}"));
        fs::create_dir_all(&node).unwrap();
        fs::write(self.path(&format!("sys/devices/{port}/serial")), format!("{}\n", camera.serial)).unwrap();
        fs::write(node.join("index"), "0\n").unwrap();
        symlink("../..", node.join("device")).unwrap();
        symlink(&node, self.path("sys/class/video4linux").join(&name)).unwrap();
        camera.state().is_plugged = true;
        let file = self.path("dev").join(&name);
        fs::write(&file, "").unwrap();
        self.kernel.cameras().insert(file.canonicalize().unwrap(), Arc::clone(camera));
        symlink(format!("../../{name}"), self.link(camera)).unwrap();
    }

    pub(crate) fn unplug(&self, camera: &Arc<FakeCamera>, number: u32) {
        let (name, port) = (format!("video{number}"), format!("1-{number}"));
        fs::remove_file(self.link(camera)).unwrap();
        fs::remove_file(self.path("dev").join(&name)).unwrap();
        fs::remove_file(self.path("sys/class/video4linux").join(&name)).unwrap();
        fs::remove_dir_all(self.path("sys/devices").join(&port)).unwrap();
        self.kernel.cameras().retain(|_, other| !Arc::ptr_eq(other, camera));
        camera.state().is_plugged = false;
        camera.changed.notify_all();
    }

    fn link(&self, camera: &FakeCamera) -> PathBuf {
        self.path("dev/v4l/by-id").join(format!("usb-Fake_{}-video-index0", camera.serial))
    }
}

impl FakeKernel {
    fn cameras(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<FakeCamera>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kernel for FakeKernel {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Node>> {
        let camera = self.cameras().get(path).cloned().ok_or_else(|| errno(Errno::NOENT))?;
        let mut state = camera.plugged()?;
        if state.opens_once && state.files > 0 {
            return Err(errno(Errno::BUSY));
        }
        state.files += 1;
        drop(state);
        Ok(Box::new(File(camera)))
    }
}

fn is_brightness(control: &Control) -> bool {
    control.standard == Some("Brightness")
}

impl State {
    /// A setting and its value.
    fn control(&mut self, id: ControlId) -> io::Result<(&Control, &mut i32)> {
        let mut controls = self.controls.iter_mut().map(|(control, value)| (&*control, value));
        let found = match id {
            ControlId::Brightness => controls.find(|(control, _)| is_brightness(control)),
            ControlId::Listed(place) => controls.filter(|(control, _)| !is_brightness(control)).nth(place),
        };
        found.ok_or_else(|| errno(Errno::INVAL))
    }
}

/// A setting whose bounds are these.
fn control(standard: Option<&'static str>, name: &str, kind: ControlKind, bounds: [i32; 4]) -> (Control, i32) {
    let ([minimum, maximum, step, default], name) = (bounds, name.to_owned());
    let (readable, writable, inactive, menu) = (kind != ControlKind::Button, true, false, Vec::new());
    // Its place shows when it is listed.
    let (id, range) = (ControlId::Brightness, Some(Range { minimum, maximum, step, default }));
    (Control { id, standard, name, kind, range, readable, writable, inactive, menu }, default)
}

impl FakeCamera {
    /// What a common webcam offers.
    pub(crate) fn new(serial: &'static str) -> Arc<Self> {
        use ControlKind as K;
        let mut power = control(Some("PowerLineFrequency"), "Power Line Frequency", K::Menu, [0, 2, 1, 1]);
        power.0.menu = vec![(0, "Disabled".into()), (1, "50 Hz".into()), (2, "60 Hz".into())];
        let mut exposure = control(Some("ExposureAuto"), "Auto Exposure", K::Menu, [0, 3, 1, 3]);
        exposure.0.menu = vec![(1, "Manual Mode".into()), (3, "Aperture Priority Mode".into())];
        let controls = vec![
            control(Some("Brightness"), "Brightness", K::Integer, [-64, 64, 1, 0]),
            control(Some("WhiteBalanceTemperatureAuto"), "White Balance, Automatic", K::Boolean, [0, 1, 1, 1]),
            control(Some("WhiteBalanceTemperature"), "White Balance Temperature", K::Integer, [2800, 6500, 10, 4600]),
            power,
            exposure,
            control(None, "Zoom, Absolute", K::Integer, [100, 500, 50, 100]),
            control(None, "Pan, Reset", K::Button, [0, 0, 0, 0]),
        ];
        let sizes = vec![(320, 240), (640, 480)];
        let state = State {
            is_plugged: false,
            formats: vec![("MJPG", sizes.clone()), ("YUYV", sizes.clone()), ("NV12", sizes)],
            intervals: vec![(1, 30), (1, 100)],
            controls,
            files: 0,
            opens_once: false,
            is_streaming: false,
            hangs: false,
            capture_hangs: false,
            is_silent: false,
            panics: false,
            next: None,
        };
        Arc::new(Self { serial, state: Mutex::new(state), changed: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The driver in the kernel allows one open file only.
    pub(crate) fn opens_once(&self) {
        self.state().opens_once = true;
    }

    /// Offers these formats only.
    pub(crate) fn offers(&self, formats: &[&'static str]) {
        self.state().formats.retain(|(format, _)| formats.contains(format));
    }

    /// Whether reads of settings hang in the kernel.
    pub(crate) fn hangs(&self, hangs: bool) {
        self.state().hangs = hangs;
        self.changed.notify_all();
    }

    /// Whether the call that waits for a picture hangs in the kernel.
    pub(crate) fn capture_hangs(&self, hangs: bool) {
        self.state().capture_hangs = hangs;
        self.changed.notify_all();
    }

    /// Whether no picture comes.
    pub(crate) fn is_silent(&self, is_silent: bool) {
        self.state().is_silent = is_silent;
    }

    /// Asking what the camera is panics, as linuxvideo does at what it does not expect.
    pub(crate) fn panics(&self) {
        self.state().panics = true;
    }

    /// What comes in the place of the next picture.
    pub(crate) fn gives(&self, bytes: Vec<u8>) {
        self.state().next = Some(bytes);
    }

    /// Sets a setting by another program.
    pub(crate) fn sets(&self, name: &str, value: i32) {
        self.state().controls.iter_mut().find(|(control, _)| control.name == name).unwrap().1 = value;
    }

    /// The value of a setting.
    pub(crate) fn value(&self, name: &str) -> i32 {
        self.state().controls.iter().find(|(control, _)| control.name == name).unwrap().1
    }

    /// Fails as each call does once the camera is unplugged.
    fn plugged(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.is_plugged { Ok(state) } else { Err(errno(Errno::NODEV)) }
    }
}

struct File(Arc<FakeCamera>);

impl Drop for File {
    fn drop(&mut self) {
        self.0.state().files -= 1;
    }
}

impl Node for File {
    fn identity(&mut self) -> io::Result<Identity> {
        let panics = self.0.plugged()?.panics;
        assert!(!panics, "the camera answers what nobody expects");
        Ok(Identity {
            driver: "fake".into(),
            card: format!("Fake Cam {}", self.0.serial),
            bus_info: format!("usb-fake-{}", self.0.serial),
            input: Some("Camera 1".into()),
        })
    }

    fn formats(&mut self) -> io::Result<Vec<String>> {
        Ok(self.0.plugged()?.formats.iter().map(|(format, _)| (*format).to_owned()).collect())
    }

    fn sizes(&mut self, format: FourCc) -> io::Result<Sizes> {
        let state = self.0.plugged()?;
        let found = state.formats.iter().find(|(name, _)| *name == format.as_str());
        found.map(|(_, sizes)| Sizes::Each(sizes.clone())).ok_or_else(|| errno(Errno::INVAL))
    }

    fn intervals(&mut self, format: FourCc, size: (u32, u32)) -> io::Result<Intervals> {
        let state = self.0.plugged()?;
        let is_offered = state.formats.iter().any(|(name, sizes)| *name == format.as_str() && sizes.contains(&size));
        if is_offered { Ok(Intervals::Each(state.intervals.clone())) } else { Err(errno(Errno::INVAL)) }
    }

    fn listed(&mut self) -> io::Result<Vec<Control>> {
        let state = self.0.plugged()?;
        let governs = |governor: &str, value| {
            state.controls.iter().any(|(it, now)| it.standard == Some(governor) && *now == value)
        };
        let is_governed = governs("WhiteBalanceTemperatureAuto", 1);
        let mut controls: Vec<_> =
            state.controls.iter().map(|(control, _)| control.clone()).filter(|it| !is_brightness(it)).collect();
        for (place, control) in controls.iter_mut().enumerate() {
            control.id = ControlId::Listed(place);
            control.inactive = control.standard == Some("WhiteBalanceTemperature") && is_governed;
        }
        Ok(controls)
    }

    fn get(&mut self, control: ControlId) -> io::Result<i32> {
        let hanging = self.0.plugged()?;
        drop(self.0.changed.wait_while(hanging, |state| state.hangs).unwrap_or_else(PoisonError::into_inner));
        let mut state = self.0.plugged()?;
        let (control, value) = state.control(control)?;
        if control.readable { Ok(*value) } else { Err(errno(Errno::ACCESS)) }
    }

    fn set(&mut self, control: ControlId, value: i32) -> io::Result<()> {
        let inactive = self.listed()?.iter().any(|it| it.id == control && it.inactive);
        let mut state = self.0.plugged()?;
        let (described, now) = state.control(control)?;
        if !described.writable || inactive {
            return Err(errno(Errno::ACCESS));
        }
        if described.kind == ControlKind::Menu && described.menu.iter().all(|(entry, _)| *entry != value) {
            return Err(errno(Errno::INVAL));
        }
        let Range { minimum, maximum, step, .. } = described.range.unwrap();
        let is_inside = (minimum..=maximum).contains(&value);
        *now = match described.kind {
            ControlKind::Button => value,
            ControlKind::Integer => minimum + (value.clamp(minimum, maximum) - minimum) / step * step,
            _ if is_inside => value,
            _ => return Err(errno(Errno::RANGE)),
        };
        Ok(())
    }

    fn capture(self: Box<Self>, wanted: Wanted) -> io::Result<Box<dyn Capture>> {
        let mut state = self.0.plugged()?;
        if state.is_streaming {
            return Err(errno(Errno::BUSY));
        }
        let offered = state.formats.iter().find(|(name, _)| *name == wanted.format.as_str());
        let (format, sizes) = offered.or(state.formats.first()).ok_or_else(|| errno(Errno::INVAL))?;
        let size = sizes.iter().copied().find(|size| *size == wanted.size).unwrap_or(sizes[0]);
        let interval = Some(wanted.interval).filter(|it| state.intervals.contains(it)).unwrap_or(state.intervals[0]);
        let granted = Granted { format: (*format).to_owned(), size, stride: 0, interval: Some(interval) };
        state.is_streaming = true;
        drop(state);
        let picture = picture(&granted);
        Ok(Box::new(Running { file: *self, granted, picture }))
    }
}

struct Running {
    file: File,
    granted: Granted,
    picture: Vec<u8>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.file.0.state().is_streaming = false;
    }
}

impl Capture for Running {
    fn granted(&self) -> &Granted {
        &self.granted
    }

    /// Waits for the interval, as a camera does.
    fn next(&mut self, patience: Duration, picture: &mut Vec<u8>) -> io::Result<Taken> {
        let camera = &self.file.0;
        let state = camera.plugged()?;
        let (numerator, denominator) = self.granted.interval.unwrap_or((1, 30));
        let due = if state.is_silent { patience } else { Duration::from_secs(1) * numerator / denominator };
        drop(camera.changed.wait_timeout_while(state, due.min(patience), |state| state.is_plugged));
        let hanging = camera.plugged()?;
        drop(camera.changed.wait_while(hanging, |state| state.capture_hangs).unwrap_or_else(PoisonError::into_inner));
        let mut state = camera.plugged()?;
        if state.is_silent {
            return Ok(Taken::Nothing);
        }
        let bytes = state.next.take();
        picture.clear();
        picture.extend_from_slice(bytes.as_ref().unwrap_or(&self.picture));
        Ok(Taken::Picture)
    }
}

/// A grey picture in the granted format.
fn picture(granted: &Granted) -> Vec<u8> {
    let pixels = (granted.size.0 * granted.size.1) as usize;
    match granted.format.as_str() {
        "YUYV" => vec![128; pixels * 2],
        "NV12" => vec![128; pixels * 3 / 2],
        _ => jpeg(granted.size),
    }
}

/// A grey picture as USB cameras give it in MJPEG: without its Huffman tables, and with something behind it.
pub(crate) fn jpeg((width, height): (u32, u32)) -> Vec<u8> {
    let (mut jpeg, grey) = (Vec::new(), vec![128; (width * height) as usize]);
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 80);
    encoder.encode(&grey, width as u16, height as u16, jpeg_encoder::ColorType::Luma).unwrap();
    let mut at = 2;
    while jpeg[at + 1] != 0xda {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] == 0xc4 {
            jpeg.drain(at..end);
        } else {
            at = end;
        }
    }
    jpeg.extend([0; 100]);
    jpeg
}
