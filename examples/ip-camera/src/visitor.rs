//! What a property stands for, and how fast a camera is turned.

use mapper_framework::{DriverError, Value};
use serde::Deserialize;

/// The longest time that a camera is turned for, in seconds.
const LONGEST_MOVE: f64 = 60.0;

/// `visitors.configData` of a property that is not of the stream: what it shows, or what it says when a method is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "shows", rename_all = "camelCase")]
pub enum Visitor {
    /// Who has made the camera.
    Manufacturer,
    /// What the camera is called.
    Model,
    /// The version of its firmware.
    Firmware,
    /// Its serial number.
    Serial,
    /// Where the video is.
    StreamUri,
    /// By how many milliseconds the camera's clock is ahead of this machine's.
    ClockDifference,
    /// Where it looks from left to right.
    Pan,
    /// Where it looks from bottom to top.
    Tilt,
    /// How near it looks.
    Zoom,
    /// How fast `continuousMove` turns it to the right, where the call does not say it.
    PanSpeed,
    /// How fast `continuousMove` turns it upwards, where the call does not say it.
    TiltSpeed,
    /// How fast `continuousMove` zooms in, where the call does not say it.
    ZoomSpeed,
    /// For how many seconds `continuousMove` turns it, where the call does not say it.
    MoveFor,
}

/// How fast the camera is turned, and for how many seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed {
    pub(crate) pan: f64,
    pub(crate) tilt: f64,
    pub(crate) zoom: f64,
    pub(crate) seconds: f64,
}

impl Default for Speed {
    fn default() -> Self {
        Self { pan: 0.0, tilt: 0.0, zoom: 0.0, seconds: 1.0 }
    }
}

impl Speed {
    /// Sets what a property stands for.
    pub(crate) fn set(&mut self, visitor: Visitor, number: f64) -> Result<(), DriverError> {
        match visitor {
            Visitor::PanSpeed => self.pan = number,
            Visitor::TiltSpeed => self.tilt = number,
            Visitor::ZoomSpeed => self.zoom = number,
            // What nobody stops stops by itself.
            Visitor::MoveFor if (0.0..=LONGEST_MOVE).contains(&number) => self.seconds = number,
            Visitor::MoveFor => {
                let bounds = format_args!("found {number}, expected seconds from 0 to {LONGEST_MOVE}").to_string();
                return Err(DriverError::refused(bounds));
            }
            _ => return Err(DriverError::unsupported("this can only be read")),
        }
        Ok(())
    }
}

/// The number in a value; none in what is no number.
pub(crate) fn as_number(value: &Value) -> Option<f64> {
    match *value {
        Value::Double(number) => Some(number),
        Value::Float(number) => Some(f64::from(number)),
        Value::Int(number) => Some(number as f64),
        _ => None,
    }
}
