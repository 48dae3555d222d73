//! The driver: all that is not the framework's.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::Duration,
};

use mapper_framework::{Device, Driver, DriverError, FrameSender, Property, Reading, Session};
use serde::Deserialize;
use tokio::{sync::Mutex, time::timeout};

use crate::{capture, config::Config};

/// How long a session waits for the capture of the one before to end.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// A camera takes one capture at a time. The thread of it holds this lock.
type Turn = Arc<Mutex<()>>;

/// Opens cameras.
#[derive(Debug, Default)]
pub struct UsbCamera {
    /// By the file of the camera, however it is named. Locked for a moment when a device is connected to; no more entries than cameras that
    /// were ever named.
    turns: std::sync::Mutex<HashMap<PathBuf, Turn>>,
}

/// `visitors.configData` of a property that is not of the stream: what it shows of the camera's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "shows", rename_all = "camelCase")]
pub enum Visitor {
    /// The wanted width in pixels.
    Width,
    /// The wanted height in pixels.
    Height,
    /// The wanted number of frames in a second.
    FrameRate,
}

/// A camera.
#[derive(Debug)]
pub struct Camera {
    config: Config,
    turn: Turn,
}

impl Driver for UsbCamera {
    type Config = Config;
    type Session = Camera;

    /// Only looks whether the camera is there: opening it may take its time, and belongs to the thread that captures.
    async fn connect(&self, device: &Device, config: Config) -> Result<Camera, DriverError> {
        let turn = match config.place()? {
            None => self.turn_of(Path::new(device.id().as_str())),
            Some(place) => self.turn_of(&find(&place).await?),
        };
        Ok(Camera { config, turn })
    }
}

impl UsbCamera {
    fn turn_of(&self, place: &Path) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(place.to_owned()).or_default())
    }
}

/// Where the camera's file is. A name by its id is a link to it.
async fn find(place: &Path) -> Result<PathBuf, DriverError> {
    let named = |error: io::Error| {
        let cure = "is the camera plugged in, and may the mapper see it?";
        DriverError::disconnected(format_args!("{}: {error}: {cure}", place.display()))
    };
    tokio::fs::canonicalize(place).await.map_err(named)
}

impl Session for Camera {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        Ok(match property.visitor() {
            Visitor::Width => self.config.width.into(),
            Visitor::Height => self.config.height.into(),
            Visitor::FrameRate => self.config.frame_rate.into(),
        })
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        let waited = timeout(TURN_WITHIN, Arc::clone(&self.turn).lock_owned()).await;
        let turn = waited.map_err(|_| {
            let cure = "unplug it and plug it in again, or look which program has it";
            DriverError::disconnected(format_args!(
                "another capture of this camera has not ended within {TURN_WITHIN:?}, and hangs in the kernel perhaps: {cure}"
            ))
        })?;
        capture::start(self.config.clone(), frames, turn).await
    }
}
