//! The driver of these tests: each read counts on, and what is written is kept.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex},
};

use mapper_framework::{Device, Driver, DriverError, Property, Reading, Session, Value, model::DeviceId};
use serde::Deserialize;
use tokio::sync::watch;

pub(crate) const PROTOCOL: &str = "meter";

/// How often sessions were opened and closed, values written, and reads that hang were begun.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Uses {
    pub(crate) connects: u64,
    pub(crate) closes: u64,
    pub(crate) writes: u64,
    pub(crate) hangs: u64,
}

#[derive(Clone)]
pub(crate) struct Meter(Arc<watch::Sender<Uses>>);

impl Meter {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Uses::default())))
    }

    pub(crate) fn uses(&self) -> Uses {
        *self.0.borrow()
    }

    pub(crate) async fn until(&self, fits: impl FnMut(&Uses) -> bool) {
        let mut uses = self.0.subscribe();
        let fits = tokio::time::timeout(mapper_framework::testing::DEADLINE, uses.wait_for(fits)).await;
        assert!(fits.is_ok(), "{:?}", self.uses());
    }
}

/// What a property shows.
#[derive(Clone, Copy, Deserialize)]
#[serde(tag = "shows", rename_all = "camelCase")]
pub(crate) enum Visitor {
    /// How often it was read.
    Count,
    /// What was written to it last.
    Setting,
    /// What edgecore does not take.
    Degrees,
    /// Nothing, ever.
    Abyss,
}

pub(crate) struct Connection {
    meter: Meter,
    counts: HashMap<String, i64>,
    settings: Arc<Mutex<HashMap<String, Value>>>,
}

impl Driver for Meter {
    type Config = ();
    type Session = Connection;

    async fn connect(&self, _: &Device, (): ()) -> Result<Connection, DriverError> {
        self.0.send_modify(|uses| uses.connects += 1);
        Ok(Connection { meter: self.clone(), counts: HashMap::new(), settings: Arc::default() })
    }
}

impl Session for Connection {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        match property.visitor() {
            Visitor::Count => {
                let count = self.counts.entry(property.name().to_owned()).or_default();
                *count += 1;
                Ok((*count).into())
            }
            Visitor::Setting => {
                Ok(self.settings.lock().unwrap().get(property.name()).cloned().unwrap_or(Value::Int(0)).into())
            }
            Visitor::Degrees => Ok("21 °C".into()),
            Visitor::Abyss => {
                self.meter.0.send_modify(|uses| uses.hangs += 1);
                pending().await
            }
        }
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        self.meter.0.send_modify(|uses| uses.writes += 1);
        self.settings.lock().unwrap().insert(property.name().to_owned(), value.clone());
        Ok(())
    }

    async fn close(self) {
        self.meter.0.send_modify(|uses| uses.closes += 1);
    }
}

pub(crate) fn id(name: &str) -> DeviceId {
    DeviceId::new("default", name)
}

/// A model with these properties, each `name: TYPE` and whatever else.
pub(crate) fn model(name: &str, properties: &[&str]) -> String {
    let properties: String = properties.iter().map(|property| format!("    - {{name: {property}}}\n")).collect();
    format!(
        "---\napiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: {name}}}\n\
         spec:\n  protocol: {PROTOCOL}\n  properties:\n{properties}"
    )
}

/// A device of a model with these properties.
pub(crate) fn device(name: &str, model: &str, properties: &[String]) -> String {
    let properties: String = properties.iter().map(|property| format!("    - {property}\n")).collect();
    format!(
        "---\napiVersion: devices.kubeedge.io/v1beta1\nkind: Device\nmetadata: {{name: {name}}}\n\
         spec:\n  deviceModelRef: {{name: {model}}}\n  protocol: {{protocolName: {PROTOCOL}}}\n  \
         stateReport: {{reportToCloud: true, reportCycle: 1000}}\n  properties:\n{properties}"
    )
}

/// A property that is reported, with its cycle in milliseconds and what it shows.
pub(crate) fn property(name: &str, cycle: u64, shows: &str) -> String {
    wanted(name, cycle, shows, "")
}

/// The same with a desired value.
pub(crate) fn wanted(name: &str, cycle: u64, shows: &str, desired: &str) -> String {
    format!(
        "{{name: {name}, collectCycle: {cycle}, reportToCloud: true, desired: {{value: \"{desired}\"}}, \
         visitors: {{protocolName: {PROTOCOL}, configData: {{shows: {shows}}}}}}}"
    )
}

/// The model `gauge` of these tests, and devices of it which count every so many milliseconds.
pub(crate) fn gauges(names: impl IntoIterator<Item = String>, cycle: u64) -> String {
    let gauge = model("gauge", &["count, type: INT, accessMode: ReadOnly", "level, type: INT, accessMode: ReadWrite"]);
    let properties = [property("count", cycle, "count"), property("level", cycle, "setting")];
    let devices = names.into_iter().map(|name| device(&name, "gauge", &properties));
    gauge + &devices.collect::<String>()
}
