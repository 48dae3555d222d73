//! A property, and what an order to it comes to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    model::{AccessMode, DataType, ReportRules, Sample, Strategy as Rule, Value},
    runtime::{Answer, InspectedProperty},
    telemetry::stats::PropertyStats,
    watch::Trace,
};

use super::{Counters, age, rfc3339, seconds};

/// A property.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) description: String,
    /// `INT`, `FLOAT`, `DOUBLE`, `STRING`, `BOOLEAN`, `BYTES` or `STREAM`.
    pub(crate) r#type: String,
    pub(crate) unit: String,
    /// `ReadOnly` or `ReadWrite`.
    pub(crate) access_mode: String,
    /// The least value that may be written.
    pub(crate) minimum: Option<String>,
    /// The greatest value that may be written.
    pub(crate) maximum: Option<String>,
    /// The last value; `null` if there was none yet.
    pub(crate) value: Option<String>,
    /// `good`, `uncertain` or `bad`.
    pub(crate) quality: Option<String>,
    /// The time of the value.
    pub(crate) time: Option<String>,
    pub(crate) age_seconds: Option<f64>,
    /// Why it cannot be read at present.
    pub(crate) error: Option<Failure>,
    pub(crate) collect_cycle_seconds: f64,
    pub(crate) report_cycle_seconds: f64,
    /// In how many seconds it is read by the clock; `null` while there is no session, and where it is not polled.
    pub(crate) next_read_seconds: Option<f64>,
    /// Whether it has a twin.
    pub(crate) report_to_cloud: bool,
    pub(crate) desired: Option<Desired>,
    /// Which samples its twin gets.
    pub(crate) strategy: Strategy,
    /// The targets of its samples.
    pub(crate) sinks: Vec<String>,
    /// Its twin; `null` where it has none, or nothing was reported yet.
    pub(crate) twin: Option<Twin>,
    pub(crate) counters: Counters,
}

/// Why a property cannot be read.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Failure {
    pub(crate) message: String,
    /// Since when.
    pub(crate) since: String,
}

/// A desired value.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Desired {
    pub(crate) value: String,
    /// `pending`, `written`, `converged`, `refused`, `expired` or `held`.
    pub(crate) phase: String,
    /// Why, unless the device has it.
    pub(crate) reason: Option<String>,
}

/// Which samples a twin gets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Strategy {
    /// `always` or `onChange`.
    pub(crate) twin: String,
    pub(crate) deadband: f64,
    pub(crate) deadband_percent: f64,
    pub(crate) min_interval_seconds: f64,
    /// After which time a value is reported though nothing has changed; `null` is never.
    pub(crate) max_silence_seconds: Option<f64>,
}

/// A twin as edgecore has it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Twin {
    /// The last value that edgecore has accepted.
    pub(crate) value: Option<String>,
    /// When it has.
    pub(crate) time: Option<String>,
    /// Why the last value was held back.
    pub(crate) held_back: Option<String>,
}

/// What a property was read to have.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Read {
    pub(crate) property: String,
    pub(crate) value: String,
    pub(crate) r#type: String,
    pub(crate) quality: String,
    pub(crate) time: String,
}

/// A result of a method.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Result {
    pub(crate) value: String,
    pub(crate) r#type: String,
}

/// What came of an order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderAnswer {
    /// The results of a method; a write has none.
    pub(crate) results: Vec<Result>,
    /// What the properties of the order were read to have after it. One that could not be read is left out.
    pub(crate) read_back: Vec<Read>,
}

impl Property {
    pub(in crate::http) fn of(
        inspected: &InspectedProperty,
        trace: Option<&Trace>,
        stats: Option<PropertyStats>,
    ) -> Self {
        let InspectedProperty { property, sample, failure, desired, next_read, twin, targets } = inspected;
        let now = tokio::time::Instant::now();
        Self {
            name: property.name().to_owned(),
            description: property.description().to_owned(),
            r#type: property.data_type().as_str().to_owned(),
            unit: property.unit().to_owned(),
            access_mode: match property.access_mode() {
                AccessMode::ReadOnly => "ReadOnly".to_owned(),
                AccessMode::ReadWrite => "ReadWrite".to_owned(),
            },
            minimum: property.minimum().map(Value::to_string),
            maximum: property.maximum().map(Value::to_string),
            value: sample.as_ref().map(|sample| sample.value.to_string()),
            quality: sample.as_ref().map(|sample| sample.quality.as_str().to_owned()),
            time: sample.as_ref().map(|sample| rfc3339(sample.timestamp)),
            age_seconds: sample.as_ref().map(|sample| age(sample.timestamp)),
            error: failure
                .as_ref()
                .map(|failure| Failure { message: failure.reason.clone(), since: rfc3339(failure.since) }),
            collect_cycle_seconds: seconds(property.collect_cycle()),
            report_cycle_seconds: seconds(property.report_cycle()),
            next_read_seconds: next_read.map(|next| seconds(next.saturating_duration_since(now))),
            report_to_cloud: property.report_to_cloud(),
            desired: desired.as_ref().map(|it| Desired {
                value: it.desired.clone(),
                phase: it.phase.as_str().to_owned(),
                reason: it.reason.clone(),
            }),
            strategy: Strategy::of(twin),
            sinks: targets.clone(),
            twin: trace.filter(|_| property.report_to_cloud()).map(|trace| Twin {
                value: trace.stored.as_ref().map(|(value, _)| value.clone()),
                time: trace.stored.as_ref().map(|(_, time)| rfc3339(*time)),
                held_back: trace.held_back.as_ref().map(|(reason, _)| reason.clone()),
            }),
            counters: stats.iter().flat_map(PropertyStats::counters).map(|(name, it)| (name.to_owned(), it)).collect(),
        }
    }
}

impl Strategy {
    fn of(rules: &ReportRules) -> Self {
        Self {
            twin: match rules.strategy {
                Rule::Always => "always".to_owned(),
                Rule::OnChange | Rule::SwingingDoor => "onChange".to_owned(),
            },
            deadband: rules.deadband,
            deadband_percent: rules.deadband_percent,
            min_interval_seconds: seconds(rules.min_interval),
            max_silence_seconds: rules.max_silence.map(seconds),
        }
    }
}

/// The type that a value has by itself.
fn type_of(value: &Value) -> DataType {
    match value {
        Value::Int(_) => DataType::Int,
        Value::Float(_) => DataType::Float,
        Value::Double(_) => DataType::Double,
        Value::String(_) => DataType::String,
        Value::Boolean(_) => DataType::Boolean,
        Value::Bytes(_) => DataType::Bytes,
    }
}

impl From<&Sample> for Read {
    fn from(sample: &Sample) -> Self {
        Self {
            property: sample.property.name().to_owned(),
            value: sample.value.to_string(),
            r#type: sample.property.data_type().as_str().to_owned(),
            quality: sample.quality.as_str().to_owned(),
            time: rfc3339(sample.timestamp),
        }
    }
}

impl From<&Answer> for OrderAnswer {
    fn from(answer: &Answer) -> Self {
        let result = |value: &Value| Result { value: value.to_string(), r#type: type_of(value).as_str().to_owned() };
        Self {
            results: answer.results().iter().map(result).collect(),
            read_back: answer.read_back().iter().map(Read::from).collect(),
        }
    }
}
