//! What a user writes in a device's manifest.

use std::{fmt, time::Duration};

use mapper_framework::DriverError;
use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

/// `spec.protocol.configData`, beside `credentials`, which is the framework's.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Where the video is, such as `rtsp://192.0.2.7/stream1`, or a JPEG, `http://192.0.2.7/snapshot.jpg`. Without a password.
    #[serde(default, deserialize_with = "video")]
    pub(crate) url: Option<Url>,
    /// The camera's device service, such as `http://192.0.2.7/onvif/device_service`. Without a password.
    #[serde(default, deserialize_with = "service")]
    pub(crate) onvif: Option<Url>,
    /// Name or token of the profile to take; by default the first one.
    pub(crate) profile: Option<String>,
    /// What is taken of the profile where there is no `url`.
    #[serde(default)]
    pub(crate) source: Source,
    /// What of H.264 and H.265 becomes JPEG.
    #[serde(default)]
    pub(crate) decode: Decode,
    /// How many snapshots are fetched in a second.
    #[serde(default = "frame_rate", deserialize_with = "rate")]
    frame_rate: f64,
    /// By what the video comes.
    #[serde(default)]
    pub(crate) transport: Transport,
    /// How long each answer of the camera is waited for, in milliseconds.
    #[serde(default = "timeout", deserialize_with = "millis")]
    pub(crate) timeout: Duration,
}

/// What is taken of a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// The video.
    #[default]
    Rtsp,
    /// One snapshot after the other.
    Snapshot,
}

/// What of H.264 and H.265 becomes JPEG.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Decode {
    /// Nothing: frames are as the camera sends them.
    #[default]
    Nothing,
    /// The key frames, by a child `ffmpeg`. The others are left out.
    KeyFrames,
}

/// By what the video comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// On the connection of RTSP, which loses nothing.
    #[default]
    Tcp,
    /// In datagrams, for cameras that have nothing else.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl Config {
    /// The error of a manifest without an address.
    pub(crate) fn nowhere() -> DriverError {
        let (url, onvif) = ("rtsp://192.0.2.7/stream1", "http://192.0.2.7/onvif/device_service");
        DriverError::refused(format_args!(
            "protocol.configData has neither url nor onvif: write where the video is, such as `url: {url}`, or the camera's device \
             service, such as `onvif: {onvif}`"
        ))
    }

    /// How long the answers of one call are waited for at most. To connect by ONVIF takes five: the clock, the services, the profiles, the
    /// address, and what is there. To begin with a video takes three, and a picture is one.
    pub(crate) fn longest(&self) -> Duration {
        let is_picture = self.url.as_ref().is_some_and(|url| url.scheme().starts_with("http"));
        self.timeout
            * if self.onvif.is_some() {
                5
            } else if is_picture {
                1
            } else {
                3
            }
    }

    /// How long it is from one snapshot to the next.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.frame_rate)
    }
}

fn timeout() -> Duration {
    Duration::from_secs(2)
}

/// edgecore sends all numbers as floats.
fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let millis = f64::deserialize(deserializer)?;
    if (100.0..=60_000.0).contains(&millis) {
        return Ok(Duration::from_millis(millis as u64));
    }
    Err(D::Error::custom(format_args!("found {millis}, expected milliseconds from 100 to 60000")))
}

fn frame_rate() -> f64 {
    1.0
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let rate = f64::deserialize(deserializer)?;
    if (0.001..=30.0).contains(&rate) {
        return Ok(rate);
    }
    Err(D::Error::custom(format_args!("found {rate}, expected snapshots in a second, from 0.001 to 30")))
}

fn video<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    address(deserializer, &["rtsp", "http"], "rtsp://192.0.2.7/stream1")
}

fn service<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    address(deserializer, &["http"], "http://192.0.2.7/onvif/device_service")
}

/// An address of one of these schemes. Its text is in no error, for there may be a password in it.
fn address<'de, D: Deserializer<'de>>(
    deserializer: D,
    schemes: &[&str],
    example: &str,
) -> Result<Option<Url>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let url = Url::parse(&text).map_err(|error| D::Error::custom(format_args!("{error}: expected {example}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        let cure = "take them out, and name a folder in driver.credentials by `credentials`";
        return Err(D::Error::custom(format_args!("it has a user name or a password in it: {cure}")));
    }
    if !schemes.contains(&url.scheme()) || url.host().is_none() {
        let found = url.scheme();
        return Err(D::Error::custom(format_args!("found an address of {found:?}, expected one such as {example}")));
    }
    Ok(Some(url))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_named_and_a_password_is_not_shown() {
        for (config, message) in [
            (json!({"url": "rtsp://operator:hunter2@192.0.2.7/"}), "a user name or a password in it: take them out"),
            (json!({"url": "rtsps://192.0.2.7/"}), r#"found an address of "rtsps", expected one such as rtsp://"#),
            (json!({"onvif": "https://192.0.2.7/"}), r#"found an address of "https", expected one such as http://"#),
            (json!({"onvif": "http://operator@192.0.2.7/"}), "a user name or a password in it: take them out"),
            (json!({"decode": "all"}), "expected `nothing` or `keyFrames`"),
            (json!({"source": "mjpeg"}), "expected `rtsp` or `snapshot`"),
            (json!({"frameRate": 0}), "found 0, expected snapshots in a second, from 0.001 to 30"),
            (json!({"url": "192.0.2.7/hunter2"}), "expected rtsp://192.0.2.7/stream1"),
            (json!({"url": "rtsp:///stream"}), "expected"),
            (json!({"transport": "tls"}), "expected `tcp` or `udp`"),
            (json!({"timeout": 0}), "found 0, expected milliseconds from 100 to 60000"),
        ] {
            let error = serde_json::from_value::<Config>(config).expect_err(message).to_string();
            assert!(error.contains(message) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_edgecore_sends_is_read() {
        let config = json!({"url": "rtsp://192.0.2.7:8554/a?b=c", "transport": "udp", "timeout": 2000.0});
        let config: Config = serde_json::from_value(config).expect("it can be read");
        assert_eq!(config.url.as_ref().map(Url::as_str), Some("rtsp://192.0.2.7:8554/a?b=c"));
        assert_eq!((config.transport, config.timeout), (Transport::Udp, Duration::from_secs(2)));
        let often: Config = serde_json::from_value(json!({"frameRate": 4.0})).expect("it can be read");
        assert_eq!(often.interval(), Duration::from_millis(250));
    }
}
