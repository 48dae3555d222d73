//! A device.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    runtime::{DeviceSummary, Inspection},
    telemetry::stats::DeviceStats,
};

use super::{Name, rfc3339, seconds};

/// Counters by their names, such as `reads.samples`. They begin at 0 when a device is added.
pub(crate) type Counters = BTreeMap<String, u64>;

/// A device in one line.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) model: Name,
    pub(crate) protocol: String,
    /// `ok`, `online`, `offline`, `disconnected`, `unhealthy` or `unknown`.
    pub(crate) state: String,
    /// Why it is in this state, where there is something to say.
    pub(crate) reason: Option<String>,
    /// Since when it is in this state; `null` while its model is not known.
    pub(crate) since: Option<String>,
    /// The time of the last value of any property.
    pub(crate) last_sample: Option<String>,
    /// How many properties it has.
    pub(crate) properties: usize,
    /// How many of them could not be read the last time.
    pub(crate) failing: usize,
    /// How often a session was opened.
    pub(crate) connects: u64,
    /// How much is wrong with its manifest.
    pub(crate) problems: usize,
}

/// A device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    #[serde(flatten)]
    pub(crate) summary: Summary,
    pub(crate) methods: Vec<Method>,
    /// Whether it has a stream: `snapshot.jpg` and `stream.mjpeg` below this path show it.
    #[serde(default)]
    pub(crate) stream: bool,
    /// What is wrong with its manifest or its model, and left out.
    pub(crate) manifest_problems: Vec<String>,
    /// What works, and is probably not what was meant.
    pub(crate) doubts: Vec<String>,
    /// How often its state is reported to edgecore; `null` where the manifest asks for no reports.
    pub(crate) state_report_seconds: Option<f64>,
    pub(crate) counters: Counters,
}

/// A method of a device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) description: String,
    /// The properties that it can be called on.
    pub(crate) arguments: Vec<String>,
}

impl Summary {
    pub(in crate::http) fn of(summary: DeviceSummary, connects: u64) -> Self {
        Self {
            namespace: summary.id.namespace().to_owned(),
            name: summary.id.name().to_owned(),
            model: Name::from(&summary.model),
            protocol: summary.protocol,
            state: summary.state.as_str().to_owned(),
            reason: summary.reason,
            since: summary.since.map(rfc3339),
            last_sample: summary.last_sample.map(rfc3339),
            properties: summary.properties,
            failing: summary.failing,
            connects,
            problems: summary.problems,
        }
    }
}

impl Device {
    pub(in crate::http) fn of(inspection: Inspection, stats: Option<&DeviceStats>) -> Self {
        let method = |method: &crate::model::Method| Method {
            name: method.name.clone(),
            description: method.description.clone(),
            arguments: method.property_names.clone(),
        };
        let device = inspection.device.as_deref();
        let problems = inspection.lost.iter().chain(&inspection.problems);
        Self {
            methods: device.map(|device| device.methods().iter().map(method).collect()).unwrap_or_default(),
            stream: device.is_some_and(crate::model::Device::has_stream),
            manifest_problems: problems.map(ToString::to_string).collect(),
            doubts: inspection.doubts.iter().map(ToString::to_string).collect(),
            state_report_seconds: device
                .and_then(crate::model::Device::state_report)
                .map(|report| seconds(report.cycle)),
            counters: stats.map(counters).unwrap_or_default(),
            summary: Summary::of(inspection.summary, stats.map_or(0, |stats| stats.sessions().opened())),
        }
    }
}

/// All counters of a device.
pub(in crate::http) fn counters(stats: &DeviceStats) -> Counters {
    stats.counters().map(|(name, count)| (name.to_owned(), count)).collect()
}
