//! What a driver and its device have agreed on.

use std::{fmt, time::Duration};

/// The shortest time without a frame after which a stream is stalled, unless the manifest says otherwise.
const LEAST_STALL: Duration = Duration::from_secs(5);

/// The longest, so that a camera which takes a picture a day may say so.
const LONGEST_STALL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// After how many intervals without a frame a stream is stalled, unless the manifest says otherwise.
const INTERVALS: f64 = 10.0;

/// The format of a stream, as the device has granted it. It may be another one than was asked for. Its text has no blank, which edgecore
/// would drop.
///
/// ```
/// use mapper_framework::Format;
///
/// let format = Format::new("MJPG", 1280, 720).frames_per_second(30.0);
/// assert_eq!(format.to_string(), "MJPG/1280x720");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    name: String,
    width: u32,
    height: u32,
    frames_per_second: Option<f64>,
}

impl Format {
    /// A format by its name, such as `MJPG`, and its size in pixels.
    pub fn new(name: impl Into<String>, width: u32, height: u32) -> Self {
        Self { name: name.into(), width, height, frames_per_second: None }
    }

    /// Sets how many frames come in a second; unknown by default, and for a number that is not above zero.
    #[must_use]
    pub fn frames_per_second(mut self, rate: f64) -> Self {
        self.frames_per_second = (rate.is_finite() && rate > 0.0).then_some(rate);
        self
    }

    /// The name, such as `MJPG`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// How many frames come in a second, where it is known.
    pub fn get_frames_per_second(&self) -> Option<f64> {
        self.frames_per_second
    }

    /// After which time without a frame a stream of this format is stalled: ten intervals, and no less than five seconds.
    pub(crate) fn stall(granted: Option<&Self>) -> Duration {
        let interval = granted.and_then(|format| format.frames_per_second).map(|rate| INTERVALS / rate);
        let intervals = interval.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        intervals.unwrap_or_default().clamp(LEAST_STALL, LONGEST_STALL)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}x{}", self.name, self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_stalled_after_ten_intervals_and_no_less_than_five_seconds() {
        let stall = |rate| Format::stall(Some(&Format::new("MJPG", 1, 1).frames_per_second(rate)));
        assert_eq!([30.0, 0.5, 1e-300, f64::NAN, -1.0].map(|rate| stall(rate).as_secs()), [5, 20, 5, 5, 5]);
        assert_eq!(stall(1e-18), LONGEST_STALL);
        assert_eq!(Format::stall(None), LEAST_STALL);
    }
}
