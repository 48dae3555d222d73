//! A manager with its devices, and nothing around it: no sockets, and time is paused.

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::puppet::Puppet;
use crate::{
    DeviceSnapshot, DeviceState, Handle, Value,
    config::{ReportConfig, WritesConfig},
    dmi::{
        client::Registration,
        command::{Command, Refusal, Reply},
    },
    driver::{ErasedDriver, erase},
    model::{DeviceId, DeviceInstance, DeviceModel, InstanceProperty, Method, ModelId, ModelProperty, StateReport},
    recording::Recordings,
    runtime::{CredentialsFolder, Dispatch, Settings, manager::Manager},
    sink::Sinks,
    telemetry::{Telemetry, stats::Stats},
    twin::{Outbox, Phase},
    watch::{Filter, Kind, What},
    writes::Writes,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// The deadline of each call of the driver.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// The longest pause between two attempts to connect, the default.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// The most bytes of a frame.
pub(super) const MAX_FRAME: usize = 1 << 20;

/// How long sessions may take to close when the manager stops.
pub(super) const CLOSING: Duration = Duration::from_secs(5);

/// A running manager and all that it is connected to.
pub(super) struct Rig {
    pub(super) puppet: Puppet,
    pub(super) handle: Handle,
    pub(super) outbox: Arc<Outbox>,
    commands: mpsc::Sender<Command>,
    pub(super) telemetry: Telemetry,
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
        Self::of(Puppet::new(), erase, sinks, telemetry, writes(), unused())
    }

    /// Starts a manager that knows the [`model`], and remembers and may write what these say.
    pub(super) async fn with_writes(writes: Writes) -> Self {
        Self::after(Puppet::new(), writes).await
    }

    /// Starts a manager after another one, with the devices of its puppet and what it has remembered.
    pub(super) async fn after(puppet: Puppet, writes: Writes) -> Self {
        let telemetry = Telemetry::default();
        let rig = Self::of(puppet, erase, Sinks::none(telemetry.clone()), telemetry, writes, unused());
        rig.upsert_model(model()).await.expect("nothing is wrong with the model");
        rig
    }

    /// A rig whose driver is made from the puppet.
    pub(super) fn with_driver(driver: impl FnOnce(Puppet) -> Arc<dyn ErasedDriver>) -> Self {
        let telemetry = Telemetry::default();
        Self::of(Puppet::new(), driver, Sinks::none(telemetry.clone()), telemetry, writes(), unused())
    }

    /// A rig whose devices' streams are recorded there.
    pub(super) fn with_recordings(driver: Arc<dyn ErasedDriver>, recordings: Recordings) -> Self {
        let telemetry = Telemetry::default();
        let sinks = Sinks::none(telemetry.clone());
        Self::of(Puppet::new(), |_| driver, sinks, telemetry, writes(), recordings)
    }

    fn of(
        puppet: Puppet,
        driver: impl FnOnce(Puppet) -> Arc<dyn ErasedDriver>,
        sinks: Sinks,
        telemetry: Telemetry,
        writes: Writes,
        recordings: Recordings,
    ) -> Self {
        let outbox = Arc::<Outbox>::default();
        let settings = Settings {
            call_timeout: DEADLINE,
            backoff_max: BACKOFF_MAX,
            closing: CLOSING,
            credentials: CredentialsFolder::default(),
            writes,
            twins: ReportConfig::default().rules(),
            max_frame_bytes: MAX_FRAME,
            recordings,
        };
        let dispatch = Dispatch::new(Arc::clone(&outbox), sinks);
        let (manager, handle) = Manager::new(driver(puppet.clone()), settings, 1.0, dispatch, telemetry.clone());
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

    pub(super) async fn remove_model(&self) -> Result<(), Refusal> {
        self.ask(|reply| Command::RemoveModel(model().id, reply)).await
    }

    pub(super) async fn remove(&self, device: &str) -> Result<(), Refusal> {
        self.ask(|reply| Command::RemoveDevice(id(device), reply)).await
    }

    /// What a registration with these devices comes to: whether another one is needed.
    pub(super) async fn registers(&self, devices: Vec<DeviceInstance>, is_first: bool) -> bool {
        let registration = Registration { models: vec![model()], devices, ..Registration::default() };
        self.handle.reconcile(registration, is_first).await
    }

    pub(super) async fn snapshot(&self, device: &str) -> DeviceSnapshot {
        self.handle.device(&id(device)).await.expect("the device is there")
    }

    pub(super) async fn state(&self, device: &str) -> DeviceState {
        self.snapshot(device).await.state
    }

    /// The states that a device goes through in this time, without repetitions.
    pub(super) async fn states(&self, device: &str, time: Duration) -> Vec<DeviceState> {
        let filter = Filter::all().kinds([Kind::State]).device(id(device));
        let mut watch = self.handle.watch(filter).await.expect("the manager runs");
        let (_, snapshot) = watch.snapshot().devices().first().expect("the device is there");
        let mut states = vec![snapshot.state];
        let collect = async {
            while let Some(event) = watch.next().await {
                states.extend(match event.what() {
                    What::State { state, .. } => Some(*state),
                    _ => None,
                });
            }
        };
        timeout(time, collect).await.expect_err("the mapper does not end");
        states.dedup();
        states
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
        let echo = twin.desired.acknowledged.as_deref().unwrap_or_default().to_owned();
        Some((twin.value, twin.desired.phase, echo))
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

/// Writes are allowed, and what was written is remembered for as long as somebody has a clone of these.
pub(super) fn writes() -> Writes {
    Writes::of(&WritesConfig::default())
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

/// A property that is read every second and wanted to be something, with these keys of the framework in its visitor.
pub(super) fn ruled(name: &str, value: &str, keys: &serde_json::Value) -> InstanceProperty {
    let visitor = keys.as_object().cloned().unwrap_or_default();
    InstanceProperty { visitor: std::sync::Arc::new(visitor), ..desired(name, value) }
}

/// A property that is read every second, with these keys of the framework in its visitor.
pub(super) fn keyed(name: &str, keys: &serde_json::Value) -> InstanceProperty {
    InstanceProperty { desired: String::new(), ..ruled(name, "", keys) }
}

/// A property whose desired value is enforced.
pub(super) fn enforced(name: &str, value: &str) -> InstanceProperty {
    ruled(name, value, &serde_json::json!({"writePolicy": "enforce"}))
}

/// Lives for ever beside the others. While there is one subscriber only, a line that is first reached on a thread without it is taken for one that
/// nobody wants, on all threads.
static BESIDE: LazyLock<tracing::Dispatch> =
    LazyLock::new(|| tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default()));

/// What is logged while the guard lives, on this thread.
pub(super) struct Logged {
    lines: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Logged {
    pub(super) fn warnings() -> Self {
        Self::from(tracing::Level::WARN)
    }

    /// What is logged at a level and above.
    pub(super) fn from(level: tracing::Level) -> Self {
        LazyLock::force(&BESIDE);
        let lines = Arc::<Mutex<Vec<u8>>>::default();
        let sink = Arc::clone(&lines);
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(move || Sink(Arc::clone(&sink)))
            .finish();
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// How many lines hold a text.
    pub(super) fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
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

/// Where nothing is recorded.
fn unused() -> Recordings {
    Recordings::new("unused", false)
}
