//! What has been written, read back.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::model::{DeviceId, Value};

use super::{Series, SinkError, Target, record::to_millis};

/// What is asked of the history of a device.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use mapper_framework::{model::DeviceId, sink::HistoryRequest};
///
/// let boiler = DeviceId::new("plant", "boiler");
/// let last_hour = HistoryRequest::of(boiler).property("pressure").from(SystemTime::now() - Duration::from_secs(3600)).limit(100);
/// # drop(last_hour);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct HistoryRequest {
    pub(crate) device: DeviceId,
    pub(crate) property: Option<String>,
    pub(crate) from: SystemTime,
    pub(crate) to: SystemTime,
    pub(crate) limit: usize,
    pub(crate) kind: Option<String>,
}

/// How many points are given at most, unless the request says otherwise.
const DEFAULT_LIMIT: usize = 1_000;

/// How many points can be asked for at once.
const MAX_LIMIT: usize = 100_000;

/// The most bytes of an answer, so that the questions that are put at once take 64 MiB at most.
#[allow(dead_code, reason = "which sinks are compiled decides")]
pub(super) const ANSWER_BYTES: usize = 16 << 20;

/// What is left of these bytes after so many more.
///
/// # Errors
///
/// Nothing is left: the answer is too long.
#[allow(dead_code, reason = "which sinks are compiled decides")]
pub(super) fn take(room: usize, bytes: usize) -> Result<usize, SinkError> {
    let too_long = || {
        SinkError::failed(format_args!(
            "the answer is longer than {} MiB, the most that is read: ask for fewer points, or for a shorter time",
            ANSWER_BYTES >> 20
        ))
    };
    room.checked_sub(bytes).ok_or_else(too_long)
}

/// What counts as now for a request without an end: a device's clock may be ahead.
const AHEAD: Duration = Duration::from_secs(24 * 3600);

impl HistoryRequest {
    /// All properties of a device, at any time, at most the newest 1,000 points.
    pub fn of(device: DeviceId) -> Self {
        let to = SystemTime::now() + AHEAD;
        Self { device, property: None, from: UNIX_EPOCH, to, limit: DEFAULT_LIMIT, kind: None }
    }

    /// This property only.
    pub fn property(mut self, property: impl Into<String>) -> Self {
        self.property = Some(property.into());
        self
    }

    /// Nothing older than this; itself included.
    pub fn from(mut self, from: SystemTime) -> Self {
        self.from = from;
        self
    }

    /// Nothing newer than this; itself included. By default a day from now.
    pub fn to(mut self, to: SystemTime) -> Self {
        self.to = to;
        self
    }

    /// At most this many points, the newest of the range. By default 1,000, at most 100,000.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, MAX_LIMIT);
        self
    }

    /// From the sink of this kind, such as `redis`. By default from the first that keeps a history.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }
}

impl HistoryRequest {
    /// Whether a series is among those that are asked for.
    pub(super) fn is_about(&self, series: &Series) -> bool {
        let is = |asked: &Option<String>, own: &str| asked.as_deref().is_none_or(|asked| asked == own);
        is(&self.property, series.property()) && is(&self.kind, series.target().kind())
    }
}

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// There is no such device or property.
    #[error("{0}")]
    NotFound(String),
    /// Nothing that was asked for goes to a sink that keeps a history.
    #[error(
        "of device {0} nothing that was asked for goes to a sink that keeps a history: redis, tdengine, mysql and influxdb2 do"
    )]
    NoHistory(DeviceId),
    /// The sink could not answer.
    #[error("the sink {kind} cannot be asked: {reason}")]
    #[non_exhaustive]
    Failed {
        /// The kind of the sink.
        kind: String,
        /// Why not.
        reason: SinkError,
    },
    /// The mapper stops.
    #[error("the mapper stops")]
    Stopping,
}

/// What a sink is asked for: some series of one device, which all go to the sink's own target, in a range of time.
#[derive(Clone, Debug)]
pub struct Query {
    series: Vec<Arc<Series>>,
    from_ms: i64,
    to_ms: i64,
    limit: usize,
}

impl Query {
    /// Some series of one device on routes to one target, at least one. Both ends are included.
    ///
    /// # Panics
    ///
    /// `series` is empty.
    pub(crate) fn new(series: Vec<Arc<Series>>, from: SystemTime, to: SystemTime, limit: usize) -> Self {
        assert!(!series.is_empty(), "a query is about at least one series");
        Self { series, from_ms: to_millis(from), to_ms: to_millis(to), limit }
    }

    /// The series, at least one, all of one device and each of another property. A value that was stored as text is read by the
    /// type of its series.
    pub fn series(&self) -> &[Arc<Series>] {
        &self.series
    }

    /// The series of a property.
    pub fn series_of(&self, property: &str) -> Option<&Arc<Series>> {
        self.series.iter().find(|series| series.property() == property)
    }

    /// The device.
    pub fn device(&self) -> &DeviceId {
        self.series[0].device()
    }

    /// The target.
    pub fn target(&self) -> &Target {
        self.series[0].target()
    }

    /// The first millisecond of the range, since 1970 UTC.
    pub fn from_ms(&self) -> i64 {
        self.from_ms
    }

    /// The last millisecond of the range, since 1970 UTC.
    pub fn to_ms(&self) -> i64 {
        self.to_ms
    }

    /// How many points are wanted at most: the newest.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

/// One value of the history.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// The property's name.
    pub property: String,
    /// The value, in the property's type.
    pub value: Value,
    /// When it was read, in milliseconds since 1970 UTC.
    pub timestamp_ms: i64,
}

impl Point {
    /// A value of the property at a time.
    pub fn new(property: impl Into<String>, value: Value, timestamp_ms: i64) -> Self {
        Self { property: property.into(), value, timestamp_ms }
    }
}
