//! What a read gives.

use std::{fmt, sync::Arc, time::SystemTime};

use super::{DeviceId, Property, Value};

/// What a read of one property gives: a value, and, where the device knows them, when it was taken and how far it can be trusted.
///
/// Whatever turns into a [`Value`] turns into a reading, so a driver without either writes `Ok(21.5.into())`.
///
/// ```
/// use mapper_framework::{Reading, model::Quality};
///
/// let plain: Reading = 21.5.into();
/// assert_eq!((plain.get_time(), plain.get_quality()), (None, Quality::Good));
/// let taken = std::time::SystemTime::now();
/// let full = Reading::new(21.5).at(taken).quality(Quality::Uncertain);
/// assert_eq!((full.get_time(), full.get_quality()), (Some(taken), Quality::Uncertain));
/// ```
///
/// As in [`std::process::Command`], the plain names set and those with `get_` return.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    value: Value,
    time: Option<SystemTime>,
    quality: Quality,
}

impl Reading {
    /// A value that the device trusts, without a time of the device's own.
    pub fn new(value: impl Into<Value>) -> Self {
        Self { value: value.into(), time: None, quality: Quality::Good }
    }

    /// Sets the time at which the device took the value. Without it, it is the time at which the framework got it.
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.time = Some(time);
        self
    }

    /// Sets how far the device itself trusts the value; [`Quality::Good`] by default. A [`Bad`](Quality::Bad) one is published
    /// like any other, but does not confirm a desired value.
    #[must_use]
    pub fn quality(mut self, quality: Quality) -> Self {
        self.quality = quality;
        self
    }

    /// The value, as the driver gave it.
    pub fn get_value(&self) -> &Value {
        &self.value
    }

    /// The value, as the driver gave it.
    pub fn into_value(self) -> Value {
        self.value
    }

    /// The time at which the device took the value; `None` if it does not say.
    pub fn get_time(&self) -> Option<SystemTime> {
        self.time
    }

    /// How far the device trusts the value.
    pub fn get_quality(&self) -> Quality {
        self.quality
    }

    /// The same reading, taken at this time if the device does not say when.
    pub(crate) fn taken_by(mut self, now: impl FnOnce() -> SystemTime) -> Self {
        self.time.get_or_insert_with(now);
        self
    }
}

impl<V: Into<Value>> From<V> for Reading {
    fn from(value: V) -> Self {
        Self::new(value)
    }
}

/// One value of one property of one device at one time. Every consumer gets the same sample.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// The device it was read from.
    pub device: DeviceId,
    /// The property that was read.
    pub property: Arc<Property>,
    /// The value, in the property's data type.
    pub value: Value,
    /// When the device took it, or when it was read where the device does not say.
    pub timestamp: SystemTime,
    /// How far the device trusts it.
    pub quality: Quality,
}

/// How far a device trusts a value, in the words of OPC UA. A value that could not be read at all makes no sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quality {
    /// The value can be relied on.
    #[default]
    Good,
    /// The value may be wrong: a sensor out of calibration, a substitute for what could not be measured.
    Uncertain,
    /// The value is wrong, and known to be.
    Bad,
}

impl Quality {
    /// The word for it, as it leaves the mapper.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::Bad => "bad",
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
