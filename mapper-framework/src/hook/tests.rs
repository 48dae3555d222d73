use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use serde_json::json;
use tokio::sync::mpsc;

use super::*;
use crate::{
    model::{AnomalyRule, AnomalyRules, DataType, Device, DeviceBuilder, Property, PushMethod, Quality, Sample, Value},
    telemetry::Telemetry,
};

fn property(name: &str) -> Property {
    Property::builder(name, DataType::Double).build()
}

/// A property whose manifest asks for an anomaly detection.
fn watched(name: &str, rules: serde_json::Value) -> Property {
    let serde_json::Value::Object(data) = rules else { panic!("a map") };
    Property::builder(name, DataType::Double).push_methods(vec![PushMethod::AnomalyDetection(data)]).build()
}

fn device(properties: impl IntoIterator<Item = Property>) -> Device {
    properties.into_iter().fold(Device::builder("boiler"), DeviceBuilder::property).build()
}

fn sample(device: &Device, name: &str, value: f64) -> Sample {
    let property = device.properties.iter().find(|property| property.name() == name).unwrap();
    Sample {
        device: device.id().clone(),
        property: Arc::clone(property),
        value: Value::Double(value),
        timestamp: SystemTime::UNIX_EPOCH,
        quality: Quality::Good,
    }
}

struct Rig {
    device: Device,
    chain: Chain,
    telemetry: Telemetry,
}

impl Rig {
    fn new(device: Device, hooks: impl IntoIterator<Item = Arc<dyn SampleHook>>) -> Self {
        let (mut all, telemetry) = (Hooks::default(), Telemetry::default());
        hooks.into_iter().for_each(|hook| all.push(hook));
        let chain = Chain::attach(&all, &device, &telemetry);
        Self { device, chain, telemetry }
    }

    /// What comes out for one value of `a`.
    fn pass(&mut self, value: f64) -> Vec<(String, f64, Quality)> {
        let passed = self.chain.pass(&self.device, vec![sample(&self.device, "a", value)]);
        let outline =
            |sample: Sample| (sample.property.name().to_owned(), sample.value.as_f64().unwrap(), sample.quality);
        passed.into_iter().map(outline).collect()
    }
}

fn hook(function: impl Fn(&mut Passing<'_>) -> Flow + Send + Sync + 'static) -> Arc<dyn SampleHook> {
    Arc::new(from_fn("test", function))
}

fn plain(value: f64) -> (String, f64, Quality) {
    ("a".to_owned(), value, Quality::Good)
}

#[test]
fn hooks_change_mark_drop_and_add_one_after_the_other() {
    let double = hook(|passing| {
        let value = passing.sample().value.as_f64().unwrap();
        passing.set_value(value * 2.0).unwrap();
        Flow::Pass
    });
    let split = hook(|passing| {
        let value = passing.sample().value.as_f64().unwrap();
        passing.add("b", value + 0.5).unwrap();
        passing.set_quality(Quality::Uncertain);
        Flow::Pass
    });
    let no_more_than_ten =
        hook(|passing| if passing.sample().value.as_f64().unwrap() > 10.0 { Flow::Drop } else { Flow::Pass });
    let mut rig = Rig::new(device([property("a"), property("b")]), [double, split, no_more_than_ten]);
    let b = |value| ("b".to_owned(), value, Quality::Good);
    assert_eq!(rig.pass(2.0), [("a".to_owned(), 4.0, Quality::Uncertain), b(4.5)]);
    assert_eq!(rig.pass(5.0), [("a".to_owned(), 10.0, Quality::Uncertain)], "what was added is seen by the next hook");
    assert_eq!(rig.pass(9.0), []);
}

#[test]
fn what_does_not_fit_is_refused_to_the_hook_and_changes_nothing() {
    let wrong = hook(|passing| {
        assert!(passing.set_value("hot").is_err() && passing.set_value(f64::NAN).is_err());
        assert_eq!(passing.add("z", 1.0), Err(AddError::UnknownProperty("z".to_owned())));
        assert!(matches!(passing.add("a", "hot"), Err(AddError::Value(_))));
        Flow::Pass
    });
    assert_eq!(Rig::new(device([property("a")]), [wrong]).pass(1.0), [plain(1.0)]);
}

#[test]
fn a_hook_that_panics_is_switched_off_and_costs_no_sample() {
    let moody = hook(|passing| {
        passing.set_value(0.0).unwrap();
        passing.add("a", 7.0).unwrap();
        assert!(passing.sample().timestamp > SystemTime::UNIX_EPOCH, "no such time");
        Flow::Drop
    });
    let plus_one = hook(|passing| {
        let value = passing.sample().value.as_f64().unwrap();
        passing.set_value(value + 1.0).unwrap();
        Flow::Pass
    });
    let mut rig = Rig::new(device([property("a")]), [moody, plus_one]);
    for _ in 0..3 {
        assert_eq!(rig.pass(1.0), [plain(2.0)], "the sample passes as it was, and the other hook sees it");
    }
    assert_eq!(rig.telemetry.stats().hooks().panics(), 1, "it is called once only");
    assert!(!rig.chain.is_empty());
}

#[test]
fn a_hook_that_panics_with_the_first_device_serves_the_second() {
    let picky: Arc<dyn SampleHook> = hook(|passing| {
        assert!(passing.sample().value.as_f64() != Some(13.0));
        Flow::Drop
    });
    let (mut first, mut second) =
        (Rig::new(device([property("a")]), [Arc::clone(&picky)]), Rig::new(device([property("a")]), [picky]));
    assert_eq!(first.pass(13.0), [plain(13.0)]);
    assert_eq!((first.pass(1.0), second.pass(1.0)), (vec![plain(1.0)], vec![]));
    assert!(first.chain.is_empty() && !second.chain.is_empty());
}

#[test]
fn a_slow_hook_is_counted_each_time() {
    let slow = hook(|passing| {
        let began = Instant::now();
        while passing.sample().value.as_f64() == Some(1.0) && began.elapsed() < Duration::from_millis(12) {}
        Flow::Pass
    });
    let mut rig = Rig::new(device([property("a")]), [slow]);
    for value in [1.0, 1.0, 0.0] {
        assert_eq!(rig.pass(value), [plain(value)]);
    }
    assert!(rig.telemetry.stats().hooks().slow() >= 2);
}

fn detection(
    default_rules: Option<AnomalyRules>,
    room: usize,
) -> (Arc<dyn SampleHook>, mpsc::Receiver<Finding>, Telemetry) {
    let ((found, findings), telemetry) = (mpsc::channel(room), Telemetry::default());
    let hook = AnomalyDetection { default_rules, findings: found, telemetry: telemetry.clone() };
    (Arc::new(hook), findings, telemetry)
}

fn qualities(rig: &mut Rig, values: impl IntoIterator<Item = f64>) -> Vec<Quality> {
    values.into_iter().map(|value| rig.pass(value)[0].2).collect()
}

#[test]
fn an_anomaly_is_the_quality_of_the_sample_and_a_count() {
    let (hook, _, telemetry) = detection(None, 1);
    let device = device([watched("a", json!({"max": 100, "maxStep": 10}))]);
    telemetry.track_device(device.id(), ["a".into()].into_iter());
    let mut rig = Rig::new(device, [hook]);
    let (good, uncertain, bad) = (Quality::Good, Quality::Uncertain, Quality::Bad);
    assert_eq!(qualities(&mut rig, [50.0, 55.0, 70.0, 101.0, 99.0]), [good, good, uncertain, bad, good]);
    assert_eq!(telemetry.stats().reads().anomalies(), 2);
    let stats = telemetry.device_stats(rig.device.id()).unwrap();
    assert_eq!(stats.property("a").unwrap().reads().anomalies(), 2);
}

#[test]
fn it_is_off_unless_the_manifest_or_the_mapper_asks_for_it() {
    let mut off = Rig::new(device([property("a")]), [detection(None, 1).0]);
    assert_eq!(qualities(&mut off, [1e9, -1e9]), [Quality::Good; 2]);
    let default = || Some(AnomalyRules::new().max(10.0));
    let mut by_default = Rig::new(device([property("a")]), [detection(default(), 1).0]);
    assert_eq!(qualities(&mut by_default, [11.0]), [Quality::Bad]);
    let mut of_its_own = Rig::new(device([watched("a", json!({"min": 0}))]), [detection(default(), 1).0]);
    assert_eq!(qualities(&mut of_its_own, [11.0]), [Quality::Good], "the manifest's rules stand in their place");
}

#[cfg(feature = "sink-http")]
#[test]
fn the_first_of_each_kind_goes_to_the_endpoint_and_a_full_queue_costs_reports_only() {
    let (hook, mut findings, telemetry) = detection(None, 1);
    let rules = json!({"max": 10, "endpoint": "http://collector/anomalies"});
    let mut rig = Rig::new(device([watched("a", rules)]), [hook]);
    let (good, bad) = (Quality::Good, Quality::Bad);
    assert_eq!(qualities(&mut rig, [11.0, 12.0, 1.0, 13.0, 1.0]), [bad, bad, good, bad, good]);
    let finding = findings.try_recv().unwrap();
    assert_eq!((finding.rule, &finding.value, finding.quality), (AnomalyRule::Range, &Value::Double(11.0), bad));
    assert!(findings.try_recv().is_err(), "12 goes on with 11, and for 13 there was no room");
    assert_eq!(telemetry.stats().hooks().findings_lost(), 1);
    assert_eq!(qualities(&mut rig, [14.0]), [bad]);
    assert_eq!(findings.try_recv().unwrap().value, Value::Double(14.0));
}

#[test]
fn a_changed_manifest_keeps_what_is_remembered_of_rules_that_stay_and_a_restart_keeps_nothing() {
    let (hook, ..) = detection(None, 1);
    let rules = json!({"maxStep": 10});
    let mut rig = Rig::new(device([watched("a", rules.clone())]), [Arc::clone(&hook)]);
    assert_eq!(qualities(&mut rig, [0.0]), [Quality::Good]);
    let grown = device([watched("a", rules.clone()), property("b")]);
    rig.chain.changed(&grown);
    rig.device = grown;
    assert_eq!(qualities(&mut rig, [50.0]), [Quality::Uncertain]);
    rig.chain.changed(&device([watched("a", json!({"maxStep": 20}))]));
    assert_eq!(qualities(&mut rig, [100.0]), [Quality::Good], "other rules begin anew");
    let mut restarted = Rig::new(device([watched("a", rules)]), [hook]);
    assert_eq!(qualities(&mut restarted, [1e6]), [Quality::Good]);
}

#[test]
fn a_value_that_the_device_distrusts_does_not_become_better() {
    let (hook, ..) = detection(None, 1);
    let mut rig = Rig::new(device([watched("a", json!({"maxStep": 1}))]), [hook]);
    rig.pass(0.0);
    let bad = Sample { quality: Quality::Bad, ..sample(&rig.device, "a", 5.0) };
    assert_eq!(rig.chain.pass(&rig.device, vec![bad])[0].quality, Quality::Bad);
}
