//! What a read gives.

use std::{fmt, sync::Arc, time::SystemTime};

use super::{DeviceId, Property, Value};

/// A value that a device delivers by itself, from [`Session::changed`](crate::Session::changed).
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub(crate) property: String,
    pub(crate) value: Value,
    pub(crate) timestamp: SystemTime,
    pub(crate) quality: Quality,
}

impl Reading {
    /// A value of the property with this name, taken now.
    pub fn new(property: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { property: property.into(), value: value.into(), timestamp: SystemTime::now(), quality: Quality::Good }
    }

    /// Sets the time at which the device took the value.
    #[must_use]
    pub fn at(mut self, timestamp: SystemTime) -> Self {
        self.timestamp = timestamp;
        self
    }

    /// Sets how far the device itself trusts the value; [`Quality::Good`] by default.
    #[must_use]
    pub fn quality(mut self, quality: Quality) -> Self {
        self.quality = quality;
        self
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
    /// When it was read.
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
