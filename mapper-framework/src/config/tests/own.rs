//! Sections that are not the framework's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;
use crate::config::own::{DRIVER_SETTINGS, OwnSection};

/// A driver's settings.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Settings {
    url: String,
    port: u16,
    release: Option<String>,
    nodes: Vec<u8>,
    labels: BTreeMap<String, String>,
    serial: Serial,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Serial {
    baud: u32,
    is_slow: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let (url, labels) = ("opc.tcp://localhost".to_owned(), BTreeMap::new());
        Self { url, port: 4840, release: None, nodes: Vec::new(), labels, serial: Serial::default() }
    }
}

fn own(yaml: &str) -> Sources {
    let mut sources = file(yaml);
    sources.defaults.own.insert(DRIVER_SETTINGS.to_owned(), OwnSection::of::<Settings>());
    sources.defaults.own.insert("sinks.my-csv".to_owned(), OwnSection::of::<Serial>().with_credentials());
    sources
}

fn settings(sources: Sources) -> Settings {
    load(sources).own.read(DRIVER_SETTINGS).unwrap()
}

#[test]
fn a_driver_reads_its_settings_as_its_own_type() {
    assert_eq!(settings(own("")), Settings::default());
    let yaml = "\
driver:
  call_timeout: 2s
  settings:
    url: opc.tcp://plant:4840
    port: '4841'
    release: one
    nodes: [1, 2]
    labels: {hall: north}
    serial: {baud: 9600, is_slow: true}
";
    let expected = Settings {
        url: "opc.tcp://plant:4840".into(),
        port: 4841,
        release: Some("one".into()),
        nodes: vec![1, 2],
        labels: [("hall".into(), "north".into())].into(),
        serial: Serial { baud: 9600, is_slow: true },
    };
    assert_eq!(settings(own(yaml)), expected);
    assert_eq!(load(own(yaml)).driver.call_timeout, Duration::from_secs(2));
    let variables = [
        ("MAPPER_DRIVER__SETTINGS__URL", "opc.tcp://plant:4840"),
        ("MAPPER_DRIVER__SETTINGS__PORT", "4841"),
        ("MAPPER_DRIVER__SETTINGS__RELEASE", "one"),
        ("MAPPER_DRIVER__SETTINGS__NODES", "[1, 2]"),
        ("MAPPER_DRIVER__SETTINGS__LABELS", "{hall: north}"),
        ("MAPPER_DRIVER__SETTINGS__SERIAL__BAUD", "9600"),
        ("MAPPER_DRIVER__SETTINGS__SERIAL__IS_SLOW", "true"),
    ];
    assert_eq!(settings(own("").env(variables)), expected);
    let flags = variables.iter().fold(own(""), |sources, (variable, value)| {
        let key = variable.strip_prefix("MAPPER_").unwrap().replace("__", ".").to_lowercase();
        sources.flag("--set", key, *value)
    });
    assert_eq!(settings(flags), expected);
    assert_eq!(settings(own("").env([("MAPPER_DRIVER__SETTINGS__RELEASE", "1.10")])).release.as_deref(), Some("1.10"));
}

#[test]
fn a_sink_of_ones_own_has_settings_and_a_folder_of_credentials() {
    let config =
        load(own("sinks: {my-csv: {baud: 7, credentials: /etc/csv}}").env([("MAPPER_SINKS__MY_CSV__IS_SLOW", "true")]));
    assert_eq!(config.own.read::<Serial>("sinks.my-csv").unwrap(), Serial { baud: 7, is_slow: true });
    assert_eq!(config.own.credential_folders().collect::<Vec<_>>(), [("my-csv".to_owned(), "/etc/csv".into())]);
}

#[test]
fn an_unknown_key_of_such_a_section_is_warned_of_like_any_other() {
    assert_eq!(
        warnings(own("driver:\n  settings:\n    prot: 7\n    serial: {bauds: 5}\nsinks: {my-csf: {}}\n")),
        [
            "config.yaml:3:5: unknown key `driver.settings.prot` is ignored; did you mean `driver.settings.port`?",
            "config.yaml:4:14: unknown key `driver.settings.serial.bauds` is ignored; did you mean `driver.settings.serial.baud`?",
            "config.yaml:5:9: unknown key `sinks.my-csf` is ignored; did you mean `sinks.my-csv`?",
        ]
    );
    assert_eq!(
        warnings(own("").env([("MAPPER_DRIVER__SETTINGS__URI", "http://plant")])),
        ["environment variable MAPPER_DRIVER__SETTINGS__URI names no key and is ignored; did you mean \
             `MAPPER_DRIVER__SETTINGS__URL`?"]
    );
}

#[test]
fn what_does_not_fit_such_a_section_says_where_it_stands() {
    for (yaml, expected) in [
        (
            "driver:\n  settings:\n    port: 70000",
            "config.yaml:3:11: `driver.settings.port`: found 70000, expected a whole number from 0 to 65535",
        ),
        (
            "driver:\n  settings:\n    nodes: [1, two]",
            "config.yaml:3:12: `driver.settings.nodes[1]`: found \"two\", expected a whole number from 0 to 255",
        ),
        (
            "driver:\n  settings:\n    release: 1.10",
            "config.yaml:3:14: `driver.settings.release`: found 1.1, expected text",
        ),
        (
            "driver: {settings: {port: [1]}}",
            "config.yaml:1:27: `driver.settings.port`: found a list or a mapping, expected a single value",
        ),
        (
            "sinks: {my-csv: {baud: fast}}",
            "config.yaml:1:24: `sinks.my-csv.baud`: found \"fast\", expected a whole number from 0 to 4294967295",
        ),
    ] {
        assert_eq!(error(own(yaml)), expected);
    }
    assert_eq!(
        error(own("").flag("--set", "driver.settings.serial.baud", "many")),
        "flag --set: `driver.settings.serial.baud`: found \"many\", expected a whole number from 0 to 4294967295"
    );
}

#[test]
fn a_section_that_cannot_be_one_is_the_authors_mistake() {
    let mut sources = file("");
    sources.defaults.own.insert("sinks.mqtt".to_owned(), OwnSection::of::<Serial>());
    assert_eq!(
        error(sources),
        "the mapper's own defaults cannot be used: `sinks.mqtt`: this key is the framework's own: give the sink another name"
    );
    let mut sources = file("");
    sources.defaults.own.insert(DRIVER_SETTINGS.to_owned(), OwnSection::of::<u8>());
    assert_eq!(
        error(sources),
        "the mapper's own defaults cannot be used: `driver.settings`: its type must be a struct with named fields"
    );
}

#[test]
fn the_keys_come_with_their_defaults() {
    let keys = own("").defaults.own.keys();
    let shown: Vec<_> = keys.iter().map(|(key, default)| format!("{key}={default}")).collect();
    assert_eq!(
        shown,
        [
            "driver.settings.labels={}",
            "driver.settings.nodes=[]",
            "driver.settings.port=4840",
            "driver.settings.release=",
            "driver.settings.serial.baud=0",
            "driver.settings.serial.is_slow=false",
            "driver.settings.url=opc.tcp://localhost",
            "sinks.my-csv.baud=0",
            "sinks.my-csv.credentials=",
            "sinks.my-csv.is_slow=false",
        ]
    );
}
