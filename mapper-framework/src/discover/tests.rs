//! Manifests of what was found, held against what a mapper and `check` take.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::*;
use crate::{
    AccessMode, DataType, Device, Driver, DriverError, Found, Mapper, Property, Reading, Session,
    manifest::{self, Resource},
    model::Credentials,
};

struct Plc;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Config {
    host: String,
    #[serde(default)]
    serial: u64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Visitor {
    register: u16,
    #[serde(default)]
    scale: f32,
}

impl Driver for Plc {
    type Config = Config;
    type Session = Self;

    async fn connect(&self, _: &Device, _: Config) -> Result<Self, DriverError> {
        Ok(Self)
    }
}

impl Session for Plc {
    type Visitor = Visitor;

    async fn read(&mut self, _: &Property<Visitor>) -> Result<Reading, DriverError> {
        Ok(0.into())
    }
}

fn made(discovery: &Discovery) -> Manifests {
    let builder = Mapper::builder(Plc).protocol("plc");
    manifests(discovery, &Place::of(&builder, "plant", "node-1"))
}

fn manifests_of(found: impl IntoIterator<Item = Found>) -> Manifests {
    let discovery = Discovery::new::<&str, &str>([]);
    found.into_iter().for_each(|found| discovery.add(found));
    made(&discovery)
}

fn names(yaml: &str) -> Vec<String> {
    manifest::parse(yaml, None).unwrap().resources.iter().map(|resource| resource.id().to_string()).collect()
}

fn level(name: &str, register: u16) -> Property {
    let visitor = json!({"register": register});
    Property::builder(name, DataType::Double).unit("m").visitor(visitor.as_object().cloned().unwrap())
}

fn tank(name: &str, host: &str) -> Found {
    Found::new(name).config(json!({"host": host})).property(level("level", 7))
}

#[test]
fn devices_of_the_same_properties_share_a_model_and_names_are_different() {
    let other = tank("Tank", "c").property(level("level", 8));
    let Manifests { yaml, devices, models, left_out } = manifests_of([tank("Tank", "a"), tank("tank", "b"), other]);
    assert_eq!((devices, models, left_out), (3, 2, vec![]));
    let expected = [
        "device model plant/tank",
        "device plant/tank",
        "device plant/tank-2",
        "device model plant/tank-2",
        "device plant/tank-3",
    ];
    assert_eq!(names(&yaml), expected);
    // The two places of the last one are two properties.
    assert!(yaml.contains("- name: level-2"), "{yaml}");
}

#[test]
fn what_is_written_is_what_was_found() {
    let speed = Property::builder("Motor speed", DataType::Int)
        .access_mode(AccessMode::ReadWrite)
        .minimum(0.0)
        .maximum(3000.0)
        .unit("1/min")
        .visitor(json!({"register": 3, "scale": 0.1_f32}));
    let found = Found::new("Mixer 1").model("Mixer X").description("In\nhall 2");
    let found = found.config(json!({"host": "on", "serial": 123_456_789})).property(speed);
    let found = found.method("start", "Starts it", &["Motor speed"]);
    let Manifests { yaml, left_out, .. } = manifests_of([found]);
    assert_eq!(left_out, Vec::<String>::new());
    for line in [
        "# In hall 2",
        "  name: mixer-x",
        "      description: \"Motor speed\"",
        "      minimum: \"0\"",
        "      maximum: \"3000\"",
        "      unit: \"1/min\"",
        "      accessMode: ReadWrite",
        "  nodeName: node-1",
        "      host: \"on\"",
        "      serial: \"123456789\"",
        "          scale: 0.1",
        "      propertyNames: [\"Motor-speed\"]",
    ] {
        assert!(yaml.lines().any(|written| written == line), "{line} in:\n{yaml}");
    }
}

#[test]
fn what_does_not_fit_is_left_out_with_a_reason() {
    let found = tank("a", "a")
        .property(Property::builder("text", DataType::Int).visitor(json!({"register": "x"})))
        .property(Property::builder("typo", DataType::Int).visitor(json!({"register": 1, "regster": 2})))
        .property(Property::builder("odd", DataType::Int).minimum(5.0).maximum(1.0).visitor(json!({"register": 1})));
    let Manifests { yaml, devices, left_out, .. } = manifests_of([Found::new("b"), found]);
    assert_eq!(devices, 1);
    assert!(!yaml.contains("regster") && !yaml.contains("name: text") && !yaml.contains("minimum"), "{yaml}");
    let expected = [
        r#""b" is left out: protocol.configData: the key `host` is missing"#,
        r#""a": its property "text" is left out: visitors.configData.register: found "x", expected a whole number"#,
        r#""a": the key `regster` of its property "typo" is left out"#,
        r#""a": the bounds of its property "odd" are left out: "#,
    ];
    for (line, expected) in left_out.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert_eq!(left_out.len(), expected.len());
}

#[test]
fn no_secret_is_printed_and_credentials_are_named() {
    let discovery = Discovery::new([("credentials", "tanks"), ("api-key", "4711key")]);
    let discovery = discovery.with_credentials(Credentials::none().with_username("op").with_password("hunter2"));
    discovery.add(Found::new("a").config(json!({"host": "plc", "password": "hunter2"})));
    discovery.add(Found::new("b").config(json!({"host": "http://op:hunter2@plc/"})));
    discovery.add(Found::new("c").config(json!({"host": "plc?key=4711key"})));
    let Manifests { yaml, devices, left_out, .. } = made(&discovery);
    assert!(!yaml.contains("hunter2") && !yaml.contains("4711key"), "{yaml}");
    assert!(yaml.contains("      credentials: tanks"), "{yaml}");
    assert!(devices == 1 && left_out.iter().all(|line| !line.contains("hunter2")), "{left_out:?}");
}

#[test]
fn many_devices_are_reported_as_often_as_edgecore_takes_it() {
    let cycles = |count: u32| {
        let yaml = manifests_of((0..count).map(|number| tank("tank", &number.to_string()))).yaml;
        let cycle = |begin: &str| {
            let (_, after) = yaml.split_once(begin).unwrap();
            let number: String = after.chars().take_while(char::is_ascii_digit).collect();
            number.parse::<u32>().unwrap()
        };
        (cycle("collectCycle: "), cycle("reportToCloud: true\n    reportCycle: "))
    };
    assert_eq!(cycles(2), (5_000, 10_000));
    // 50 calls in 110 s for the states, and fewer for values that are reported when they change.
    assert_eq!(cycles(50), (5_000, 110_000));
    assert_eq!(cycles(400), (810_000, 810_000));
}

#[test]
fn nothing_found_is_nothing_printed() {
    assert_eq!(manifests_of([]).yaml, "");
}

#[test]
fn a_manifest_has_the_config_that_was_found() {
    let Manifests { yaml, .. } = manifests_of([tank("a", "10")]);
    let parsed = manifest::parse(&yaml, None).unwrap();
    let device = parsed.resources.iter().find_map(|resource| match resource {
        Resource::Device(device) => Some(device),
        Resource::Model(_) => None,
    });
    let config = device.unwrap().spec.protocol.config_data.clone().unwrap();
    assert_eq!(config["host"], Json::from("10"));
}
