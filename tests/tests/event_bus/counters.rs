//! Devices whose properties count their reads, until they are stopped, and one property that can be set.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use mapper_framework::{Device, Driver, DriverError, Property, Reading, Session, Value};

/// The protocol of the devices.
pub(crate) const PROTOCOL: &str = "counter";

/// The properties that count.
pub(crate) const COUNTERS: [&str; 4] = ["a", "b", "c", "d"];

/// The property that can be set. It is 0 at first.
pub(crate) const SETPOINT: &str = "setpoint";

/// What the first devices want [`SETPOINT`] to be.
pub(crate) const DESIRED: &str = "7";

/// The driver, and what all of its devices hold. A clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Counters(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    stopped: bool,
    /// By `namespace/name` and property.
    values: BTreeMap<(String, String), i64>,
}

impl Counters {
    /// Has the values stay as they are.
    pub(crate) fn stop(&self) {
        self.0.lock().unwrap().stopped = true;
    }

    /// All values: device, property, value.
    pub(crate) fn values(&self) -> Vec<(String, String, String)> {
        let held = self.0.lock().unwrap();
        let values = held.values.iter();
        values.map(|((device, property), value)| (device.clone(), property.clone(), value.to_string())).collect()
    }

    fn change(&self, device: &str, property: &str, change: impl FnOnce(bool, &mut i64)) -> i64 {
        let mut held = self.0.lock().unwrap();
        let running = !held.stopped;
        let value = held.values.entry((device.to_owned(), property.to_owned())).or_default();
        change(running, value);
        *value
    }
}

/// A device.
pub(crate) struct Counting {
    device: String,
    counters: Counters,
}

impl Driver for Counters {
    type Config = ();
    type Session = Counting;

    async fn connect(&self, device: &Device, (): ()) -> Result<Counting, DriverError> {
        Ok(Counting { device: device.id().to_string(), counters: self.clone() })
    }
}

impl Session for Counting {
    type Visitor = ();

    async fn read(&mut self, property: &Property<()>) -> Result<Reading, DriverError> {
        let counts = property.name() != SETPOINT;
        let read = |running, value: &mut i64| *value += i64::from(running && counts);
        Ok(self.counters.change(&self.device, property.name(), read).into())
    }

    async fn write(&mut self, property: &Property<()>, value: &Value) -> Result<(), DriverError> {
        let &Value::Int(wanted) = value else { return Err(DriverError::refused("a set-point is a number")) };
        self.counters.change(&self.device, property.name(), |_, value| *value = wanted);
        Ok(())
    }
}

/// The model and these devices of a namespace. The first `desired` of them want their set-point to be [`DESIRED`].
pub(crate) fn manifests(namespace: &str, names: &[String], desired: usize) -> String {
    let counters = |text: &dyn Fn(&str) -> String| COUNTERS.map(text).join(", ");
    let declared = counters(&|name| format!("{{name: {name}, type: INT, accessMode: ReadOnly}}"));
    let mut yaml = format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: DeviceModel\nmetadata: {{name: counter, namespace: {namespace}}}\n\
         spec:\n  protocol: {PROTOCOL}\n  \
         properties: [{declared}, {{name: {SETPOINT}, type: INT, accessMode: ReadWrite}}]\n"
    );
    let read = counters(&|name| format!("{{name: {name}, collectCycle: 200, reportToCloud: true}}"));
    for (index, name) in names.iter().enumerate() {
        let wish = if index < desired { format!(", desired: {{value: \"{DESIRED}\"}}") } else { String::new() };
        yaml.push_str(&format!(
            "---\napiVersion: devices.kubeedge.io/v1beta1\nkind: Device\n\
             metadata: {{name: {name}, namespace: {namespace}}}\n\
             spec:\n  deviceModelRef: {{name: counter}}\n  protocol: {{protocolName: {PROTOCOL}}}\n  \
             stateReport: {{reportToCloud: true, reportCycle: 60000}}\n  \
             properties: [{read}, {{name: {SETPOINT}, collectCycle: 200, reportToCloud: true{wish}}}]\n"
        ));
    }
    yaml
}

/// The names `d0`, `d1` and so on.
pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("d{index}")).collect()
}
