//! A driver whose calls are recorded.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{
    Recorder,
    entry::{Event, Outcome, Read, Text, base64},
};
use crate::{
    driver::{
        Change, Deadline, Discovery, DriverError, ErasedDriver, ErasedProperty, ErasedSession, FrameSender, Results,
        Subscriptions, WIRE, Wire,
    },
    manifest::write,
    model::{Device, DeviceState, Method, Problem, Property, Secrets, Value},
};

/// The same driver, of which all calls to its sessions are recorded.
pub(crate) fn recording(driver: Arc<dyn ErasedDriver>, recorder: Arc<Recorder>) -> Arc<dyn ErasedDriver> {
    Arc::new(Recording { driver, recorder, devices: Mutex::default() })
}

struct Recording {
    driver: Arc<dyn ErasedDriver>,
    recorder: Arc<Recorder>,
    /// How many sessions there were to each device, and its manifests. Held to count one more.
    devices: Mutex<HashMap<String, (u64, String)>>,
}

/// A property with its name, which a typed one does not show.
struct Named {
    name: String,
    property: ErasedProperty,
}

/// The session of a device in the recording.
#[derive(Clone)]
struct Track {
    recorder: Arc<Recorder>,
    device: String,
    session: u64,
    secrets: Arc<Secrets>,
}

impl Wire for Track {
    fn sent(&self, bytes: &[u8]) {
        self.keep(Instant::now(), Event::Sent { bytes: base64(&self.secrets.redacted_bytes(bytes)) });
    }

    fn received(&self, bytes: &[u8]) {
        self.keep(Instant::now(), Event::Received { bytes: base64(&self.secrets.redacted_bytes(bytes)) });
    }
}

impl Track {
    fn keep(&self, began: Instant, event: Event) {
        self.recorder.keep(&self.device, self.session, began.elapsed(), event);
    }

    /// Makes a call, and keeps what comes of it, or that it was cut off.
    async fn call<T>(
        &self,
        of: &'static str,
        properties: Vec<String>,
        call: impl Future<Output = T>,
        event: impl FnOnce(&T, &Secrets) -> Event,
    ) -> T {
        let mut pending = Pending { track: self, began: Instant::now(), of: Some((of, properties)) };
        let result = WIRE.scope(Arc::new(self.clone()), call).await;
        pending.of = None;
        self.keep(pending.began, event(&result, &self.secrets));
        result
    }
}

/// A call that has not ended.
struct Pending<'a> {
    track: &'a Track,
    began: Instant,
    of: Option<(&'static str, Vec<String>)>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some((of, properties)) = self.of.take() {
            self.track.keep(self.began, Event::CutOff { of: of.to_owned(), properties });
        }
    }
}

impl Recording {
    /// The next session of a device, and its manifests if they are not those of the one before.
    fn begin(&self, device: &Device) -> (Track, Option<String>) {
        let secrets = Secrets::of(device.credentials());
        let written = write::whole(&without(device, &secrets));
        let configs: Vec<_> = device.properties().map(Property::visitor).chain([device.config()]).collect();
        let secrets = secrets.on_the_wire(device.credentials(), &configs);
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let (session, manifests) = devices.entry(device.id().to_string()).or_default();
        *session += 1;
        let is_new = *manifests != written;
        let track = Track {
            recorder: Arc::clone(&self.recorder),
            device: device.id().to_string(),
            session: *session,
            secrets: Arc::new(secrets),
        };
        if is_new {
            manifests.clone_from(&written);
        }
        (track, is_new.then_some(written))
    }
}

/// The device without what is secret in its configs.
fn without(device: &Device, secrets: &Secrets) -> Device {
    let mut device = device.clone();
    secrets.take_out_of(&mut device.config);
    for property in &mut device.properties {
        let mut visitor = property.visitor().clone();
        if !secrets.take_out_of(&mut visitor).is_empty() {
            *property = Arc::new(property.with_visitor(visitor));
        }
    }
    device
}

#[async_trait]
impl ErasedDriver for Recording {
    fn check_config(&self, device: &Device) -> Result<(), Vec<Problem>> {
        self.driver.check_config(device)
    }

    fn bind(&self, property: &Property) -> Result<ErasedProperty, Vec<Problem>> {
        let name = property.name().to_owned();
        Ok(Arc::new(Named { name, property: self.driver.bind(property)? }))
    }

    left_to_the_driver!();

    async fn connect(&self, device: &Device) -> Result<Box<dyn ErasedSession>, DriverError> {
        let (track, manifests) = self.begin(device);
        let session = track
            .call("connect", Vec::new(), self.driver.connect(device), |connected, secrets| Event::Connect {
                manifests,
                outcome: Outcome::of(connected, secrets, |_| ()),
            })
            .await?;
        Ok(Box::new(RecordedSession { session, track }))
    }

    async fn discover(&self, discovery: &Discovery) -> Result<(), DriverError> {
        self.driver.discover(discovery).await
    }
}

struct RecordedSession {
    session: Box<dyn ErasedSession>,
    track: Track,
}

fn named(property: &ErasedProperty) -> Arc<Named> {
    let property: Arc<dyn Any + Send + Sync> = Arc::clone(property);
    property.downcast().expect("properties are bound by the driver that made the session")
}

/// The names of properties, and what the driver knows them by.
fn split(properties: &[ErasedProperty]) -> (Vec<String>, Vec<ErasedProperty>) {
    properties.iter().map(named).map(|named| (named.name.clone(), Arc::clone(&named.property))).unzip()
}

#[async_trait]
impl ErasedSession for RecordedSession {
    async fn subscribe(&mut self, properties: &[ErasedProperty]) -> Result<Subscriptions, DriverError> {
        let (_, properties) = split(properties);
        let call = self.session.subscribe(&properties);
        let names = |subscriptions: &Subscriptions| {
            let mut names: Vec<_> = subscriptions.names().map(str::to_owned).collect();
            names.sort();
            names
        };
        let event = |result: &_, secrets: &_| Event::Subscribe { outcome: Outcome::of(result, secrets, names) };
        self.track.call("subscribe", Vec::new(), call, event).await
    }

    async fn read_many(
        &mut self,
        properties: &[ErasedProperty],
        results: &mut Results,
        deadline: &Deadline,
    ) -> Result<(), DriverError> {
        let (names, properties) = split(properties);
        let mut pending = Pending { track: &self.track, began: Instant::now(), of: Some(("read", names.clone())) };
        let wire: Arc<dyn Wire> = Arc::new(self.track.clone());
        let result = WIRE.scope(wire, self.session.read_many(&properties, results, deadline)).await;
        pending.of = None;
        let secrets = &self.track.secrets;
        let read = |result: &Result<_, _>| Outcome::of(result, secrets, Read::of);
        let results = names.into_iter().zip(results.iter().map(|result| result.map(read))).collect();
        self.track.keep(pending.began, Event::Read { results, outcome: Outcome::<()>::done(&result, secrets) });
        result
    }

    async fn write(&mut self, property: &ErasedProperty, value: &Value) -> Result<(), DriverError> {
        let property = named(property);
        let call = self.session.write(&property.property, value);
        let event = |result: &_, secrets: &_| Event::Write {
            property: property.name.clone(),
            value: Text::of(value),
            outcome: Outcome::<()>::done(result, secrets),
        };
        self.track.call("write", vec![property.name.clone()], call, event).await
    }

    async fn call(
        &mut self,
        method: &Method,
        arguments: Vec<(ErasedProperty, Value)>,
    ) -> Result<Vec<Value>, DriverError> {
        let texts: Vec<_> = arguments.iter().map(|(it, value)| (named(it).name.clone(), Text::of(value))).collect();
        let arguments = arguments.into_iter().map(|(it, value)| (Arc::clone(&named(&it).property), value)).collect();
        let call = self.session.call(method, arguments);
        let event = |result: &_, secrets: &_| Event::Call {
            method: method.name.clone(),
            arguments: texts,
            outcome: Outcome::of(result, secrets, |values: &Vec<Value>| values.iter().map(Text::of).collect()),
        };
        self.track.call("call", vec![method.name.clone()], call, event).await
    }

    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        let word = |state: &DeviceState| state.as_str().to_owned();
        let event = |result: &_, secrets: &_| Event::State { outcome: Outcome::of(result, secrets, word) };
        self.track.call("state", Vec::new(), self.session.state(), event).await
    }

    /// Is cancelled whenever something else is to be done, which is nothing to be kept.
    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        let wire: Arc<dyn Wire> = Arc::new(self.track.clone());
        let result = WIRE.scope(wire, self.session.changed()).await;
        let secrets = &self.track.secrets;
        let read = |result: Result<&_, &DriverError>| match result {
            Ok(reading) => Outcome::Ok(Read::of(reading)),
            Err(error) => Outcome::failed(error, secrets),
        };
        let changes = |changes: &Vec<Change>| {
            changes.iter().map(|change| (change.property().to_owned(), read(change.result()))).collect()
        };
        self.track.keep(Instant::now(), Event::Changed { outcome: Outcome::of(&result, secrets, changes) });
        result
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        let event = |result: &_, secrets: &_| Event::Stream { outcome: Outcome::<()>::done(result, secrets) };
        self.track.call("stream", Vec::new(), self.session.stream(frames), event).await
    }

    async fn close(self: Box<Self>) {
        let Self { session, track } = *self;
        track.call("close", Vec::new(), session.close(), |(), _| Event::Close).await;
    }
}
