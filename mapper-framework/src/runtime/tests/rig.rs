//! A manager with its devices, and nothing around it: no sockets, and time is paused.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::puppet::Puppet;
use crate::{
    DeviceSnapshot, DeviceState, Handle, Stats, Value,
    dmi::command::{Command, Refusal, Reply},
    driver::erase,
    model::{DeviceId, DeviceInstance, DeviceModel, InstanceProperty, Method, ModelId, ModelProperty, StateReport},
    runtime::{Dispatch, Settings, manager::Manager},
    sink::Sinks,
    telemetry::Telemetry,
    twin::{Outbox, Phase},
};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// The deadline of each call of the driver.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// How long sessions may take to close when the manager stops.
pub(super) const CLOSING: Duration = Duration::from_secs(5);

/// A running manager and all that it is connected to.
pub(super) struct Rig {
    pub(super) puppet: Puppet,
    pub(super) handle: Handle,
    pub(super) outbox: Arc<Outbox>,
    commands: mpsc::Sender<Command>,
    telemetry: Telemetry,
    stop: CancellationToken,
    manager: JoinHandle<()>,
}

impl Rig {
    /// Starts a manager that knows the [`model`].
    pub(super) async fn new() -> Self {
        let rig = Self::without_model();
        rig.upsert_model(model()).await.expect("nothing is wrong with the model");
        rig
    }

    pub(super) fn without_model() -> Self {
        let telemetry = Telemetry::default();
        Self::with_sinks(Sinks::none(telemetry.clone()), telemetry)
    }

    pub(super) fn with_sinks(sinks: Sinks, telemetry: Telemetry) -> Self {
        let (puppet, outbox) = (Puppet::new(), Arc::<Outbox>::default());
        let settings = Settings { call_timeout: DEADLINE, backoff_max: 60 * SECOND, closing: CLOSING };
        let dispatch = Dispatch::new(Arc::clone(&outbox), sinks, telemetry.clone());
        let (manager, handle) = Manager::new(erase(puppet.clone()), settings, 1.0, dispatch, telemetry.clone());
        let (commands, received) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let manager = tokio::spawn(manager.run(received, stop.clone()));
        Self { puppet, handle, outbox, commands, telemetry, stop, manager }
    }

    pub(super) async fn upsert(&self, device: DeviceInstance) -> Result<(), Refusal> {
        self.ask(|reply| Command::UpsertDevice(Box::new(device), reply)).await
    }

    /// Registers a device with which nothing is wrong.
    pub(super) async fn add(&self, device: DeviceInstance) {
        self.upsert(device).await.expect("nothing is wrong with the device");
    }

    pub(super) async fn upsert_model(&self, model: DeviceModel) -> Result<(), Refusal> {
        self.ask(|reply| Command::UpsertModel(model, reply)).await
    }

    pub(super) async fn remove(&self, device: &str) -> Result<(), Refusal> {
        self.ask(|reply| Command::RemoveDevice(id(device), reply)).await
    }

    pub(super) async fn snapshot(&self, device: &str) -> DeviceSnapshot {
        self.handle.device(&id(device)).await.expect("the device is there")
    }

    pub(super) async fn state(&self, device: &str) -> DeviceState {
        self.snapshot(device).await.state
    }

    /// The last value of a property.
    pub(super) async fn value(&self, device: &str, property: &str) -> Option<Value> {
        let samples = self.snapshot(device).await.samples;
        samples.into_iter().find(|sample| sample.property.name() == property).map(|sample| sample.value)
    }

    pub(super) async fn write(&self, device: &str, property: &str, text: &str) -> Result<(), String> {
        self.handle.write(&id(device), property, text).await.map_err(|error| error.to_string())
    }

    /// The desired value's phase and echo that will be reported with the twin.
    pub(super) fn reported(&self, device: &str, property: &str) -> Option<(Value, Option<Phase>, String)> {
        let twin = self.outbox.pending(&id(device), property)?;
        Some((twin.value, twin.phase, twin.property.desired().unwrap_or_default().to_owned()))
    }

    pub(super) fn stats(&self) -> Stats {
        self.telemetry.stats()
    }

    /// Stops the manager and waits for its end.
    pub(super) async fn stop(self) -> (Puppet, Arc<Outbox>) {
        self.stop.cancel();
        self.manager.await.expect("the manager does not panic");
        (self.puppet, self.outbox)
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.expect("the manager runs");
        answer.await.expect("the manager answers")
    }
}

pub(super) fn id(name: &str) -> DeviceId {
    DeviceId::new("", name)
}

/// A model of integers: `x`, `y` and `level` (0 to 100) can be written, `fixed` cannot.
pub(super) fn model() -> DeviceModel {
    let property = |name: &str, access_mode: &str| ModelProperty {
        name: name.into(),
        data_type: "INT".into(),
        access_mode: access_mode.into(),
        minimum: "0".into(),
        maximum: "100".into(),
        ..ModelProperty::default()
    };
    let writable = ["x", "y", "level"].map(|name| property(name, "ReadWrite"));
    let properties = writable.into_iter().chain([property("fixed", "ReadOnly")]).collect();
    DeviceModel { id: ModelId::new("", "puppet"), properties }
}

/// A device of the [`model`] with these properties, its state reported every second.
pub(super) fn device<const N: usize>(name: &str, properties: [InstanceProperty; N]) -> DeviceInstance {
    DeviceInstance {
        id: id(name),
        model: ModelId::new("", "puppet"),
        protocol: "puppet".into(),
        config: serde_json::Map::new(),
        properties: properties.into(),
        methods: vec![Method { name: "set".into(), description: String::new(), property_names: vec!["x".into()] }],
        state_report: Some(StateReport { cycle: SECOND }),
        problems: Vec::new(),
    }
}

/// A property that is read every so many milliseconds.
pub(super) fn property(name: &str, millis: u64) -> InstanceProperty {
    let collect_cycle = Duration::from_millis(millis);
    InstanceProperty { name: name.into(), collect_cycle, report_to_cloud: true, ..InstanceProperty::default() }
}

/// A property that is read every second and wanted to be something.
pub(super) fn desired(name: &str, value: &str) -> InstanceProperty {
    InstanceProperty { desired: value.into(), ..property(name, 1000) }
}

/// What is logged at WARN and above while the guard lives, on this thread.
pub(super) struct Logged {
    lines: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Logged {
    pub(super) fn warnings() -> Self {
        let lines = Arc::<Mutex<Vec<u8>>>::default();
        let sink = Arc::clone(&lines);
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_ansi(false)
            .with_writer(move || Sink(Arc::clone(&sink)))
            .finish();
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().expect("nobody panics while logging");
        String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect()
    }
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics while logging").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
