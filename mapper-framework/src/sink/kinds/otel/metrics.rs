//! Records as OTLP metrics. OTLP is protobuf, so that this file knows protobuf where no other sink does.

use std::{collections::HashMap, sync::Arc};

pub(super) use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point},
};
use prost::Message;

use crate::model::Value;

use super::{
    super::super::{Outcome, Record, RouteError, Series},
    ucum,
};

/// What the metrics say of where they come from: the service's name, and one `key=value` on each line of the text.
///
/// # Errors
///
/// A line is none.
pub(super) fn resource(service_name: &str, text: &str) -> Result<Resource, RouteError> {
    let mut attributes = vec![attribute("service.name", service_name)];
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let pair = line.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
        let Some((key, value)) = pair.filter(|(key, _)| !key.is_empty() && !key.contains(char::is_whitespace)) else {
            let message = format_args!("line {number} is no attribute");
            return Err(RouteError::new("sinks.otel.resource_attributes", message).with_cure("write `key=value`"));
        };
        if key == "service.name" {
            let message = format_args!("line {number} names the service");
            return Err(RouteError::new("sinks.otel.resource_attributes", message)
                .with_cure("write it into sinks.otel.service_name"));
        }
        attributes.push(attribute(key, value));
    }
    Ok(Resource { attributes, ..Resource::default() })
}

/// The request for a batch, and what has become of the records if the request is taken.
pub(super) fn encode(resource: &Resource, batch: &[Record]) -> (Vec<u8>, Vec<Outcome>) {
    let mut metrics = Metrics::default();
    let outcomes = batch.iter().map(|record| match point(record) {
        Ok(point) => {
            metrics.add(record.series(), point);
            Outcome::Accepted
        }
        Err(reason) => Outcome::rejected(reason),
    });
    let outcomes = outcomes.collect();
    (request(resource, metrics.all).encode_to_vec(), outcomes)
}

fn request(resource: &Resource, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope = InstrumentationScope {
        name: "mapper-framework".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() }];
    let resource_metrics =
        vec![ResourceMetrics { resource: Some(resource.clone()), scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }
}

/// The metrics of a batch, in the order in which they came up.
#[derive(Default)]
struct Metrics {
    all: Vec<Metric>,
    /// Where in `all` the metric of this name, unit and description is.
    places: HashMap<(String, String, String), usize>,
}

impl Metrics {
    fn add(&mut self, series: &Arc<Series>, point: NumberDataPoint) {
        let (name, unit, description) =
            (metric_name(series.property()), ucum::code(series.unit()).to_owned(), series.description().to_owned());
        let place = *self.places.entry((name.clone(), unit.clone(), description.clone())).or_insert_with(|| {
            let data = Some(metric::Data::Gauge(Gauge::default()));
            self.all.push(Metric { name, unit, description, data, ..Metric::default() });
            self.all.len() - 1
        });
        if let Some(metric::Data::Gauge(gauge)) = &mut self.all[place].data {
            gauge.data_points.push(point);
        }
    }
}

/// The point of a record, or why there is none.
fn point(record: &Record) -> Result<NumberDataPoint, &'static str> {
    let value = match record.value() {
        Value::Int(int) => number_data_point::Value::AsInt(*int),
        Value::Boolean(boolean) => number_data_point::Value::AsInt((*boolean).into()),
        // A FLOAT with its own decimals: 20.67, and not 20.670000076293945.
        Value::Float(_) | Value::Double(_) => {
            number_data_point::Value::AsDouble(record.value().decimal().unwrap_or(f64::NAN))
        }
        Value::String(_) | Value::Bytes(_) => {
            return Err("a gauge of OpenTelemetry holds a number, and the value is text or bytes");
        }
    };
    let millis = u64::try_from(record.timestamp_ms()).map_err(|_| "it was read before 1970, which OTLP cannot say")?;
    Ok(NumberDataPoint {
        attributes: attributes(record),
        time_unix_nano: millis.saturating_mul(1_000_000),
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

fn attributes(record: &Record) -> Vec<KeyValue> {
    let (device, series) = (record.device(), record.series());
    vec![
        attribute("namespace", device.namespace()),
        attribute("device", device.name()),
        attribute("model", series.model().name()),
        attribute("property", record.property()),
        attribute("quality", record.quality().as_str()),
    ]
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// A name that OpenTelemetry allows: letters, digits and `_.-/`, with a letter at its beginning.
fn metric_name(property: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_.-/".contains(c) { c } else { '_' };
    let name: String = property.chars().map(allowed).collect();
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) { name } else { format!("property_{name}") }
}

/// How many points a collector has not taken, and what it says of it.
pub(super) struct PartialSuccess {
    pub(super) rejected: i64,
    pub(super) message: String,
}

/// What a collector says beside success, if anything.
pub(super) fn decode_partial_success(answer: &[u8]) -> Option<PartialSuccess> {
    let partial = ExportMetricsServiceResponse::decode(answer).ok()?.partial_success?;
    let says_something = partial.rejected_data_points > 0 || !partial.error_message.is_empty();
    says_something.then_some(PartialSuccess { rejected: partial.rejected_data_points, message: partial.error_message })
}

#[cfg(test)]
pub(super) fn encode_partial_success(rejected: i64, message: &str) -> Vec<u8> {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess;

    let partial = ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message: message.to_owned() };
    ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use crate::{
        model::{DataType, Device, Property, Quality},
        sink::{Route, Target, record::from_millis},
    };

    use super::*;

    #[test]
    fn more_attributes_stand_one_on_each_line() {
        let made = resource("boiler", "k8s.node.name = edge-7\n\nplant=north=2\n").unwrap();
        let keys: Vec<_> = made.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["service.name", "k8s.node.name", "plant"]);
        assert_eq!(made.attributes[2], attribute("plant", "north=2"));
        for (text, part) in
            [("a=b\nnone", "line 2"), ("=x", "key=value"), ("service.name=x", "sinks.otel.service_name")]
        {
            let error = resource("boiler", text).unwrap_err().to_string();
            assert!(error.starts_with("sinks.otel.resource_attributes: ") && error.contains(part), "{error}");
        }
    }

    fn record(device: &str, property: &str, value: impl Into<Value>, timestamp_ms: i64) -> Record {
        let property = Property::builder(property, DataType::Double).unit("bar").description("in the pipe").build();
        let route = Route::to(Target::new("otel", &"here"));
        let series = Series::new(&Device::builder(device).build(), &property, route);
        Record::new(Arc::new(series), value.into(), from_millis(timestamp_ms))
    }

    #[test]
    fn a_batch_looks_as_it_did() {
        let batch = [
            record("boiler", "pressure", 2.5, 1_700_000_000_123),
            record("tank", "pressure", 0.5_f32, 1_700_000_000_123),
            record("boiler", "pressure", 3, 1_700_000_001_000).with_quality(Quality::Uncertain),
            record("boiler", "Öl stand", -7, 0),
            record("boiler", "open", true, 0),
        ];
        let (bytes, outcomes) = encode(&resource("boiler-mapper", "").unwrap(), &batch);
        assert_eq!(outcomes, Outcome::accepted(batch.len()));
        let mut request = ExportMetricsServiceRequest::decode(bytes.as_slice()).unwrap();
        assert_eq!(request.encode_to_vec(), bytes);
        // The one thing that changes from release to release.
        let scope = request.resource_metrics[0].scope_metrics[0].scope.as_mut().unwrap();
        assert_eq!(scope.version, env!("CARGO_PKG_VERSION"));
        scope.version = "0.0.0".to_owned();
        assert_eq!(dump(&request.encode_to_vec()), include_str!("../../../../tests/golden/otel/request.hex"));
    }

    /// Bytes as hexadecimal digits, 32 on each line. `xxd -r -p request.hex | protoc --decode_raw` shows what they say.
    fn dump(bytes: &[u8]) -> String {
        let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
        bytes.chunks(32).map(line).collect()
    }

    #[test]
    fn what_is_no_number_or_has_no_time_is_rejected_and_the_others_are_sent() {
        let batch = [
            record("boiler", "note", "hot", 0),
            record("boiler", "frame", vec![1, 2], 0),
            record("boiler", "pressure", 1, -1),
            record("boiler", "pressure", 1, 0),
        ];
        let (bytes, outcomes) = encode(&resource("boiler-mapper", "").unwrap(), &batch);
        for (outcome, part) in outcomes.iter().zip(["text or bytes", "text or bytes", "before 1970"]) {
            assert!(matches!(outcome, Outcome::Rejected(reason) if reason.contains(part)), "{outcome:?}");
        }
        assert_eq!(outcomes[3], Outcome::Accepted);
        let request = ExportMetricsServiceRequest::decode(bytes.as_slice()).unwrap();
        assert_eq!(request.resource_metrics[0].scope_metrics[0].metrics.len(), 1);
    }

    #[test]
    fn a_name_becomes_one_that_is_allowed() {
        for (property, name) in [
            ("pressure", "pressure"),
            ("plant/boiler.pressure-1_a", "plant/boiler.pressure-1_a"),
            ("a b%c", "a_b_c"),
            ("7th", "property_7th"),
            ("größe", "gr__e"),
            ("°C", "property__C"),
        ] {
            assert_eq!(metric_name(property), name);
        }
    }
}
