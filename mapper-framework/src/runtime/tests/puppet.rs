//! A driver that does what a test asks of it, and writes down what it was asked for.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::pending,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Deserializer};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{Call, Change, Device, DeviceState, Driver, DriverError, Property, Reading, Session, Subscriptions, Value};

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
    /// Holds its thread for so long.
    Block(Duration),
}

/// The puppet, held by the mapper and by the test. Operations are named such as `connect a`, `read a/x`, `write a/x`, `state a`,
/// `changed a` and `close a`; what no string pulls works.
#[derive(Clone)]
pub(super) struct Puppet(Arc<watch::Sender<Stage>>);

#[derive(Default)]
struct Stage {
    strings: HashMap<String, Does>,
    reasons: HashMap<String, String>,
    values: HashMap<String, Reading>,
    subscribed: HashSet<String>,
    deliveries: HashMap<String, VecDeque<Vec<Change>>>,
    calls: Vec<(Instant, String)>,
    /// What was written, and may have taken effect.
    written: Vec<(Instant, String, Value)>,
    /// What was read, where.
    seen: Vec<(String, Value)>,
    /// Where, when and of which value the device has taken a write.
    taken: Vec<(Instant, String, Value)>,
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

    /// From now on the operation fails for this reason, in which `{n}` counts the attempts.
    pub(super) fn because(&self, operation: &str, reason: &str) {
        self.0.send_modify(|stage| drop(stage.reasons.insert(operation.to_owned(), reason.to_owned())));
    }

    /// Sets what a device has, as `device/property`.
    pub(super) fn set(&self, place: &str, value: impl Into<Reading>) {
        self.0.send_modify(|stage| drop(stage.values.insert(place.to_owned(), value.into())));
    }

    pub(super) fn value(&self, place: &str) -> Option<Value> {
        self.0.borrow().values.get(place).map(|reading| reading.get_value().clone())
    }

    /// What was written to a place so far, whether the device took it or not.
    pub(super) fn written(&self, place: &str) -> Vec<(Instant, Value)> {
        let stage = self.0.borrow();
        let there = stage.written.iter().filter(|(_, written, _)| written == place);
        there.map(|(time, _, value)| (*time, value.clone())).collect()
    }

    /// Whether a value was ever read there.
    pub(super) fn has_shown(&self, place: &str, value: &Value) -> bool {
        self.0.borrow().seen.iter().any(|(seen, read)| seen == place && read == value)
    }

    /// When the device has taken a write, and of which value.
    pub(super) fn taken(&self, place: &str) -> Vec<(Instant, Value)> {
        let stage = self.0.borrow();
        let there = stage.taken.iter().filter(|(_, taken, _)| taken == place);
        there.map(|(time, _, value)| (*time, value.clone())).collect()
    }

    fn note_written(&self, place: &str, value: &Value) {
        self.0.send_modify(|stage| stage.written.push((Instant::now(), place.to_owned(), value.clone())));
    }

    /// Has the device deliver these properties by itself, as `device/property`, from the next call of `subscribe` on.
    pub(super) fn subscribe(&self, place: &str) {
        self.0.send_modify(|stage| stage.subscribed.extend([place.to_owned()]));
    }

    /// Has the device deliver changes.
    pub(super) fn deliver(&self, device: &str, changes: Vec<Change>) {
        self.0.send_modify(|stage| stage.deliveries.entry(device.to_owned()).or_default().push_back(changes));
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

    pub(super) async fn perform(&self, operation: String) -> Result<(), DriverError> {
        let does = self.0.borrow().strings.get(&operation).copied();
        self.0.send_modify(|stage| stage.calls.push((Instant::now(), operation.clone())));
        act(does, &operation, self.reason(&operation)).await
    }

    fn reason(&self, operation: &str) -> Option<String> {
        let stage = self.0.borrow();
        let reason = stage.reasons.get(operation)?;
        Some(reason.replace("{n}", &stage.times(operation).len().to_string()))
    }

    async fn delivered(&self, device: &str) -> Vec<Change> {
        let mut stage = self.0.subscribe();
        loop {
            let mut next = None;
            self.0.send_if_modified(|stage| {
                next = stage.deliveries.get_mut(device).and_then(VecDeque::pop_front);
                false
            });
            if let Some(changes) = next {
                return changes;
            }
            stage.changed().await.expect("the puppet lives");
        }
    }
}

async fn act(does: Option<Does>, operation: &str, reason: Option<String>) -> Result<(), DriverError> {
    let because = |default: &str| reason.unwrap_or_else(|| default.to_owned());
    match does {
        None => Ok(()),
        Some(Does::Fail) => Err(DriverError::failed(because("it fails"))),
        Some(Does::Refuse) => Err(DriverError::refused(because("it is refused"))),
        Some(Does::Disconnect) => Err(DriverError::disconnected(because("the line is cut"))),
        Some(Does::Hang) => pending().await,
        Some(Does::Panic) => panic!("{operation} panics"),
        Some(Does::Take(time)) => {
            sleep(time).await;
            Ok(())
        }
        Some(Does::Block(time)) => {
            std::thread::sleep(time);
            Ok(())
        }
    }
}

impl Stage {
    fn times(&self, operation: &str) -> Vec<Instant> {
        self.calls.iter().filter(|(_, call)| call == operation).map(|(time, _)| *time).collect()
    }
}

/// `configData`; nothing is asked of it, but that it has no key `bomb`, and that what is there fits.
#[derive(Deserialize)]
pub(super) struct Config {
    #[serde(default, rename = "bomb", deserialize_with = "explode")]
    _bomb: (),
    #[serde(default, rename = "port")]
    _port: u16,
    #[serde(default, rename = "unit")]
    _unit: u8,
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
        Ok(Strung { puppet: self.clone(), device, answered: None })
    }
}

/// A session of the puppet's.
pub(super) struct Strung {
    puppet: Puppet,
    device: String,
    /// When it has answered, the last time.
    answered: Option<Instant>,
}

impl Strung {
    /// A device of which `idle` is cut closes a connection on which nothing has happened since it answered.
    fn is_closed(&self) -> bool {
        let closes = self.puppet.0.borrow().strings.contains_key(&format!("idle {}", self.device));
        closes && self.answered.is_some_and(|answered| answered < Instant::now())
    }

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

    /// Is written down only where something is subscribed, as `subscribe a: x y`.
    async fn subscribe(&mut self, properties: &[Arc<Property<Visitor>>]) -> Result<Subscriptions, DriverError> {
        let subscribed = self.puppet.0.borrow().subscribed.clone();
        if subscribed.is_empty() {
            return Ok(Subscriptions::none());
        }
        self.puppet.perform(format!("subscribe {}", self.device)).await?;
        let names: Vec<_> = properties.iter().map(|property| property.name()).collect();
        self.puppet.perform(format!("subscribe {}: {}", self.device, names.join(" "))).await?;
        Ok(properties.iter().filter(|property| subscribed.contains(&self.place(property))).collect())
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        let place = self.place(property);
        if self.is_closed() {
            return Err(DriverError::disconnected("the device has closed the connection"));
        }
        self.puppet.perform(format!("read {place}")).await?;
        self.answered = Some(Instant::now());
        let reading = self.puppet.0.borrow().values.get(&place).cloned().unwrap_or_else(|| Reading::new(0));
        self.puppet.0.send_modify(|stage| stage.seen.push((place, reading.get_value().clone())));
        Ok(reading)
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        let place = self.place(property);
        if self.is_closed() {
            return Err(DriverError::disconnected("the device has closed the connection"));
        }
        self.puppet.note_written(&place, value);
        let written = self.puppet.perform(format!("write {place}")).await;
        self.answered = Some(Instant::now());
        written?;
        self.puppet.0.send_modify(|stage| stage.taken.push((Instant::now(), place.clone(), value.clone())));
        // A device that is deaf takes a write and does not heed it.
        if !self.puppet.0.borrow().strings.contains_key(&format!("heed {place}")) {
            self.puppet.set(&place, value.clone());
        }
        Ok(())
    }

    /// The method `set` writes its arguments; any other notes them, and returns them.
    async fn call(&mut self, call: &Call<'_, Visitor>) -> Result<Vec<Value>, DriverError> {
        let name = &call.method().name;
        self.puppet.perform(format!("call {name} of {}", self.device)).await?;
        for (property, value) in call.arguments() {
            match name.as_str() {
                "set" => self.write(property, value).await?,
                _ => self.puppet.perform(format!("argument {}={value}", property.name())).await?,
            }
        }
        Ok(call.arguments().map(|(_, value)| value.clone()).collect())
    }

    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        self.puppet.perform(format!("state {}", self.device)).await?;
        Ok(DeviceState::Ok)
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        if self.answered.is_some() && self.puppet.0.borrow().strings.contains_key(&format!("notice {}", self.device)) {
            return Err(DriverError::disconnected("the device has closed the connection"));
        }
        let operation = format!("changed {}", self.device);
        let does = self.puppet.0.borrow().strings.get(&operation).copied();
        match does {
            // A zero stands for a device that delivers nothing, over and over.
            Some(Does::Take(time)) if time.is_zero() => Ok(Vec::new()),
            Some(does) => act(Some(does), &operation, None).await.map(|()| Vec::new()),
            None => Ok(self.puppet.delivered(&self.device).await),
        }
    }

    async fn close(self) {
        drop(self.puppet.perform(format!("close {}", self.device)).await);
    }
}
