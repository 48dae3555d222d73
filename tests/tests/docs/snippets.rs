//! The YAML in the documents is taken by the framework.

use std::time::Duration;

use mapper_framework::{
    Device, Driver, DriverError, Property, Reading, Session,
    config::{Config, Sources},
    model::DeviceId,
    testing::TestBed,
    watch::{Filter, Kind, What},
};
use tokio::time::timeout;

use crate::{document, guides, markdown::Block};

/// The blocks of the guides that begin with one of these keys, with the name of the guide.
fn yaml(keys: &[&str]) -> Vec<(String, Block)> {
    let mut found = Vec::new();
    for guide in guides() {
        let name = guide.name();
        for block in guide.blocks.into_iter().filter(|block| block.language == "yaml") {
            let lines = || block.text.lines().filter(|line| !line.trim_start().starts_with('#'));
            if lines().next().is_some_and(|line| keys.iter().any(|key| line.starts_with(&format!("{key}:")))) {
                found.push((name.clone(), block));
            }
        }
    }
    found
}

#[test]
fn every_config_in_the_guides_is_taken_without_a_warning() {
    let config = serde_json::to_value(Config::default()).unwrap();
    let sections: Vec<_> = config.as_object().unwrap().keys().map(String::as_str).collect();
    let configs = yaml(&sections);
    assert!(configs.len() >= 2, "only {} configs were found", configs.len());
    for (guide, block) in configs {
        let mut defaults = Config::default();
        "scale".clone_into(&mut defaults.common.protocol);
        let loaded = Config::load(Sources::new(defaults).contents(&*guide, &*block.text));
        let (_, warnings) = loaded.unwrap_or_else(|error| panic!("{guide}: {error}"));
        assert!(warnings.is_empty(), "{guide}: {warnings:?}");
    }
}

/// A device of which nothing is to be read.
struct Silent;

impl Driver for Silent {
    type Config = ();
    type Session = Self;

    async fn connect(&self, _: &Device, (): ()) -> Result<Self, DriverError> {
        Ok(Self)
    }
}

impl Session for Silent {
    type Visitor = ();

    async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
        Ok(0.into())
    }
}

/// A model, and a device of it with this property besides its name.
fn manifests(property: &str) -> String {
    let indented: String = property.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: m}}\n\
         spec: {{protocol: silent, properties: [{{name: p, type: INT, accessMode: ReadOnly}}]}}\n---\n\
         apiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: d}}\n\
         spec:\n  deviceModelRef: {{name: m}}\n  protocol: {{protocolName: silent}}\n  properties:\n    - name: p\n{indented}"
    )
}

#[tokio::test]
async fn every_push_method_in_the_guide_to_the_sinks_makes_a_target_of_its_kind() {
    let mut pushes = yaml(&["pushMethod"]);
    pushes.retain(|(guide, _)| guide == "sinks.md");
    assert_eq!(pushes.len(), 7, "one for each kind");
    let mut kinds = Vec::new();
    for (guide, block) in pushes {
        let bed = TestBed::start(Silent, "silent").await;
        bed.edge()
            .apply(&manifests(&block.text))
            .await
            .unwrap_or_else(|error| panic!("{guide}: {error}\n{}", block.text));
        let device = bed.handle().device(&DeviceId::new("default", "d")).await.unwrap();
        assert!(device.device.is_some_and(|device| device.properties().len() == 1), "{:?}", device.reason);
        let sinks = bed.handle().sinks();
        assert_eq!(sinks.len(), 1, "{guide}: {}", block.text);
        kinds.push(sinks[0].target().kind().to_owned());
    }
    kinds.sort();
    assert_eq!(kinds, ["http", "influxdb2", "mqtt", "mysql", "otel", "redis", "tdengine"]);
}

#[tokio::test]
async fn every_anomaly_detection_in_the_guides_is_taken_whole() {
    let mut found = yaml(&["pushMethod", "properties"]);
    found.retain(|(_, block)| block.text.contains("anomalyDetection"));
    assert_eq!(found.len(), 2);
    for (guide, block) in found {
        let (indent, fields) = match block.text.split_once("  - name: temperature\n") {
            Some((_, fields)) => ("    ", fields),
            None => ("", &*block.text),
        };
        let fields: Vec<_> = fields.lines().map(|line| line.strip_prefix(indent).unwrap_or(line)).collect();
        let right = manifests(&fields.join("\n"));
        let bed = TestBed::start(Silent, "silent").await;
        let mut watch = bed.handle().watch(Filter::all().kinds([Kind::State])).await.expect("the mapper runs");
        for (manifest, is_right) in [(&right, true), (&right.replace("min: ", "mni: "), false)] {
            bed.edge().apply(manifest).await.unwrap_or_else(|error| panic!("{guide}: {error}\n{manifest}"));
            let next = timeout(Duration::from_secs(30), watch.next()).await.expect("a state").expect("the mapper runs");
            let What::State { reason, .. } = next.what() else { panic!("{guide}: {next:?} is no state") };
            assert_eq!(
                !reason.as_ref().is_some_and(|it| it.contains("mni")),
                is_right,
                "{guide}: {reason:?}\n{manifest}"
            );
        }
    }
}

#[test]
fn the_guide_to_the_sinks_shows_the_document_that_is_written() {
    let guide = document("docs/sinks.md");
    let block = guide.blocks.iter().find(|block| block.language == "json").unwrap();
    let golden = include_str!("../../../mapper-framework/tests/golden/payload/double.json");
    let keys = |text: &str| -> Vec<String> {
        serde_json::from_str::<serde_json::Value>(text).unwrap().as_object().unwrap().keys().cloned().collect()
    };
    let shown: Vec<_> = keys(&block.text).into_iter().filter(|key| key != "unit").collect();
    let written: Vec<_> = keys(golden).into_iter().filter(|key| key != "unit").collect();
    assert_eq!(shown, written);
}
