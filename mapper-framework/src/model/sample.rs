//! What a read gives.

use std::{sync::Arc, time::SystemTime};

use super::{DeviceId, Property, Value};

/// A value that a device delivers by itself, from [`Session::changed`](crate::Session::changed).
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub(crate) property: String,
    pub(crate) value: Value,
    pub(crate) timestamp: SystemTime,
}

impl Reading {
    /// A value of the property with this name, taken now.
    pub fn new(property: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { property: property.into(), value: value.into(), timestamp: SystemTime::now() }
    }

    /// Sets the time at which the device took the value.
    #[must_use]
    pub fn at(mut self, timestamp: SystemTime) -> Self {
        self.timestamp = timestamp;
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
}
