//! Devices that cost nothing to read, so that what is measured is the framework.

use mapper_framework::{
    Device, Driver, DriverError, Mapper, MapperBuilder, Property, Session, Value,
    local_edge::{LocalEdge, LocalEdgeError},
    model::DeviceId,
};
use serde::Deserialize;

/// The properties of a device.
pub(crate) const PROPERTIES: usize = 10;

/// The protocol of the devices.
pub(crate) const PROTOCOL: &str = "bench";

/// A mapper for the devices.
pub(crate) fn mapper() -> MapperBuilder {
    Mapper::builder(Counters).package(mapper_framework::package!()).protocol(PROTOCOL)
}

/// The name of a device, by its number from 0.
pub(crate) fn device(number: usize) -> DeviceId {
    DeviceId::new("default", &format!("device-{number}"))
}

/// Devices in one YAML text. `LocalEdge` takes no more than 1,024 documents at once.
const BATCH: usize = 500;

/// Gives the edge a model and devices with it: ten properties each, all read every second and reported.
pub(crate) async fn apply(edge: &LocalEdge, devices: usize) -> Result<(), LocalEdgeError> {
    edge.apply(&model()).await?;
    for first in (0..devices).step_by(BATCH) {
        let batch = first..devices.min(first + BATCH);
        edge.apply(&batch.map(manifest).collect::<String>()).await?;
    }
    Ok(())
}

fn model() -> String {
    let property = |number| format!("  - {{name: p{number}, type: DOUBLE, accessMode: ReadOnly, unit: V}}\n");
    format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: counter, namespace: default}}\n\
         spec:\n  protocol: {PROTOCOL}\n  properties:\n{}",
        (0..PROPERTIES).map(property).collect::<String>()
    )
}

fn manifest(number: usize) -> String {
    let property = |number| {
        format!(
            "  - {{name: p{number}, collectCycle: 1000, reportCycle: 1000, reportToCloud: true, \
             visitors: {{protocolName: {PROTOCOL}, configData: {{register: {number}}}}}}}\n"
        )
    };
    format!(
        "---\napiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: {}, namespace: default}}\n\
         spec:\n  deviceModelRef: {{name: counter}}\n  \
         protocol: {{protocolName: {PROTOCOL}, configData: {{start: {number}}}}}\n  properties:\n{}",
        device(number).name(),
        (0..PROPERTIES).map(property).collect::<String>()
    )
}

struct Counters;

/// `spec.protocol.configData`
#[derive(Deserialize)]
struct Config {
    start: u32,
}

/// `visitors.configData`
#[derive(Deserialize)]
struct Visitor {
    register: u16,
}

/// Counts its reads, so that no two values are the same.
struct Counter {
    reads: f64,
}

impl Driver for Counters {
    type Config = Config;
    type Session = Counter;

    async fn connect(&self, _: &Device, config: Config) -> Result<Counter, DriverError> {
        Ok(Counter { reads: config.start.into() })
    }
}

impl Session for Counter {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Value, DriverError> {
        self.reads += 1.0;
        Ok((self.reads + f64::from(property.visitor().register) / 16.0).into())
    }
}
