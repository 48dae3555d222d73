//! Devices that cost nothing to read, so that what is measured is the framework.

use std::{collections::HashMap, time::UNIX_EPOCH};

use mapper_framework::{
    Device, Driver, DriverError, Mapper, MapperBuilder, Property, Reading, Session, Value,
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
    Mapper::builder(Clocks).package(mapper_framework::package!()).protocol(PROTOCOL)
}

/// The name of a device, by its number from 0.
pub(crate) fn device(number: usize) -> DeviceId {
    DeviceId::new("default", &format!("device-{number}"))
}

/// Devices in one YAML text. `LocalEdge` takes no more than 1,024 documents at once.
const BATCH: usize = 500;

/// What the devices have besides their properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing: all properties are read-only.
    Plain,
    /// [`DESIRED`] has a desired value, and the device's state is reported every ten seconds.
    Controlled,
}

/// The property that has a desired value, of a [`Kind::Controlled`] device.
pub(crate) const DESIRED: &str = "p0";

/// Gives the edge a model and devices with it: ten properties each, all read every second and reported.
pub(crate) async fn apply(edge: &LocalEdge, devices: usize, kind: Kind) -> Result<(), LocalEdgeError> {
    edge.apply(&model()).await?;
    for first in (0..devices).step_by(BATCH) {
        let batch = first..devices.min(first + BATCH);
        edge.apply(&batch.map(|number| manifest(number, kind)).collect::<String>()).await?;
    }
    Ok(())
}

fn model() -> String {
    let property = |number| format!("  - {{name: p{number}, type: DOUBLE, accessMode: ReadWrite, unit: V}}\n");
    format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: counter, namespace: default}}\n\
         spec:\n  protocol: {PROTOCOL}\n  properties:\n{}",
        (0..PROPERTIES).map(property).collect::<String>()
    )
}

fn manifest(number: usize, kind: Kind) -> String {
    let is_controlled = kind == Kind::Controlled;
    let property = |number| {
        let name = format!("p{number}");
        let desired = if is_controlled && name == DESIRED { "desired: {value: \"5\"}, " } else { "" };
        format!(
            "  - {{name: {name}, {desired}collectCycle: 1000, reportCycle: 1000, reportToCloud: true, \
             visitors: {{protocolName: {PROTOCOL}, configData: {{register: {number}}}}}}}\n"
        )
    };
    format!(
        "---\napiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: {}, namespace: default}}\n\
         spec:\n  deviceModelRef: {{name: counter}}\n  \
         protocol: {{protocolName: {PROTOCOL}, configData: {{start: {number}}}}}\n  properties:\n{}{}",
        device(number).name(),
        (0..PROPERTIES).map(property).collect::<String>(),
        if is_controlled { "  stateReport: {reportToCloud: true, reportCycle: 10000}\n" } else { "" },
    )
}

struct Clocks;

/// `spec.protocol.configData`
#[derive(Deserialize)]
struct Config {
    #[serde(rename = "start")]
    _start: u32,
}

/// `visitors.configData`
#[derive(Deserialize)]
struct Visitor {
    register: u16,
}

/// Shows the time, in seconds since 1970, so that no two values are the same and each says how old it is, but for what was written.
struct Clock {
    written: HashMap<u16, f64>,
}

impl Driver for Clocks {
    type Config = Config;
    type Session = Clock;

    async fn connect(&self, _: &Device, _: Config) -> Result<Clock, DriverError> {
        Ok(Clock { written: HashMap::new() })
    }
}

impl Session for Clock {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        let written = self.written.get(&property.visitor().register).copied();
        Ok(written.map_or_else(|| UNIX_EPOCH.elapsed().map(|time| time.as_secs_f64()), Ok)?.into())
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        self.written.insert(property.visitor().register, value.as_f64().unwrap_or_default());
        Ok(())
    }
}
