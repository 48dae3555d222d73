//! A driver that does what a test tells it, and writes down what it was asked for.

use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Deserializer};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{Device, DeviceState, Driver, DriverError, Method, Property, Reading, Session, Value};

/// Time is paused: an hour passes in a moment, and a test that waits longer is wrong.
const HOUR: Duration = Duration::from_secs(3600);

/// How an operation goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Does {
    Fail,
    Refuse,
    Disconnect,
    Hang,
    Panic,
    Take(Duration),
}

/// The puppet, held by the mapper and by the test. Operations are named such as `connect a`, `read a/x`, `write a/x`, `state a`,
/// `changed a` and `close a`; what no string pulls works.
#[derive(Clone)]
pub(super) struct Puppet(Arc<watch::Sender<Stage>>);

#[derive(Default)]
struct Stage {
    strings: HashMap<String, Does>,
    values: HashMap<String, Value>,
    deliveries: HashMap<String, VecDeque<Vec<Reading>>>,
    calls: Vec<(Instant, String)>,
}

impl Puppet {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Stage::default())))
    }

    /// From now on the operation goes like this.
    pub(super) fn on(&self, operation: &str, does: Does) {
        self.0.send_modify(|stage| stage.strings.extend([(operation.to_owned(), does)]));
    }

    /// From now on the operation works.
    pub(super) fn mend(&self, operation: &str) {
        self.0.send_modify(|stage| stage.strings.retain(|string, _| string != operation));
    }

    /// Sets what a device has, as `device/property`.
    pub(super) fn set(&self, place: &str, value: impl Into<Value>) {
        self.0.send_modify(|stage| drop(stage.values.insert(place.to_owned(), value.into())));
    }

    pub(super) fn value(&self, place: &str) -> Option<Value> {
        self.0.borrow().values.get(place).cloned()
    }

    /// Has the device deliver readings.
    pub(super) fn deliver(&self, device: &str, readings: Vec<Reading>) {
        self.0.send_modify(|stage| stage.deliveries.entry(device.to_owned()).or_default().push_back(readings));
    }

    /// What was asked for so far, but for the waits for deliveries.
    pub(super) fn calls(&self) -> Vec<String> {
        self.0.borrow().calls.iter().map(|(_, call)| call.clone()).collect()
    }

    /// The calls other than reads.
    pub(super) fn deeds(&self) -> Vec<String> {
        self.calls().into_iter().filter(|call| !call.starts_with("read")).collect()
    }

    /// When an operation was asked for.
    pub(super) fn times(&self, operation: &str) -> Vec<Instant> {
        self.0.borrow().times(operation)
    }

    pub(super) fn count(&self, operation: &str) -> usize {
        self.times(operation).len()
    }

    /// Waits until an operation has been asked for so often.
    pub(super) async fn until(&self, operation: &str, count: usize) {
        let mut stage = self.0.subscribe();
        let waited = timeout(HOUR, stage.wait_for(|stage| stage.times(operation).len() >= count)).await;
        let seen = waited.map(|stage| drop(stage.expect("the puppet lives")));
        assert!(seen.is_ok(), "{operation} was asked for {} times, not {count}", self.count(operation));
    }

    /// Waits for the operation to be asked for `count` more times.
    pub(super) async fn again(&self, operation: &str, count: usize) {
        self.until(operation, self.count(operation) + count).await;
    }

    async fn perform(&self, operation: String) -> Result<(), DriverError> {
        let does = self.0.borrow().strings.get(&operation).copied();
        self.0.send_modify(|stage| stage.calls.push((Instant::now(), operation.clone())));
        act(does, &operation).await
    }

    async fn delivered(&self, device: &str) -> Vec<Reading> {
        let mut stage = self.0.subscribe();
        loop {
            let mut next = None;
            self.0.send_if_modified(|stage| {
                next = stage.deliveries.get_mut(device).and_then(VecDeque::pop_front);
                false
            });
            if let Some(readings) = next {
                return readings;
            }
            stage.changed().await.expect("the puppet lives");
        }
    }
}

async fn act(does: Option<Does>, operation: &str) -> Result<(), DriverError> {
    match does {
        None => Ok(()),
        Some(Does::Fail) => Err(DriverError::failed("it fails")),
        Some(Does::Refuse) => Err(DriverError::refused("it is refused")),
        Some(Does::Disconnect) => Err(DriverError::disconnected("the line is cut")),
        Some(Does::Hang) => pending().await,
        Some(Does::Panic) => panic!("{operation} panics"),
        Some(Does::Take(time)) => {
            sleep(time).await;
            Ok(())
        }
    }
}

impl Stage {
    fn times(&self, operation: &str) -> Vec<Instant> {
        self.calls.iter().filter(|(_, call)| call == operation).map(|(time, _)| *time).collect()
    }
}

/// `configData`; nothing is asked of it, but that it has no key `bomb`.
#[derive(Deserialize)]
pub(super) struct Config {
    #[serde(default, rename = "bomb", deserialize_with = "explode")]
    _bomb: (),
}

/// `visitors.configData`
#[derive(Deserialize)]
pub(super) struct Visitor {
    #[serde(default, rename = "bomb", deserialize_with = "explode")]
    _bomb: (),
    /// Where in the device the property is found; nothing depends on it.
    #[serde(default, rename = "register")]
    _register: u16,
}

fn explode<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    panic!("the bomb explodes")
}

impl Driver for Puppet {
    type Config = Config;
    type Session = Strung;

    async fn connect(&self, device: &Device, _: Config) -> Result<Strung, DriverError> {
        let device = device.id().name().to_owned();
        self.perform(format!("connect {device}")).await?;
        Ok(Strung { puppet: self.clone(), device })
    }
}

/// A session of the puppet's.
pub(super) struct Strung {
    puppet: Puppet,
    device: String,
}

impl Strung {
    fn place(&self, property: &Property<Visitor>) -> String {
        format!("{}/{}", self.device, property.name())
    }
}

impl Drop for Strung {
    fn drop(&mut self) {
        if self.puppet.0.borrow().strings.contains_key(&format!("drop {}", self.device)) {
            panic!("drop {} panics", self.device);
        }
    }
}

impl Session for Strung {
    type Visitor = Visitor;

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Value, DriverError> {
        let place = self.place(property);
        self.puppet.perform(format!("read {place}")).await?;
        Ok(self.puppet.value(&place).unwrap_or(Value::Int(0)))
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        let place = self.place(property);
        self.puppet.perform(format!("write {place}")).await?;
        // A device that is deaf takes a write and does not heed it.
        if !self.puppet.0.borrow().strings.contains_key(&format!("heed {place}")) {
            self.puppet.set(&place, value.clone());
        }
        Ok(())
    }

    async fn call(&mut self, method: &Method, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        self.puppet.perform(format!("call {} of {}", method.name, self.device)).await?;
        self.write(property, value).await
    }

    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        self.puppet.perform(format!("state {}", self.device)).await?;
        Ok(DeviceState::Ok)
    }

    async fn changed(&mut self) -> Result<Vec<Reading>, DriverError> {
        let operation = format!("changed {}", self.device);
        let does = self.puppet.0.borrow().strings.get(&operation).copied();
        match does {
            // A zero stands for a device that delivers nothing, over and over.
            Some(Does::Take(time)) if time.is_zero() => Ok(Vec::new()),
            Some(does) => act(Some(does), &operation).await.map(|()| Vec::new()),
            None => Ok(self.puppet.delivered(&self.device).await),
        }
    }

    async fn close(self) {
        drop(self.puppet.perform(format!("close {}", self.device)).await);
    }
}
