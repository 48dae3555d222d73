//! Manifests with one change each: what a slip of the pen makes of them, at each of their places.

use serde_json::{Map, Value, json};

/// All changes of a manifest, in the same order each time.
pub(super) fn of(manifest: &Value) -> Vec<Value> {
    let mut places = Vec::new();
    collect(manifest, &mut Vec::new(), &mut places);
    places.iter().flat_map(|place| changed(manifest, place)).collect()
}

/// The steps to a value: a key, or the number of an item.
type Place = Vec<String>;

fn collect(value: &Value, place: &mut Place, places: &mut Vec<Place>) {
    if !place.is_empty() {
        places.push(place.clone());
    }
    let below: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    for (step, value) in below {
        place.push(step);
        collect(value, place, places);
        place.pop();
    }
}

/// The value at a place set to others, taken out, and its key in other words and at other depths.
fn changed(manifest: &Value, place: &Place) -> Vec<Value> {
    let others = [
        Value::Null,
        json!(true),
        json!(5),
        json!(-1),
        json!(5.0),
        json!(5.5),
        json!(3_000_000_000_u64),
        json!("text"),
        json!("5"),
        json!(""),
        json!([]),
        json!({}),
        json!(["text"]),
        json!([{}]),
        json!([null]),
        json!({"key": "text"}),
        json!({"key": 5}),
        json!({"key": null}),
        json!([[]]),
    ];
    let mut all: Vec<Value> = others.into_iter().map(|other| with(manifest, place, Some(other))).collect();
    all.push(with(manifest, place, None));
    let wrapped = |wrap: fn(Value) -> Value| with(manifest, place, at(manifest, place).cloned().map(wrap));
    all.extend([wrapped(|value| json!([value])), wrapped(|value| json!({"value": value}))]);
    let (Some(key), Some(value)) = (place.last(), at(manifest, place)) else { return all };
    if key.parse::<usize>().is_err() {
        for other in [key.to_uppercase(), format!("{key}s"), format!("x-{key}")] {
            all.push(renamed(manifest, place, &other));
        }
        // One level out, and into each mapping beside it.
        let without = with(manifest, place, None);
        let parent = &place[..place.len() - 1];
        if let Some((_, out)) = parent.split_last() {
            all.extend(added(&without, out, key, value));
        }
        let beside = at(manifest, parent).and_then(Value::as_object).into_iter().flatten();
        for (name, _) in beside.filter(|(name, value)| *name != key && value.is_object()) {
            all.extend(added(&without, &[parent, std::slice::from_ref(name)].concat(), key, value));
        }
    }
    all
}

fn at<'v>(value: &'v Value, place: &[String]) -> Option<&'v Value> {
    place.iter().try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

fn at_mut<'v>(value: &'v mut Value, place: &[String]) -> Option<&'v mut Value> {
    place.iter().try_fold(value, |value, step| match value {
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        other => other.get_mut(step),
    })
}

fn with(manifest: &Value, place: &[String], other: Option<Value>) -> Value {
    let mut manifest = manifest.clone();
    let Some((last, parent)) = place.split_last() else { return manifest };
    match (at_mut(&mut manifest, parent), other) {
        (Some(Value::Object(map)), Some(other)) => drop(map.insert(last.clone(), other)),
        (Some(Value::Object(map)), None) => drop(map.remove(last)),
        (Some(Value::Array(items)), other) => {
            let index = last.parse::<usize>().unwrap_or_default();
            match other {
                Some(other) => items[index] = other,
                None => drop(items.remove(index)),
            }
        }
        _ => {}
    }
    manifest
}

fn renamed(manifest: &Value, place: &[String], key: &str) -> Value {
    let mut other = with(manifest, place, None);
    if let (Some(value), Some(Value::Object(map))) =
        (at(manifest, place), at_mut(&mut other, &place[..place.len() - 1]))
    {
        map.insert(key.to_owned(), value.clone());
    }
    other
}

fn added(manifest: &Value, place: &[String], key: &str, value: &Value) -> Option<Value> {
    let mut manifest = manifest.clone();
    let map: &mut Map<String, Value> = at_mut(&mut manifest, place)?.as_object_mut()?;
    (!map.contains_key(key)).then(|| map.insert(key.to_owned(), value.clone()))?;
    Some(manifest)
}

/// A model with everything that a model may have.
pub(super) fn model() -> Value {
    json!({
        "apiVersion": "devices.kubeedge.io/v1beta1", "kind": "DeviceModel",
        "metadata": {"name": "m", "namespace": "default", "labels": {"hall": "one"}, "annotations": {"plant.example/owner": "me"}},
        "spec": {
            "protocol": "stubborn",
            "protocolConfigData": {"habit": "waits"},
            "properties": [
                {"name": "level", "description": "water", "type": "INT", "accessMode": "ReadWrite", "minimum": "0", "maximum": "10",
                 "unit": "l", "visitors": {"protocolName": "stubborn", "configData": {}}},
            ],
        },
    })
}

/// A device with everything that a device may have.
pub(super) fn device() -> Value {
    json!({
        "apiVersion": "devices.kubeedge.io/v1beta1", "kind": "Device",
        "metadata": {"name": "d", "namespace": "default", "labels": {"hall": "one"}},
        "spec": {
            "deviceModelRef": {"name": "m"}, "nodeName": "edge",
            "protocol": {"protocolName": "stubborn", "configData": {"habit": "waits"}},
            "properties": [{
                "name": "level", "desired": {"value": "5", "metadata": {"type": "int"}},
                "visitors": {"protocolName": "stubborn", "configData": {}},
                "reportCycle": 5000, "collectCycle": 5000, "reportToCloud": true,
                "pushMethod": {
                    "http": {"hostName": "http://h", "port": 80, "requestPath": "/", "timeout": 500},
                    "mqtt": {"address": "tcp://b:1883", "topic": "t", "qos": 1, "retained": true},
                    "otel": {"endpointURL": "http://o:4318/v1/metrics"},
                    "anomalyDetection": {"window": 5, "zScore": 3},
                    "dbMethod": {
                        "influxdb2": {
                            "influxdb2ClientConfig": {"url": "http://i:8086", "org": "o", "bucket": "b"},
                            "influxdb2DataConfig": {"measurement": "m", "tag": {"k": "v"}, "fieldKey": "f"}},
                        "redis": {"redisClientConfig": {"addr": "r:6379", "db": 1, "poolsize": 5, "minIdleConns": 1}},
                        "TDEngine": {"TDEngineClientConfig": {"addr": "t:6041", "dbName": "db"}},
                        "mysql": {"mysqlClientConfig": {"addr": "m:3306", "database": "db", "userName": "u"}},
                    },
                },
            }],
            "methods": [{"name": "set", "description": "sets", "propertyNames": ["level"]}],
            "stateReport": {"reportToCloud": true, "reportCycle": 5000},
        },
        "status": {"reportToCloud": true, "reportCycle": 5000, "state": "online"},
    })
}
