//! What goes to the sinks, and when.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    Change, Device, DeviceState, Property, Reading, Value,
    config::{SinksConfig, SpoolConfig},
    credentials::CredentialSources,
    model::{HttpPush, InstanceProperty, PushMethod},
    sink::{
        Credentials, HistoryError, HistoryRequest, Outcome, Point, Query, Record, Route, RouteError, Sink, SinkError,
        SinkKind, Sinks, Target,
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

impl SinkKind for Recorder {
    type Sink = Recorder;

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

    async fn open(&self, _: &Target, _: &Credentials) -> Result<Recorder, SinkError> {
        Ok(self.clone())
    }
}

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
    let mut kinds = crate::sink::all_kinds(&SinksConfig::default(), &telemetry);
    kinds.retain(|kind| kind.name() != "http");
    kinds.push(crate::sink::erase(recorder.clone()));
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
    let readings = (1..=20).map(|number| Change::new("x", number));
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

/// A property that is pushed by the rules of its visitor, read and pushed each second.
fn thinned(keys: &serde_json::Value) -> InstanceProperty {
    let visitor = keys.as_object().cloned().unwrap_or_default();
    InstanceProperty { visitor: std::sync::Arc::new(visitor), ..pushed("x", 1000, 1000, "there") }
}

#[tokio::test(start_paused = true)]
async fn a_step_after_a_plateau_leaves_no_slope_in_a_sink_that_gets_changes() {
    let (rig, recorder, _folder) = rig().await;
    rig.puppet.set("a/x", 10);
    rig.add(device("a", [thinned(&json!({"pushStrategy": "onChange", "pushMaxSilence": 0}))])).await;
    rig.puppet.until("read a/x", 600).await;
    assert_eq!(recorder.values(), [Value::Int(10)]);
    rig.puppet.set("a/x", 20);
    sleep(5 * SECOND).await;
    assert_eq!(recorder.values(), [10, 10, 20].map(Value::Int));
    let records = recorder.0.lock().unwrap().clone();
    let [first, marker, step] = &records[..] else { panic!("three records") };
    assert!(first.timestamp_ms() <= marker.timestamp_ms() && marker.timestamp_ms() <= step.timestamp_ms());
    let thinned = rig.handle.device_stats(&id("a")).unwrap().property("x").unwrap().thinned();
    assert!((598..=606).contains(&thinned.records()), "{}", thinned.records());
}

#[tokio::test(start_paused = true)]
async fn a_sink_is_named_by_a_suffix_and_one_that_is_not_there_is_said() {
    let (rig, recorder, _folder) = rig().await;
    rig.puppet.set("a/x", 7);
    rig.add(device("a", [thinned(&json!({"pushStrategy": "onChange", "pushStrategy.recorder": "always"}))])).await;
    sleep(10 * SECOND + SECOND / 2).await;
    assert!(recorder.values().len() >= 10, "{}", recorder.values().len());
    rig.add(device("a", [thinned(&json!({"pushStrategy": "onChange"}))])).await;
    sleep(10 * SECOND).await;
    let after = recorder.values().len();
    sleep(10 * SECOND).await;
    assert_eq!(recorder.values().len(), after);
    let answer = rig.upsert(device("a", [thinned(&json!({"pushDeadband.reddis": 1}))])).await;
    let answer = answer.expect_err("the sink is misspelt").to_string();
    assert!(answer.contains("visitors.configData.pushDeadband.reddis: names no sink of this mapper"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn what_a_door_holds_is_pushed_when_the_mapper_stops() {
    let (rig, recorder, _folder) = rig().await;
    rig.puppet.subscribe("a/x");
    rig.add(device("a", [thinned(&json!({"pushErrorBound": 1}))])).await;
    for second in 0..5_u32 {
        let time = std::time::UNIX_EPOCH + second * SECOND;
        rig.puppet.deliver("a", vec![Change::new("x", Reading::new(second).at(time))]);
    }
    sleep(SECOND).await;
    assert_eq!(recorder.values(), [Value::Int(0)]);
    rig.stop().await;
    sleep(SECOND).await;
    assert_eq!(recorder.values(), [0, 4].map(Value::Int), "the line has its end");
}
