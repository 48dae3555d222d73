//! The driver: all that is not the framework's.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mapper_framework::{
    DataType, Device, Discovery, Driver, DriverError, FrameSender, Property, Reading, Session, Subscriptions, Value,
};
use tokio::{
    sync::{Mutex as Lock, OwnedMutexGuard},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    capture::{self, Opener},
    config::{Config, Place, RATES, Source},
    control::{self, Difference, twin_text},
    live::Live,
    machine::Machine,
    scaffold,
    settings::{CameraInfo, SettingsThread},
    v4l2::{ControlKind, Identity, Node},
    visitor::{Shows, Visitor, What},
};

/// How long a session waits for a thread of the one before to end.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// How long the end of a session waits for its capture: for as long as a picture is waited for, and somewhat more.
const END_WITHIN: Duration = Duration::from_secs(1);

/// A camera has one thread that captures, and one for its settings. A thread holds its lock until it ends.
#[derive(Clone, Debug, Default)]
struct Turns {
    capture: Arc<Lock<()>>,
    settings: Arc<Lock<()>>,
}

/// Opens cameras.
#[derive(Debug, Default)]
pub struct UsbCamera {
    machine: Machine,
    /// By the file of the camera, however it is named. Locked for a moment when a device is connected to; no more entries than cameras that
    /// were ever named.
    turns: Mutex<HashMap<PathBuf, Turns>>,
    /// The rates that were written, by device, each with that of the manifest that it took the place of. Locked for a moment.
    rates: Rates,
}

type Rates = Arc<Mutex<HashMap<String, (f64, f64)>>>;

/// A camera.
#[derive(Debug)]
pub struct Camera {
    device: String,
    turns: Turns,
    opener: Opener,
    info: CameraInfo,
    rates: Rates,
    /// The rate of the manifest.
    rate: f64,
    /// Whether a capture was begun.
    captures: bool,
    /// How the model differs from the camera.
    differences: Vec<Difference>,
}

impl Driver for UsbCamera {
    type Config = Config;
    type Session = Camera;

    /// Finds the camera, and looks what it is. Capturing may take its time, and belongs to a thread of its own.
    async fn connect(&self, device: &Device, config: Config) -> Result<Camera, DriverError> {
        let place = self.find(config.place()?).await?;
        let device = device.id().as_str().to_owned();
        let turns = self.turns_of(place.as_deref().unwrap_or_else(|| Path::new(&device)));
        let (settings, info) = match (&place, config.source) {
            (Some(place), Source::V4l2) => {
                let turn = turn(&turns.settings, || settings_or_capture(&turns)).await?;
                let (settings, info) = SettingsThread::open(self.machine.kernel(), place.clone(), turn).await?;
                (Some(settings), info)
            }
            _ => (None, CameraInfo::default()),
        };
        let rate = config.frame_rate;
        let live = Arc::new(Live::new(self.rate_of(&device, rate)));
        let opener = Opener { config, place, machine: self.machine.clone(), settings, live };
        Ok(Camera {
            device,
            turns,
            opener,
            info,
            rates: Arc::clone(&self.rates),
            rate,
            captures: false,
            differences: Vec::new(),
        })
    }

    /// Finds the cameras of this machine, with all of their settings.
    async fn discover(&self, discovery: &Discovery) -> Result<(), DriverError> {
        let () = discovery.args()?;
        let (machine, discovery) = (self.machine.clone(), discovery.clone());
        Ok(spawn_blocking(move || scaffold::search(&machine, &discovery)).await?)
    }
}

impl UsbCamera {
    /// Cameras of another machine than this one.
    pub fn on(machine: Machine) -> Self {
        Self { machine, ..Self::default() }
    }

    /// Finds a file or folder, each time anew: a camera that was plugged in again may have another number.
    async fn find(&self, place: Place) -> Result<Option<PathBuf>, DriverError> {
        let machine = self.machine.clone();
        let found = spawn_blocking(move || match place {
            Place::Nowhere => Ok(None),
            Place::File(path) => machine.file(&path).map(Some),
            Place::Serial(serial) => machine.file_of(&serial).map(Some),
        });
        found.await?.map_err(|error| {
            DriverError::disconnected(format_args!("{error}: is the camera plugged in, and may the mapper see it?"))
        })
    }

    fn turns_of(&self, place: &Path) -> Turns {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(place.to_owned()).or_default().clone()
    }

    /// The rate that was written last, unless the manifest has another one since.
    fn rate_of(&self, device: &str, rate: f64) -> f64 {
        let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.get(device).filter(|(instead_of, _)| *instead_of == rate).map_or(rate, |(_, written)| *written)
    }
}

/// Which thread may be the one that hangs. A capture has the other thread close the camera's file, so that this one ends after it.
fn settings_or_capture(turns: &Turns) -> &'static str {
    if turns.capture.try_lock().is_ok() { "thread for the settings" } else { "capture, or thread for the settings," }
}

async fn turn(turn: &Arc<Lock<()>>, whose: impl FnOnce() -> &'static str) -> Result<OwnedMutexGuard<()>, DriverError> {
    timeout(TURN_WITHIN, Arc::clone(turn).lock_owned()).await.map_err(|_| {
        let whose = whose();
        let cure = "look whether another device names the same camera, or unplug it and plug it in again";
        DriverError::disconnected(format_args!(
            "another {whose} of this camera has not ended within {TURN_WITHIN:?}, and hangs in the kernel perhaps: {cure}"
        ))
    })
}

impl Session for Camera {
    type Visitor = Visitor;

    fn check(property: &Property<Visitor>) -> Result<(), DriverError> {
        property.visitor().check(property)
    }

    /// Compares the bounds of the model with those of the camera.
    async fn subscribe(&mut self, properties: &[Arc<Property<Visitor>>]) -> Result<Subscriptions, DriverError> {
        let controls = &self.info.controls;
        let difference = |property: &Arc<Property<Visitor>>| match property.visitor().what(property.name()) {
            What::Control(wanted) => Difference::of(control::find(controls, &wanted).ok()?, property),
            _ => None,
        };
        let differences: Vec<_> = properties.iter().filter_map(difference).collect();
        if differences != self.differences && !differences.is_empty() {
            let named: Vec<_> = differences.iter().map(ToString::to_string).collect();
            let (device, differences) = (&self.device, named.join("; "));
            tracing::warn!(
                device,
                differences,
                "bounds in the model differ from the camera's: what lies outside of the latter is refused"
            );
        }
        self.differences = differences;
        Ok(Subscriptions::none())
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        let config = &self.opener.config;
        Ok(match property.visitor().what(property.name()) {
            What::Shows(Shows::Width) => config.width.into(),
            What::Shows(Shows::Height) => config.height.into(),
            What::Shows(Shows::FrameRate) => self.rate.into(),
            What::Shows(Shows::DamagedFrames) => whole(self.opener.live.damaged()),
            What::Shows(Shows::Differences) => self.differences().into(),
            What::Rate => self.opener.live.granted_rate().into(),
            What::BusInfo => twin_text(&self.identity()?.bus_info).into(),
            What::Card => twin_text(&self.identity()?.card).into(),
            What::Input => twin_text(self.identity()?.input.as_deref().unwrap_or("none")).into(),
            What::Trigger => format!("/api/v2/devices/{}/snapshot.jpg", self.device).into(),
            What::Control(wanted) => self.read_control(&wanted, property.data_type()).await?.into(),
        })
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        match property.visitor().what(property.name()) {
            What::Rate => self.write_rate(value),
            What::Trigger => self.next_frame().await,
            What::Control(wanted) => self.write_control(wanted, value.clone()).await,
            _ => Err(DriverError::refused("it can only be read: make it ReadOnly in the model")),
        }
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        let turn = turn(&self.turns.capture, || "capture").await?;
        self.captures = true;
        capture::start(self.opener.clone(), frames, turn).await
    }

    /// Waits for the capture to end, so that no ffmpeg outlives the mapper. One that hangs in the kernel is left behind.
    async fn close(self) {
        if self.captures {
            timeout(END_WITHIN, self.turns.capture.lock()).await.ok();
        }
    }
}

fn whole(count: u64) -> Reading {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}

impl Camera {
    fn settings(&self) -> Result<&SettingsThread, DriverError> {
        let cure = "this property needs `source: v4l2`";
        let source = self.opener.config.source;
        self.opener.settings.as_ref().ok_or_else(|| {
            DriverError::unsupported(format_args!("the source {} has no settings: {cure}", source.as_str()))
        })
    }

    fn identity(&self) -> Result<&Identity, DriverError> {
        self.settings().map(|_| &self.info.identity)
    }

    fn differences(&self) -> String {
        let twins: Vec<_> = self.differences.iter().map(Difference::twin).collect();
        if twins.is_empty() { "none".to_owned() } else { twins.join(",") }
    }

    async fn read_control(&self, wanted: &str, data_type: DataType) -> Result<Value, DriverError> {
        let settings = self.settings()?;
        let control = control::find(&self.info.controls, wanted)?;
        if control.kind == ControlKind::Button {
            return Ok(Value::Boolean(false));
        }
        if !control.readable {
            return Err(DriverError::refused(format_args!(
                "the camera's setting {} can only be written",
                control::name(control)
            )));
        }
        let id = control.id;
        let raw = settings.run(move |node| node.get(id)).await?;
        Ok(control::value(control, raw, data_type))
    }

    /// Looks at the setting as it is now: another one may have made it inactive.
    async fn write_control(&self, wanted: String, value: Value) -> Result<(), DriverError> {
        let set = move |node: &mut dyn Node| {
            let controls = node.controls()?;
            let wanted = control::find(&controls, &wanted)
                .and_then(|control| control::raw(control, &value).map(|raw| (control, raw)));
            let (control, raw) = match wanted {
                Ok(wanted) => wanted,
                Err(error) => return Ok(Err(error)),
            };
            node.set(control.id, raw)?;
            if control.range.is_some() {
                return Ok(Ok(()));
            }
            node.get(control.id).map(|has| control::confirm(control, raw, has))
        };
        self.settings()?.run(set).await?
    }

    /// Has the thread that captures open its source anew.
    fn write_rate(&self, value: &Value) -> Result<(), DriverError> {
        let rate = value.as_f64().filter(|rate| RATES.contains(rate));
        let rate = rate.ok_or_else(|| {
            DriverError::refused(format_args!(
                "found {value}, expected frames in a second, from {} to {}",
                RATES.start(),
                RATES.end()
            ))
        })?;
        self.rates.lock().unwrap_or_else(PoisonError::into_inner).insert(self.device.clone(), (self.rate, rate));
        self.opener.live.set_rate(rate);
        Ok(())
    }

    /// Waits for the next frame, so that the snapshot is one of after the call. The framework's deadline ends it.
    async fn next_frame(&self) -> Result<(), DriverError> {
        let mut frames = self.opener.live.frames();
        frames.borrow_and_update();
        frames.changed().await?;
        Ok(())
    }
}
