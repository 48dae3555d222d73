//! What answers hold. The names of their fields are the API's, which VERSIONING.md promises to keep.
//!
//! Times are RFC 3339 in UTC with milliseconds, and durations numbers of seconds. Values are text as in a twin: a number in plain
//! decimals, bytes as URL-safe base64. What is absent is `null`.

mod device;
mod edgecore;
mod mapper;
mod property;
mod sink;

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::model::NamespacedName;

/// A time as answers have it.
pub(super) use crate::model::rfc3339;

pub(crate) use device::{Counters, Device, Summary};
pub(crate) use edgecore::{Budget, Edgecore, Exceeded};
pub(crate) use mapper::{Mapper, SinkStates, States};
pub(crate) use property::{OrderAnswer, Property};
pub(crate) use sink::Sink;

/// A page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Page<T> {
    /// What the page holds, in the order of the names.
    pub(crate) items: Vec<T>,
    /// What to ask for by `continue` to get the next page; `null` on the last one.
    pub(crate) r#continue: Option<String>,
    /// How many there are on all pages.
    pub(crate) total: usize,
}

/// A whole list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
}

/// A name in its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Name {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl From<&NamespacedName> for Name {
    fn from(name: &NamespacedName) -> Self {
        Self { namespace: name.namespace().to_owned(), name: name.name().to_owned() }
    }
}

/// A time within the process, by the clock of the machine.
pub(super) fn by_clock(instant: Instant) -> SystemTime {
    SystemTime::now() - instant.elapsed()
}

/// A duration as answers have it: to the millisecond.
pub(super) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The age of what has a time; 0 for what is ahead of the clock.
pub(super) fn age(time: SystemTime) -> f64 {
    seconds(time.elapsed().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_with_milliseconds() {
        assert_eq!(
            (seconds(Duration::from_micros(1_500)), age(SystemTime::now() + Duration::from_secs(9))),
            (0.002, 0.0)
        );
    }
}
