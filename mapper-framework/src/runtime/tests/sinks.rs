//! What goes to the sinks, and when.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    Device, DeviceState, Property, Reading, Value,
    config::{SinksConfig, SpoolConfig},
    model::{HttpPush, InstanceProperty, PushMethod},
    sink::{
        CredentialSources, Credentials, HistoryError, HistoryRequest, Outcome, Point, Query, Record, Route, RouteError,
        Sink, SinkError, SinkKind, Sinks, Target,
    },
    telemetry::Telemetry,
};

use super::{
    puppet::Does,
    rig::{Rig, SECOND, device, id, model, property},
};

/// A kind that keeps what it gets: wherever `pushMethod.http` points, and never where its host is `nowhere`.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Record>>>);

#[async_trait]
impl SinkKind for Recorder {
    fn name(&self) -> &str {
        "recorder"
    }

    fn routes(&self, _: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let mut routes = Vec::new();
        for method in property.push_methods() {
            match method {
                PushMethod::Http(http) if http.host_name == "nowhere" => {
                    return Err(RouteError::new("pushMethod.http.hostName", "there is no such host"));
                }
                PushMethod::Http(http) => routes.push(Route::to(Target::new("recorder", &http.host_name))),
                _ => {}
            }
        }
        Ok(routes)
    }

    fn keeps_history(&self) -> bool {
        true
    }

    async fn open(&self, _: &Target, _: &Credentials) -> Result<Box<dyn Sink>, SinkError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Sink for Recorder {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        self.0.lock().unwrap().extend(batch.iter().cloned());
        Ok(Outcome::accepted(batch.len()))
    }

    async fn query(&mut self, query: &Query) -> Result<Vec<Point>, SinkError> {
        let kept = self.0.lock().unwrap();
        let asked = kept.iter().filter(|record| query.series_of(record.property()).is_some());
        Ok(asked.map(|it| Point::new(it.property(), it.value().clone(), it.timestamp_ms())).collect())
    }
}

impl Recorder {
    fn values(&self) -> Vec<Value> {
        self.0.lock().unwrap().iter().map(|record| record.value().clone()).collect()
    }
}

async fn rig() -> (Rig, Recorder, TempDir) {
    let (recorder, telemetry, folder) = (Recorder::default(), Telemetry::default(), tempfile::tempdir().unwrap());
    let spool = SpoolConfig { dir: folder.path().join("spool"), ..SpoolConfig::default() };
    let credentials = CredentialSources::new([], []);
    let mut kinds = crate::sink::all_kinds(&SinksConfig::default());
    kinds.retain(|kind| kind.name() != "http");
    kinds.push(Arc::new(recorder.clone()));
    let rig =
        Rig::with_sinks(Sinks::new(kinds, SinksConfig::default(), spool, credentials, telemetry.clone()), telemetry);
    rig.upsert_model(model()).await.expect("nothing is wrong with the model");
    (rig, recorder, folder)
}

/// A property that is pushed to a host.
fn pushed(name: &str, collect: u64, report: u64, host: &str) -> InstanceProperty {
    let mut http = HttpPush::default();
    host.clone_into(&mut http.host_name);
    let push_methods = vec![PushMethod::Http(http)];
    InstanceProperty { report_cycle: Duration::from_millis(report), push_methods, ..property(name, collect) }
}

#[tokio::test(start_paused = true)]
async fn each_read_makes_one_record_and_a_value_that_is_reported_again_makes_none() {
    let (rig, recorder, _folder) = rig().await;
    rig.puppet.set("a/x", 7);
    rig.add(device("a", [pushed("x", 1000, 1, "there")])).await;
    sleep(10 * SECOND + SECOND / 2).await;
    let reads = rig.puppet.count("read a/x");
    assert!((10..=12).contains(&reads), "{reads}");
    assert_eq!(recorder.values(), vec![Value::Int(7); reads]);
    // A write that fails reports the twin with another phase, and reads nothing.
    rig.puppet.on("write a/x", Does::Refuse);
    rig.add(device("a", [InstanceProperty { desired: "9".into(), ..pushed("x", 3_600_000, 1, "there") }])).await;
    rig.puppet.until("write a/x", 1).await;
    sleep(10 * SECOND).await;
    assert_eq!(recorder.values().len(), rig.puppet.count("read a/x"));
}

#[tokio::test(start_paused = true)]
async fn of_many_reads_the_one_nearest_to_the_report_cycle_goes_to_the_sinks() {
    let (rig, recorder, _folder) = rig().await;
    rig.add(device("a", [pushed("x", 100, 1000, "there")])).await;
    sleep(10 * SECOND + SECOND / 2).await;
    assert!(rig.puppet.count("read a/x") > 100);
    let times: Vec<_> = recorder.values();
    assert!((10..=12).contains(&times.len()), "{}", times.len());
}

#[tokio::test(start_paused = true)]
async fn a_shorter_report_cycle_is_in_force_at_once() {
    let (rig, recorder, _folder) = rig().await;
    rig.add(device("a", [pushed("x", 1000, 3_600_000, "there")])).await;
    sleep(10 * SECOND).await;
    assert_eq!(recorder.values().len(), 1);
    rig.add(device("a", [pushed("x", 1000, 1000, "there")])).await;
    sleep(10 * SECOND).await;
    assert!(recorder.values().len() >= 10, "{}", recorder.values().len());
}

#[tokio::test(start_paused = true)]
async fn what_a_device_delivers_by_itself_goes_to_the_sinks_whatever_the_cycle() {
    let (rig, recorder, _folder) = rig().await;
    rig.add(device("a", [pushed("x", 3_600_000, 3_600_000, "there")])).await;
    rig.puppet.until("read a/x", 1).await;
    let readings = (1..=20).map(|number| Reading::new("x", number));
    rig.puppet.deliver("a", readings.collect());
    sleep(SECOND).await;
    let delivered: Vec<_> = recorder.values().into_iter().skip(1).collect();
    assert_eq!(delivered, (1..=20).map(Value::Int).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_push_method_costs_that_sink_only_and_becomes_the_devices_state() {
    let (rig, recorder, _folder) = rig().await;
    let answer = rig.upsert(device("a", [pushed("x", 1000, 1000, "nowhere"), pushed("y", 1000, 1000, "there")])).await;
    let answer = answer.expect_err("part of it cannot be done").to_string();
    assert!(answer.contains(r#"property "x", pushMethod.http.hostName: there is no such host"#), "{answer}");
    sleep(5 * SECOND).await;
    assert!(rig.value("a", "x").await.is_some() && recorder.values().len() >= 4);
    assert_eq!(rig.state("a").await, DeviceState::Unhealthy);
}

#[tokio::test(start_paused = true)]
async fn a_removed_property_feeds_its_sink_no_more() {
    let (rig, recorder, _folder) = rig().await;
    rig.add(device("a", [pushed("x", 1000, 1000, "there"), property("y", 1000)])).await;
    rig.puppet.until("read a/x", 3).await;
    rig.add(device("a", [property("y", 1000)])).await;
    sleep(SECOND).await;
    let records = recorder.values().len();
    sleep(10 * SECOND).await;
    assert_eq!(recorder.values().len(), records);
}

#[tokio::test(start_paused = true)]
async fn history_is_asked_of_the_sinks_that_the_device_has() {
    let (rig, _recorder, _folder) = rig().await;
    rig.puppet.set("a/x", 7);
    rig.add(device("a", [pushed("x", 1000, 1000, "there"), property("y", 1000)])).await;
    sleep(3 * SECOND).await;
    let points = rig.handle.history(HistoryRequest::of(id("a"))).await.expect("the recorder answers");
    assert!(points.len() >= 3 && points.iter().all(|point| point.property == "x" && point.value == Value::Int(7)));
    let none = rig.handle.history(HistoryRequest::of(id("a")).property("y")).await;
    assert!(matches!(none, Err(HistoryError::NoHistory(_))), "{none:?}");
    let missing = rig.handle.history(HistoryRequest::of(id("b"))).await;
    assert!(matches!(missing, Err(HistoryError::NotFound(_))), "{missing:?}");
}

#[cfg(not(feature = "sink-mqtt"))]
#[tokio::test(start_paused = true)]
async fn a_sink_that_is_not_compiled_is_named_with_its_feature_as_the_devices_state() {
    let (rig, _recorder, _folder) = rig().await;
    let push_methods = vec![PushMethod::Mqtt(crate::model::MqttPush::default())];
    let answer = rig.upsert(device("a", [InstanceProperty { push_methods, ..property("x", 1000) }])).await;
    let answer = answer.expect_err("the sink is not there").to_string();
    assert!(answer.contains(r#"enable the feature "sink-mqtt""#), "{answer}");
    sleep(SECOND).await;
    let snapshot = rig.snapshot("a").await;
    assert_eq!(snapshot.state, DeviceState::Unhealthy);
    assert!(snapshot.reason.is_some_and(|reason| reason.contains("sink-mqtt")));
}
