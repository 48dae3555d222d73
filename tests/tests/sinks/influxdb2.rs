//! The sink `influxdb2`: writing against VictoriaMetrics, which takes line protocol, and both writing and reading against a double
//! of InfluxDB 2, since no real one can be had.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use integration_tests::{
    DEADLINE,
    servers::{Answer, InfluxdbDouble, Receiver, VictoriaMetrics},
};
use mapper_framework::{
    config::SinksConfig,
    model::{DataType, DeviceId, Influxdb2Push, PushMethod, Value},
    sink::{Credentials, Outcome, Sink},
    testing::{
        sink_contract::{self, Arrival, SinkFixture},
        sinks::{self, BuiltinKind},
    },
};
use tokio::time::{sleep, timeout};

use super::web::Bench;

fn push(port: u16) -> Influxdb2Push {
    let mut push = Influxdb2Push::default();
    push.url = format!("http://127.0.0.1:{port}");
    InfluxdbDouble::ORG.clone_into(&mut push.org);
    InfluxdbDouble::BUCKET.clone_into(&mut push.bucket);
    push
}

fn bench(push: Influxdb2Push) -> Bench {
    Bench::new(PushMethod::Influxdb2(push), &SinksConfig::default())
}

fn token() -> Credentials {
    Credentials::none().with_token(InfluxdbDouble::TOKEN)
}

fn kind() -> BuiltinKind {
    sinks::builtin("influxdb2", &SinksConfig::default()).expect("the sink is built in")
}

/// The real target of the suite.
struct Victoria(VictoriaMetrics);

impl SinkFixture for Victoria {
    type Kind = BuiltinKind;

    fn kind(&self) -> BuiltinKind {
        kind()
    }

    fn push_methods(&self) -> Vec<PushMethod> {
        vec![PushMethod::Influxdb2(push(self.0.port()))]
    }

    /// All that it keeps are 64-bit floats.
    fn shown(&self, value: &Value) -> Option<String> {
        match value {
            Value::Boolean(boolean) => Some(u8::from(*boolean).to_string()),
            Value::Int(int) => Some((*int as f64).to_string()),
            Value::Float(_) | Value::Double(_) => Some(value.to_string()),
            _ => None,
        }
    }

    async fn arrived(&mut self, device: &DeviceId, property: &str, at_least: usize) -> Vec<Arrival> {
        arrived(&self.0, device, property, at_least).await
    }
}

/// What has arrived of one property, once it is so many points.
async fn arrived(server: &VictoriaMetrics, device: &DeviceId, property: &str, at_least: usize) -> Vec<Arrival> {
    let labels = [("namespace", device.namespace()), ("device", device.name()), ("property", property)];
    let arrived = async {
        loop {
            let points = points(server, &labels).await;
            if points.len() >= at_least {
                return points;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, arrived).await.expect("what was written can be read")
}

/// The points of the series with these labels.
async fn points(server: &VictoriaMetrics, labels: &[(&str, &str)]) -> Vec<Arrival> {
    let series = server.export(labels).await;
    let points = series.iter().flat_map(|series| series.timestamps.iter().zip(&series.values));
    let mut points: Vec<_> =
        points.map(|(millis, value)| Arrival { timestamp_ms: *millis, value: value.to_string() }).collect();
    points.sort_by_key(|point| point.timestamp_ms);
    points
}

/// The target of the suite that keeps all values, and can be read.
struct Double(InfluxdbDouble);

impl SinkFixture for Double {
    type Kind = BuiltinKind;

    fn kind(&self) -> BuiltinKind {
        kind()
    }

    fn push_methods(&self) -> Vec<PushMethod> {
        vec![PushMethod::Influxdb2(push(self.0.port()))]
    }

    fn credentials(&self) -> Credentials {
        token()
    }

    /// The field of this value's property has another type already.
    fn poison(&self) -> Option<(DataType, Value)> {
        self.0.put("poisoned,namespace=other,device=other,property=bad bad=1i 0\n");
        Some((DataType::String, Value::from("text where an integer was")))
    }

    async fn arrived(&mut self, device: &DeviceId, property: &str, _: usize) -> Vec<Arrival> {
        let tags = [("namespace", device.namespace()), ("device", device.name()), ("property", property)];
        let points = self.0.points(&tags).into_iter();
        points.map(|(timestamp_ms, value)| Arrival { timestamp_ms, value }).collect()
    }
}

#[tokio::test]
async fn victoria_metrics_passes_the_suite_as_far_as_it_keeps_values() {
    let Some(server) = VictoriaMetrics::start().await else { return };
    sink_contract::check(&mut Victoria(server)).await;
}

#[tokio::test]
async fn the_double_of_influxdb_passes_the_suite() {
    sink_contract::check(&mut Double(InfluxdbDouble::start().await)).await;
}

#[tokio::test]
async fn properties_with_the_same_address_in_their_manifest_do_not_overwrite_each_other() {
    let Some(server) = VictoriaMetrics::start().await else { return };
    let mut push = push(server.port());
    "plant".clone_into(&mut push.measurement);
    "value".clone_into(&mut push.field_key);
    push.tags = BTreeMap::from([("hall".to_owned(), "7".to_owned())]);
    let bench = bench(push);
    let at_once = bench.record("level", 1, 0);
    let batch = [at_once.clone(), bench.record("flow", 2, 0)];
    let outcomes = bench.open().await.write(&batch).await.unwrap();
    assert_eq!(outcomes, Outcome::accepted(2));
    for (record, value) in batch.iter().zip(["1", "2"]) {
        let arrived = arrived(&server, record.device(), record.property(), 1).await;
        assert_eq!(arrived, [Arrival { timestamp_ms: record.timestamp_ms(), value: value.to_owned() }]);
    }
    assert_eq!(points(&server, &[("__name__", "plant_value"), ("hall", "7")]).await.len(), 2);
}

#[tokio::test]
async fn a_server_that_was_killed_takes_the_rest_on_the_same_connection_when_it_is_back() {
    let Some(mut server) = VictoriaMetrics::start().await else { return };
    let bench = bench(push(server.port()));
    let (mut sink, batch) = (bench.open().await, bench.records(20));
    assert_eq!(sink.write(&batch[..10]).await.unwrap(), Outcome::accepted(10));
    server.kill().await;
    let error = sink.write(&batch[10..]).await.unwrap_err();
    assert!(error.is_disconnected(), "{error}");
    assert!(sink.health().await.is_err());
    server.restart().await;
    sink.health().await.expect("it is back");
    assert_eq!(sink.write(&batch[10..]).await.unwrap(), Outcome::accepted(10));
    // The first ten were in its memory, which it writes down every few seconds, and may be gone with it.
    let arrived = arrived(&server, batch[0].device(), "level", 10).await;
    let times: Vec<_> = arrived.iter().map(|arrival| arrival.timestamp_ms).collect();
    assert!(batch[10..].iter().all(|record| times.contains(&record.timestamp_ms())), "{arrived:?}");
}

#[tokio::test]
async fn a_server_without_flux_is_told_from_one_with_a_mistake() {
    let Some(server) = VictoriaMetrics::start().await else { return };
    let bench = bench(push(server.port()));
    let record = bench.record("level", 1, 0);
    let query = sinks::query(vec![Arc::clone(record.series())], record.timestamp(), record.timestamp(), 1);
    let error = bench.open().await.query(&query).await.unwrap_err();
    assert!(error.is_unsupported() && error.to_string().contains("Flux"), "{error}");
}

#[tokio::test]
async fn a_wrong_token_and_a_missing_bucket_cost_no_record() {
    let double = InfluxdbDouble::start().await;
    let elsewhere = {
        let mut push = push(double.port());
        "not made yet".clone_into(&mut push.bucket);
        bench(push)
    };
    let error = elsewhere.open_as(&token()).await.write(&elsewhere.records(1)).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("bucket not found"), "{error}");

    let bench = bench(push(double.port()));
    let batch = bench.records(2);
    let mut sink = bench.open_as(&Credentials::none().with_token("wrong")).await;
    let error = sink.write(&batch).await.unwrap_err();
    assert!(error.is_misconfigured() && !error.to_string().contains("wrong"), "{error}");
    assert!(sink.health().await.is_err());
    let mut sink = bench.open_as(&token()).await;
    assert_eq!(sink.write(&batch).await.unwrap(), Outcome::accepted(2));
    assert_eq!(double.points(&[("device", "boiler")]).len(), 2);
}

#[tokio::test]
async fn a_server_that_is_asked_too_much_is_asked_again_after_the_pause_it_wants() {
    let receiver = Receiver::script([
        Answer::status(429).header("retry-after", "7"),
        Answer::status(503).header("retry-after", "8"),
        Answer::status(405),
    ])
    .await;
    let bench = bench(push(receiver.port()));
    let (mut sink, batch) = (bench.open().await, bench.records(2));
    for seconds in [7, 8] {
        let error = sink.write(&batch).await.unwrap_err();
        assert!(error.is_retryable() && error.pause() == Some(Duration::from_secs(seconds)), "{error}");
    }
    let error = sink.write(&batch).await.unwrap_err();
    assert!(error.is_misconfigured() && error.to_string().contains("405"), "{error}");
}

#[tokio::test]
async fn history_that_cannot_be_read_is_an_error_that_says_why() {
    let receiver = Receiver::script([
        Answer::status(200).body("error,reference\r\nthe query was killed,897\r\n"),
        Answer::status(400).body("{\"code\":\"invalid\",\"message\":\"a typo\"}"),
        Answer::status(404).body("<html>nobody here</html>"),
    ])
    .await;
    let bench = bench(push(receiver.port()));
    let record = bench.record("level", 1, 0);
    let query = sinks::query(vec![Arc::clone(record.series())], record.timestamp(), record.timestamp(), 1);
    let mut sink = bench.open().await;
    for (part, is_unsupported) in [("the query was killed", false), ("a typo", false), ("nobody here", true)] {
        let error = sink.query(&query).await.unwrap_err();
        assert!(error.to_string().contains(part) && error.is_unsupported() == is_unsupported, "{error:?}");
    }
}
