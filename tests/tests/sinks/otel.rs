//! The sink `otel` against a receiver that reads OTLP by its official definition.

use std::time::Duration;

use integration_tests::servers::{Answer, Certificate, Received, Receiver, ReceiverTls};
use mapper_framework::{
    config::SinksConfig,
    model::{DataType, DeviceId, OtelPush, PushMethod, Value},
    sink::{Credentials, Outcome, Sink},
    testing::{
        sink_contract::{self, Arrival, SinkFixture},
        sinks::{self, BuiltinKind},
    },
};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse},
    common::v1::{KeyValue, any_value},
    metrics::v1::{Metric, NumberDataPoint, metric, number_data_point},
};
use prost::Message;

use super::web::{Bench, reasons};

fn config() -> SinksConfig {
    let mut config = SinksConfig::default();
    "boiler-mapper".clone_into(&mut config.otel.service_name);
    config
}

fn push(scheme: &str, port: u16) -> PushMethod {
    let mut push = OtelPush::default();
    push.endpoint_url = format!("{scheme}://localhost:{port}/v1/metrics");
    PushMethod::Otel(push)
}

fn bench(receiver: &Receiver) -> Bench {
    Bench::new(push("http", receiver.port()), &config())
}

/// The suite's target.
struct Collector(Receiver);

impl SinkFixture for Collector {
    type Kind = BuiltinKind;

    fn kind(&self) -> BuiltinKind {
        sinks::builtin("otel", &config()).expect("the sink is built in")
    }

    fn push_methods(&self) -> Vec<PushMethod> {
        vec![push("http", self.0.port())]
    }

    fn takes(&self, data_type: DataType) -> bool {
        data_type.is_numeric() || data_type == DataType::Boolean
    }

    fn shown(&self, value: &Value) -> Option<String> {
        match value {
            Value::Boolean(boolean) => Some(u8::from(*boolean).to_string()),
            Value::Float(float) => Some(float.to_string()),
            other => Some(other.to_string()),
        }
    }

    fn poison(&self) -> Option<(DataType, Value)> {
        Some((DataType::String, Value::from("text")))
    }

    async fn arrived(&mut self, device: &DeviceId, property: &str, _: usize) -> Vec<Arrival> {
        let received = self.0.received();
        let points = received.iter().flat_map(metrics).flat_map(points);
        let is_it = |point: &NumberDataPoint| {
            let attributes = attributes(&point.attributes);
            let wanted = [("namespace", device.namespace()), ("device", device.name()), ("property", property)];
            wanted.iter().all(|(key, value)| attributes.contains(&((*key).to_owned(), (*value).to_owned())))
        };
        points.filter(is_it).map(|point| arrival(&point)).collect()
    }
}

/// The metrics of a request, all of which have the same resource and scope.
fn metrics(request: &Received) -> Vec<Metric> {
    assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
    let request = ExportMetricsServiceRequest::decode(request.body.as_slice()).expect("a request in OTLP");
    let [resource] = &request.resource_metrics[..] else { panic!("one resource") };
    let [scope] = &resource.scope_metrics[..] else { panic!("one scope") };
    let service = attributes(&resource.resource.as_ref().expect("a resource").attributes);
    assert_eq!(service, [("service.name".to_owned(), "boiler-mapper".to_owned())]);
    assert_eq!(scope.scope.as_ref().expect("a scope").name, "mapper-framework");
    scope.metrics.clone()
}

fn points(metric: Metric) -> Vec<NumberDataPoint> {
    assert!(metric.name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-/".contains(c)), "{:?}", metric.name);
    let Some(metric::Data::Gauge(gauge)) = metric.data else { panic!("a gauge") };
    gauge.data_points
}

fn attributes(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.clone()) {
        Some(any_value::Value::StringValue(text)) => (attribute.key.clone(), text),
        other => panic!("an attribute that is no text: {other:?}"),
    };
    attributes.iter().map(text).collect()
}

fn arrival(point: &NumberDataPoint) -> Arrival {
    let value = match point.value.expect("a point has a value") {
        number_data_point::Value::AsInt(int) => int.to_string(),
        number_data_point::Value::AsDouble(double) => double.to_string(),
    };
    Arrival { timestamp_ms: i64::try_from(point.time_unix_nano / 1_000_000).expect("in this age"), value }
}

/// What a collector answers that has not taken this many points.
fn partial_success(rejected: i64) -> Answer {
    let partial = ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message: "a doublet".to_owned() };
    let response = ExportMetricsServiceResponse { partial_success: Some(partial) };
    Answer::status(200).header("content-type", "application/x-protobuf").body(response.encode_to_vec())
}

#[tokio::test]
async fn a_collector_passes_the_suite() {
    sink_contract::check(&mut Collector(Receiver::script([]).await)).await;
}

#[tokio::test]
async fn the_point_that_a_collector_rejects_is_found_by_splitting() {
    let receiver = Receiver::start(|request| {
        let is_bad = |point: &NumberDataPoint| arrival(point).value == "2";
        let rejected = metrics(request).into_iter().flat_map(points).filter(is_bad).count();
        partial_success(i64::try_from(rejected).expect("few"))
    })
    .await;
    let bench = bench(&receiver);
    let (mut sink, batch) = (bench.open().await, bench.records(4));
    assert!(sink.write(&batch).await.unwrap_err().is_refused(), "the batch is to be split");
    assert_eq!(sink.write(&batch[..2]).await.unwrap(), Outcome::accepted(2), "it warns, and takes all");
    assert!(sink.write(&batch[2..]).await.unwrap_err().is_refused());
    let outcomes = sink.write(&batch[2..3]).await.unwrap();
    assert_eq!(outcomes, [Outcome::refused("the collector rejects 1 of 1 points: a doublet")]);
    assert_eq!(sink.write(&batch[3..]).await.unwrap(), Outcome::accepted(1));
}

#[tokio::test]
async fn a_batch_without_a_number_is_rejected_and_not_sent() {
    let receiver = Receiver::script([]).await;
    let bench = bench(&receiver);
    let batch = [bench.record("note", "hot", 0), bench.record("note", "cold", 1)];
    let outcomes = bench.open().await.write(&batch).await.unwrap();
    assert!(reasons(&outcomes).iter().all(|reason| reason.contains("holds a number")), "{outcomes:?}");
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn no_status_costs_a_record_before_it_is_known_to_be_the_records_fault() {
    let moment = [408, 429, 500, 502, 503, 504];
    let target = [401, 403, 404, 405, 501];
    let answers = moment.into_iter().chain(target).map(|status| Answer::status(status).header("retry-after", "7"));
    let answers = answers.chain([Answer::status(400)]);
    let receiver = Receiver::script(answers).await;
    let bench = bench(&receiver);
    let (mut sink, batch) = (bench.open().await, bench.records(2));
    for status in moment.into_iter().chain(target) {
        let error = sink.write(&batch).await.unwrap_err();
        assert!(error.is_retryable() && !error.is_refused(), "{status}: {error}");
        assert_eq!(error.pause(), Some(Duration::from_secs(7)), "{status}: {error}");
        assert_eq!(error.is_misconfigured(), target.contains(&status), "{status}: {error}");
    }
    assert!(sink.write(&batch).await.unwrap_err().is_refused(), "a bad request is split");
    assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(2));
}

#[tokio::test]
async fn a_token_goes_with_each_request_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = Certificate::make(folder.path());
    let receiver = Receiver::start_tls(ReceiverTls { certificate: &certificate, client: None }, |request| {
        Answer::status(if request.header("authorization") == Some("Bearer hunter2") { 200 } else { 401 })
    })
    .await;
    let mut config = config();
    certificate.cert_file.clone_into(&mut config.tls.ca_file);
    let bench = Bench::new(push("https", receiver.port()), &config);
    let batch = bench.records(1);
    assert!(bench.open().await.write(&batch).await.unwrap_err().is_retryable());
    let mut sink = bench.open_as(&Credentials::none().with_token("hunter2")).await;
    assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(1));
    assert!(receiver.received().iter().all(|request| request.target == "/v1/metrics" && request.method == "POST"));
}
