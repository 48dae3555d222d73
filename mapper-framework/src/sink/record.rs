//! What a sink gets to write.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::de::DeserializeOwned;

use crate::model::{DataType, Device, DeviceId, ModelId, Property, Quality, Value};

use super::{Route, SinkError, Target};

/// What all records of one property on one route have in common. It holds all that a sink needs, so that a record which comes back
/// from the spool after a restart is written as it would have been before, whatever has become of the device.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub(super) device: DeviceId,
    pub(super) model: ModelId,
    pub(super) property: String,
    pub(super) data_type: DataType,
    pub(super) unit: String,
    pub(super) description: String,
    pub(super) route: Route,
}

impl Series {
    /// The series of a device's property on a route.
    pub(crate) fn new(device: &Device, property: &Property, route: Route) -> Self {
        Self {
            device: device.id().clone(),
            model: device.model().clone(),
            property: property.name().to_owned(),
            data_type: property.data_type(),
            unit: property.unit().to_owned(),
            description: property.description().to_owned(),
            route,
        }
    }

    /// Namespace and name of the device.
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// The device's model.
    pub fn model(&self) -> &ModelId {
        &self.model
    }

    /// The property's name.
    pub fn property(&self) -> &str {
        &self.property
    }

    /// The type of all the values.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// The unit from the device model; empty when it names none.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The description from the device model; empty when it has none.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Where the records go.
    pub fn target(&self) -> &Target {
        self.route.target()
    }

    /// How the records are addressed within the target, in the kind's own type: what it gave to [`Route::with`].
    ///
    /// # Errors
    ///
    /// As for [`Record::route`].
    pub fn route<T: DeserializeOwned>(&self) -> Result<T, SinkError> {
        self.route.detail()
    }
}

/// One value of a property on its way to a sink. Cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    series: Arc<Series>,
    value: Value,
    timestamp_ms: i64,
    quality: Quality,
}

impl Record {
    /// A record of a series. The timestamp is kept in milliseconds.
    pub(crate) fn new(series: Arc<Series>, value: Value, timestamp: SystemTime) -> Self {
        Self { series, value, timestamp_ms: to_millis(timestamp), quality: Quality::Good }
    }

    /// Sets the quality; [`Quality::Good`] by default.
    #[must_use]
    pub fn with_quality(mut self, quality: Quality) -> Self {
        self.quality = quality;
        self
    }

    /// Sets when it was read.
    #[must_use]
    pub(super) fn dated(mut self, timestamp: SystemTime) -> Self {
        self.timestamp_ms = to_millis(timestamp);
        self
    }

    /// What it has in common with the other records of its property.
    pub fn series(&self) -> &Arc<Series> {
        &self.series
    }

    /// Namespace and name of the device.
    pub fn device(&self) -> &DeviceId {
        &self.series.device
    }

    /// The property's name.
    pub fn property(&self) -> &str {
        &self.series.property
    }

    /// The value, in the type of the series.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// When the value was read, in milliseconds since 1970 UTC.
    pub fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms
    }

    /// When the value was read, to the millisecond.
    pub fn timestamp(&self) -> SystemTime {
        from_millis(self.timestamp_ms)
    }

    /// How far the device trusts the value.
    pub fn quality(&self) -> Quality {
        self.quality
    }

    /// How the record is addressed within the target, in the kind's own type: what it gave to [`Route::with`].
    ///
    /// # Errors
    ///
    /// What stands there is not of this type: the spool was written by a version whose routes look different. The record can only be
    /// rejected.
    pub fn route<T: DeserializeOwned>(&self) -> Result<T, SinkError> {
        self.series.route()
    }

    /// About how many bytes the record takes in memory, beside its series.
    pub(super) fn weight(&self) -> usize {
        let value = match &self.value {
            Value::String(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        size_of::<Self>() + value
    }
}

/// The milliseconds from 1970 UTC.
pub(super) fn to_millis(time: SystemTime) -> i64 {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -millis(before.duration()), millis)
}

/// The time of these milliseconds from 1970 UTC.
pub(super) fn from_millis(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let time = if millis < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_go_both_ways_on_both_sides_of_1970() {
        for millis in [0, 1, -1, 1_700_000_000_123, -86_400_000] {
            assert_eq!(to_millis(from_millis(millis)), millis);
        }
    }
}
