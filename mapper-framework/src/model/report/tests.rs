use serde_json::{Value as Json, json};

use super::*;
use crate::model::DataType;

fn property(data_type: DataType, visitor: &Json) -> Property {
    Property::builder("level", data_type).visitor(visitor.as_object().expect("a mapping").clone())
}

fn wrong(data_type: DataType, visitor: &Json) -> Vec<String> {
    let misfits = ReportRules::misfits(&property(data_type, visitor));
    misfits.into_iter().map(|misfit| misfit.key).collect()
}

fn push(visitor: &Json, kind: &str) -> ReportRules {
    ReportRules::of_sink(&property(DataType::Double, visitor), kind, &ReportRules::default())
}

#[test]
fn every_key_is_read() {
    let all = json!({
        "register": 7,
        "reportStrategy": "onChange", "reportDeadband": 0.5, "reportDeadbandPercent": "2", "reportMinInterval": 1000,
        "reportMaxSilence": 60000,
        "pushStrategy": "swingingDoor", "pushErrorBound": 0.25, "pushMaxSilence": 0,
        "pushDeadband.redis": 3, "pushDeadbandPercent.redis": 1, "pushMinInterval.redis": 2000,
    });
    assert_eq!(wrong(DataType::Double, &all), Vec::<String>::new());
    let twin = ReportRules {
        strategy: Strategy::OnChange,
        deadband: 0.5,
        deadband_percent: 2.0,
        min_interval: Duration::from_secs(1),
        max_silence: Some(Duration::from_secs(60)),
        error_bound: 0.0,
    };
    assert_eq!(ReportRules::of_twin(&property(DataType::Double, &all), &ReportRules::default()), twin);
    let door = ReportRules { strategy: Strategy::SwingingDoor, error_bound: 0.25, ..ReportRules::default() };
    assert_eq!(push(&all, "mqtt"), door);
    let redis = push(&all, "redis");
    assert_eq!((redis.strategy, redis.deadband, redis.deadband_percent), (Strategy::OnChange, 3.0, 1.0));
    assert_eq!(redis.min_interval, Duration::from_secs(2));
    assert!(all.as_object().expect("a mapping").keys().all(|key| ReportRules::is_key(key) != (key == "register")));
}

#[test]
fn what_the_visitor_does_not_say_or_says_wrongly_is_as_the_mapper_has_it() {
    let defaults = ReportRules {
        strategy: Strategy::OnChange,
        max_silence: Some(Duration::from_secs(300)),
        ..ReportRules::default()
    };
    let twin = |visitor: &Json| ReportRules::of_twin(&property(DataType::Double, visitor), &defaults);
    assert_eq!(twin(&json!({})), defaults);
    assert_eq!(twin(&json!({"reportDeadband": "much"})), defaults);
    assert_eq!(twin(&json!({"reportDeadband": 1})), ReportRules { deadband: 1.0, ..defaults.clone() });
    assert_eq!(twin(&json!({"reportMaxSilence": 0})).max_silence, None);
    assert!(twin(&json!({"reportStrategy": "always"})).take_all());
}

#[test]
fn a_bound_alone_asks_for_the_strategy_that_has_it() {
    assert_eq!(push(&json!({"pushDeadband": 1}), "mqtt").strategy, Strategy::OnChange);
    assert_eq!(push(&json!({"pushErrorBound": 1}), "mqtt").strategy, Strategy::SwingingDoor);
    let but_redis = json!({"pushErrorBound": 1, "pushStrategy.redis": "always"});
    assert!(push(&but_redis, "redis").take_all() && !push(&but_redis, "mqtt").take_all());
    assert_eq!(wrong(DataType::Double, &but_redis), Vec::<String>::new());
}

#[test]
fn what_cannot_be_meant_is_named() {
    for (visitor, key) in [
        (json!({"reportStrategy": "swingingDoor"}), "reportStrategy"),
        (json!({"reportStrategy": "often"}), "reportStrategy"),
        (json!({"reportDeadband": -1}), "reportDeadband"),
        (json!({"reportMinInterval": "1s"}), "reportMinInterval"),
        (json!({"reportMaxSilence": 31_536_000_001_i64}), "reportMaxSilence"),
        (json!({"reportStrategy": "always", "reportDeadband": 1}), "reportDeadband"),
        (json!({"reportStrategy": "always", "reportMaxSilence": 1}), "reportMaxSilence"),
        (json!({"reportMinInterval": 2, "reportMaxSilence": 1}), "reportMinInterval"),
        (json!({"pushStrategy": "onChange", "pushErrorBound": 1}), "pushErrorBound"),
        (json!({"pushStrategy": "swingingDoor", "pushMinInterval": 1}), "pushMinInterval"),
        (json!({"pushDeadband": 1, "pushErrorBound": 1}), "pushDeadband"),
        (json!({"pushDeadband.redis": "x"}), "pushDeadband.redis"),
        (json!({"reportstrategy": "always"}), "reportstrategy"),
        (json!({"reportDeadband.redis": 1}), "reportDeadband.redis"),
        (json!({"pushdeadband.redis": 1}), "pushdeadband.redis"),
    ] {
        assert_eq!(wrong(DataType::Double, &visitor), [key], "{visitor}");
    }
    assert_eq!(wrong(DataType::String, &json!({"reportDeadband": 1})), ["reportDeadband"]);
    assert_eq!(wrong(DataType::Boolean, &json!({"pushErrorBound": 1})), ["pushErrorBound"]);
}

#[test]
fn a_sink_that_the_mapper_does_not_have_is_a_stranger() {
    let property = property(DataType::Double, &json!({"pushStrategy.reddis": "always", "pushStrategy.mqtt": "always"}));
    let strangers = ReportRules::strangers(&property, &["mqtt", "redis"]);
    assert_eq!(strangers.iter().map(|misfit| &*misfit.key).collect::<Vec<_>>(), ["pushStrategy.reddis"]);
}

#[test]
fn a_value_without_numbers_is_thinned_by_being_the_same() {
    let door = ReportRules { strategy: Strategy::SwingingDoor, error_bound: 1.0, ..ReportRules::default() };
    let text = ReportRules::of_sink(&property(DataType::String, &json!({})), "mqtt", &door);
    assert_eq!(text.strategy, Strategy::OnChange);
    let banded = ReportRules { deadband: 5.0, ..text };
    assert!(banded.is_change(&Value::from("a"), &Value::from("b")));
    assert!(!banded.is_change(&Value::from("a"), &Value::from("a")));
}

#[test]
fn a_deadband_includes_its_edge_and_the_greater_one_counts() {
    let rules = |deadband, percent| ReportRules { deadband, deadband_percent: percent, ..ReportRules::default() };
    let is_change = |rules: ReportRules, from: f64, to: f64| rules.is_change(&Value::Double(from), &Value::Double(to));
    assert!(is_change(rules(0.0, 0.0), 20.0, 20.000_001));
    assert!(!is_change(rules(0.1, 0.0), 20.0, 20.1));
    assert!(is_change(rules(0.1, 0.0), 20.0, 20.101));
    assert!(!is_change(rules(0.0, 1.0), -200.0, -202.0));
    assert!(is_change(rules(0.0, 1.0), -200.0, -202.1));
    assert!(!is_change(rules(0.5, 1.0), 0.0, 0.5), "a part of nothing is nothing, and the other one counts");
    assert!(!is_change(rules(0.5, 1.0), 200.0, 202.0));
    let float = |number: f32| Value::Float(number);
    assert!(!rules(0.1, 0.0).is_change(&float(20.0), &float(20.1)), "a float has its own decimals");
    let int = |number: i64| Value::Int(number);
    assert!(rules(1.0, 0.0).is_change(&int(i64::MAX), &int(i64::MAX - 3)));
}
