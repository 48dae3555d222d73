//! What a user writes in a device's manifest.

use std::{ops::RangeInclusive, path::PathBuf};

use mapper_framework::DriverError;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{fourcc::FourCc, words::words};

/// The longest side of a picture that JPEG has room for.
const LONGEST_SIDE: u32 = 65_535;

/// The most pixels of the test card, which is drawn in memory: those of 8K.
const MOST_PIXELS: u64 = 7680 * 4320;

/// The fewest and the most frames in a second that make sense to ask for. The pause between two is a `Duration`, which has no room for that of
/// far fewer.
pub(crate) const RATES: RangeInclusive<f64> = 0.001..=1000.0;

/// `spec.protocol.configData`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Where the frames come from.
    #[serde(default)]
    pub source: Source,
    /// The camera's file, such as `/dev/video0` or `/dev/v4l/by-id/…`, for the source `v4l2`.
    pub device: Option<PathBuf>,
    /// The camera's serial number, in the place of `device`.
    #[serde(default, deserialize_with = "serial")]
    pub serial: Option<String>,
    /// What ffmpeg reads, as its command line has it, for the source `ffmpeg`.
    pub input: Option<String>,
    /// The folder of `.jpg` files, for the source `folder`.
    pub folder: Option<PathBuf>,
    /// The wanted width in pixels.
    #[serde(default = "width", deserialize_with = "side")]
    pub width: u32,
    /// The wanted height in pixels.
    #[serde(default = "height", deserialize_with = "side")]
    pub height: u32,
    /// The wanted format.
    #[serde(default)]
    pub format: FourCc,
    /// The wanted number of frames in a second.
    #[serde(default = "frame_rate", deserialize_with = "rate")]
    pub frame_rate: f64,
    /// The quality of pictures that are made into JPEG here, from 1 to 100.
    #[serde(default = "quality", deserialize_with = "percent")]
    pub quality: u8,
}

/// Where frames come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A camera of this machine.
    #[default]
    V4l2,
    /// A moving test card.
    Test,
    /// The pictures in a folder, by their names and over and over.
    Folder,
    /// Whatever the program `ffmpeg` reads.
    Ffmpeg,
}

impl Source {
    /// As a manifest has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V4l2 => "v4l2",
            Self::Test => "test",
            Self::Folder => "folder",
            Self::Ffmpeg => "ffmpeg",
        }
    }
}

/// How the source is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// There is nothing to find.
    Nowhere,
    /// By the name of a file or folder.
    File(PathBuf),
    /// By a camera's serial number.
    Serial(String),
}

impl Config {
    /// How the source is found.
    ///
    /// # Errors
    ///
    /// What it takes is missing, or the test card is too large.
    pub(crate) fn place(&self) -> Result<Place, DriverError> {
        let missing = |key, source| {
            DriverError::refused(format_args!("protocol.configData.{key} is missing: `source: {source}` needs it"))
        };
        match self.source {
            Source::Test => {
                let Self { width, height, .. } = *self;
                if u64::from(width) * u64::from(height) > MOST_PIXELS {
                    return Err(DriverError::refused(format_args!(
                        "protocol.configData: a test card of {width}x{height} pixels is too large: take a smaller width or height, so that it has \
                         no more than {MOST_PIXELS} pixels, such as 7680x4320"
                    )));
                }
                Ok(Place::Nowhere)
            }
            Source::V4l2 => match (&self.device, &self.serial) {
                (Some(device), None) => Ok(Place::File(device.clone())),
                (None, Some(serial)) => Ok(Place::Serial(serial.clone())),
                (None, None) => Err(missing("device (or serial)", "v4l2")),
                (Some(_), Some(_)) => {
                    Err(DriverError::refused("protocol.configData has both device and serial: take one of them out"))
                }
            },
            Source::Folder => self.folder.clone().map(Place::File).ok_or_else(|| missing("folder", "folder")),
            Source::Ffmpeg => {
                let input = self.input.as_deref().ok_or_else(|| missing("input", "ffmpeg"))?;
                let wrong = |what| DriverError::refused(format_args!("protocol.configData.input: {what}"));
                let words = words(input).map_err(wrong)?;
                let has_input = words.iter().any(|word| word == "-i");
                if has_input {
                    Ok(Place::Nowhere)
                } else {
                    Err(wrong("it has no -i: name what is to be read".to_owned()))
                }
            }
        }
    }
}

fn width() -> u32 {
    640
}

fn height() -> u32 {
    480
}

fn frame_rate() -> f64 {
    30.0
}

fn quality() -> u8 {
    80
}

/// As a manifest has it. A number is rounded on its way through edgecore, and leading zeros are lost.
#[derive(Deserialize)]
#[serde(untagged)]
enum Serial {
    Text(String),
    Number(f64),
}

fn serial<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::<Serial>::deserialize(deserializer)? {
        Some(Serial::Number(number)) => Err(D::Error::custom(format_args!(
            "found the number {number}, which edgecore may have rounded: write the serial number in quotes"
        ))),
        Some(Serial::Text(text)) => Ok(Some(text.trim().to_owned())),
        None => Ok(None),
    }
}

fn side<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let side = f64::deserialize(deserializer)?;
    if side.fract() == 0.0 && (2.0..=f64::from(LONGEST_SIDE)).contains(&side) {
        return Ok(side as u32);
    }
    Err(D::Error::custom(format_args!("found {side}, expected a whole number of pixels from 2 to {LONGEST_SIDE}")))
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let rate = f64::deserialize(deserializer)?;
    if RATES.contains(&rate) {
        return Ok(rate);
    }
    let (least, most) = (RATES.start(), RATES.end());
    Err(D::Error::custom(format_args!("found {rate}, expected frames in a second, from {least} to {most}")))
}

fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let quality = f64::deserialize(deserializer)?;
    if quality.fract() == 0.0 && (1.0..=100.0).contains(&quality) {
        return Ok(quality as u8);
    }
    Err(D::Error::custom(format_args!("found {quality}, expected a whole number from 1 to 100")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_outside_of_what_a_camera_can_have_are_named() {
        for (config, message) in [
            (json!({"width": 0}), "found 0, expected a whole number of pixels from 2 to 65535"),
            (json!({"height": 70000}), "found 70000, expected a whole number of pixels"),
            (json!({"frameRate": 0}), "found 0, expected frames in a second, from 0.001 to 1000"),
            (json!({"frameRate": 1e-30}), "expected frames in a second, from 0.001 to 1000"),
            (json!({"frameRate": 1001}), "expected frames in a second, from 0.001 to 1000"),
            (json!({"quality": 101}), "found 101, expected a whole number from 1 to 100"),
            (json!({"serial": 200_901_010_001_u64}), "write the serial number in quotes"),
            (json!({"source": "usb"}), "expected one of `v4l2`, `test`, `folder`, `ffmpeg`"),
        ] {
            let error = serde_json::from_value::<Config>(config).expect_err(message).to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn what_a_source_needs_is_named() {
        let place = |config| serde_json::from_value::<Config>(config).expect("it can be read").place();
        let error = place(json!({})).expect_err("no device").to_string();
        assert_eq!(error, "protocol.configData.device (or serial) is missing: `source: v4l2` needs it");
        let both =
            place(json!({"device": "/dev/video0", "serial": "A"})).expect_err("it is one or the other").to_string();
        assert!(both.ends_with("has both device and serial: take one of them out"), "{both}");
        assert!(place(json!({"serial": " 0042 "})).is_ok_and(|place| place == Place::Serial("0042".to_owned())));
        for (input, wrong) in [("-i 'a", "a ' is opened and not closed"), ("rtsp://a", "it has no -i")] {
            let error = place(json!({"source": "ffmpeg", "input": input})).expect_err(wrong).to_string();
            assert!(error.contains("configData.input: ") && error.contains(wrong), "{error}");
        }
        assert!(place(json!({"source": "folder"})).is_err_and(|error| error.to_string().contains("configData.folder")));
        assert!(place(json!({"source": "test"})).is_ok_and(|place| place == Place::Nowhere));
        assert!(place(json!({"source": "test", "width": 7680, "height": 4320})).is_ok());
        let error = place(json!({"source": "test", "width": 65535, "height": 65535})).expect_err("it takes gigabytes");
        assert!(
            error.to_string().contains("a test card of 65535x65535 pixels is too large: take a smaller"),
            "{error}"
        );
        // A camera has the sizes that it has.
        assert!(place(json!({"device": "/dev/video0", "width": 65535, "height": 65535})).is_ok());
        // Floats, as edgecore sends all numbers.
        assert!(place(json!({"device": "/dev/video0", "width": 1280.0, "quality": 90.0})).is_ok());
    }
}
