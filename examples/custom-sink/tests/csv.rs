//! The sink passes the suite that every sink passes, and works in a mapper.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

use std::{fs, path::Path};

use custom_sink::{clock::Clock, csv::Csv};
use mapper_framework::{
    model::{DataType, DeviceId},
    testing::{
        TestBed,
        sink_contract::{self, Arrival, SinkFixture},
    },
};
use tempfile::TempDir;

struct Folder(TempDir);

impl SinkFixture for Folder {
    type Kind = Csv;

    fn kind(&self) -> Csv {
        Csv::default()
    }

    fn visitor(&self) -> serde_json::Map<String, serde_json::Value> {
        let folder = self.0.path().to_str().unwrap();
        serde_json::json!({"csvFolder": folder}).as_object().unwrap().clone()
    }

    fn takes(&self, _: DataType) -> bool {
        true
    }

    async fn arrived(&mut self, device: &DeviceId, property: &str, _: usize) -> Vec<Arrival> {
        rows(self.0.path(), device).into_iter().filter(|row| row.0 == property).map(|row| row.1).collect()
    }
}

/// The rows of a device's file, with the property of each.
fn rows(folder: &Path, device: &DeviceId) -> Vec<(String, Arrival)> {
    let file = folder.join(format!("{}-{}.csv", device.namespace(), device.name()));
    let text = fs::read_to_string(file).unwrap_or_default();
    // A value may hold line ends: a row ends with its second quoted field.
    let mut fields = Vec::new();
    let mut rest = text.as_str();
    while let Some((timestamp, after)) = rest.split_once(",\"") {
        let (property, after) = quoted(after);
        let (value, after) = quoted(&after[2..]);
        fields.push((property, Arrival { timestamp_ms: timestamp.parse().unwrap(), value }));
        rest = after.strip_prefix('\n').unwrap();
    }
    fields
}

/// The text up to the closing quote, and what follows it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"').unwrap();
        value.push_str(part);
        let Some(more) = after.strip_prefix('"') else { return (value, after) };
        value.push('"');
        rest = more;
    }
}

#[tokio::test]
async fn the_sink_passes_the_contract_suite() {
    sink_contract::check(&mut Folder(tempfile::tempdir().unwrap())).await;
}

#[tokio::test]
async fn the_mapper_writes_what_its_device_shows() {
    let folder = tempfile::tempdir().unwrap();
    let manifests = include_str!("../devices/clock.yaml");
    let manifests = manifests.replace("csvFolder: .", &format!("csvFolder: {}", folder.path().display()));
    let bed = TestBed::builder(Clock, "clock").sink(Csv::default()).start().await;
    bed.edge().apply(&manifests).await.unwrap();
    bed.until_sinks("three rows are written", |sinks| sinks.first().is_some_and(|sink| sink.ledger().delivered() >= 3))
        .await;
    bed.stop().await.unwrap();
    let rows = rows(folder.path(), &DeviceId::new("default", "clock-1"));
    assert!(rows.len() >= 3 && rows.iter().all(|(property, _)| property == "uptime"), "{rows:?}");
}
