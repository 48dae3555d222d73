//! A camera's clock by ONVIF: tokens are good for seconds only by this clock, and many cameras have no right time.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime},
};

use mapper_framework::DriverError;
use url::Url;

use super::{
    soap::{ask, content},
    xml::Element,
};
use crate::{clock::ahead, http::Http, login::shown};

/// By how many milliseconds two measures of an unchanged clock may differ: the camera says whole seconds, and its answer takes a while.
const INEXACT: u64 = 2_000;

/// By how many milliseconds the camera's clock is ahead, as it was measured last.
#[derive(Debug)]
pub(super) struct DeviceClock(AtomicI64);

impl DeviceClock {
    /// Asks the camera for its time.
    pub(super) async fn measure(http: &Http, device: &Url) -> Result<Self, DriverError> {
        Ok(Self(AtomicI64::new(ahead_now(http, device).await?)))
    }

    /// The camera's time.
    pub(super) fn now(&self) -> SystemTime {
        let (host, ahead) = (SystemTime::now(), self.0.load(Ordering::Relaxed));
        let shift = Duration::from_millis(ahead.unsigned_abs());
        let camera = if ahead < 0 { host.checked_sub(shift) } else { host.checked_add(shift) };
        camera.unwrap_or(host)
    }

    /// Asks the camera again, and returns whether its clock or this machine's was set since the last measure.
    pub(super) async fn was_set(&self, http: &Http, device: &Url) -> Result<bool, DriverError> {
        let now = ahead_now(http, device).await?;
        Ok(self.0.swap(now, Ordering::Relaxed).abs_diff(now) >= INEXACT)
    }
}

/// By how many milliseconds a camera's clock is ahead. Needs no login.
pub(super) async fn ahead_now(http: &Http, device: &Url) -> Result<i64, DriverError> {
    let sent = SystemTime::now();
    let answer = ask(http, device, "<tds:GetSystemDateAndTime/>", None).await?;
    let now = SystemTime::now();
    let between = now.duration_since(sent).map_or(now, |took| sent + took / 2);
    let utc = content(&answer).and_then(|it| it.at(&["SystemDateAndTime", "UTCDateTime"]));
    let unknown = || {
        let device = shown(device);
        DriverError::failed(format_args!("{device}: its answer to GetSystemDateAndTime has no time in UTC"))
    };
    Ok(ahead(utc.and_then(time).ok_or_else(unknown)?, between))
}

/// A time in parts, in the middle of its second.
fn time(utc: &Element) -> Option<SystemTime> {
    let part = |kind, name| utc.text(&[kind, name])?.parse::<u16>().ok();
    let (year, month, day) = (part("Date", "Year")?, part("Date", "Month")?, part("Date", "Day")?);
    let (hour, minute, second) = (part("Time", "Hour")?, part("Time", "Minute")?, part("Time", "Second")?);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.5Z");
    humantime::parse_rfc3339(&text).ok()
}
