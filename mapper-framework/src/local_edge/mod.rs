//! An edgecore within the process: for `--standalone` runs and for tests.
//!
//! A [`LocalEdge`] is what a mapper sees of a KubeEdge node: it listens on a unix socket, speaks the Device Management
//! Interface, calls the mapper back on *its* socket, and reads devices and models from the YAML that `kubectl apply` takes.
//! It is a double, and so it keeps the habits of the original, the bad ones above all:
//!
//! - one budget for all calls of all mappers: 100 at once, then one per second;
//! - twin values with a sign outside its alphabet are dropped while the call succeeds, and so are states that it has no word for, and all that
//!   comes from a namespace that is a part of `$hw/events/device/`, such as `dev`;
//! - every number in `configData` arrives as a 32-bit float, and nested maps and lists not at all;
//! - a register call without mapper, or a twin without both of its sides, crashes it;
//! - it dials the mapper afresh for each call, gives it 10 s, never repeats a call, and sends an `:authority` that is none;
//! - a mapper that registers gets a model once for each of its devices;
//! - a device whose model is not there is not sent, and the model's coming does not change that: apply the device again;
//! - a device that is deleted while no mapper takes the message, or while it answers with an error, comes back with the next registration,
//!   until a restart;
//! - over the event bus ([`LocalEdgeBuilder::event_bus`]) one twin that it does not store loses its whole message, and the answer to an illegal
//!   value names neither the device nor the message; what is published while it is away is lost;
//! - the cloud gets `value` of `reported` and of `observedDesired`, no metadata, and loses the first report of each twin: see
//!   [`LocalEdge::cloud_twin`].
//!
//! What differs between KubeEdge's versions is set on the [`LocalEdgeBuilder`].
//!
//! # Limits
//!
//! In these it is kinder than a node:
//!
//! - its cloud is always connected. What changes in the cloud while a node is cut off never reaches the mapper: desired values and new devices
//!   after a restart of edgecore, deletions not at all;
//! - a model that is changed by itself is sent to the mapper, with an [`EdgeEvent::Warning`]. A node gets it with the next change of a device;
//! - a device is deleted by one call. KubeEdge removes its model from the mapper first, and then the device;
//! - a DMI report is stored and answered on the event bus at once, and does not wait behind what came over the bus;
//! - edgecore publishes nothing on the bus but the results of twins and states: no `document`, no `delta`.
//!
//! There are no metrics and no database: a restart keeps devices, twins and states in memory. What is applied
//! while the edge is stopped reaches a mapper when it registers. Messages past 4 MiB are refused as by grpc-go, but with
//! tonic's code (`OUT_OF_RANGE`).
//!
//! # Example
//!
//! ```no_run
//! # async fn example() -> Result<(), mapper_framework::local_edge::LocalEdgeError> {
//! use mapper_framework::{local_edge::LocalEdge, model::DeviceId};
//!
//! let edge = LocalEdge::builder().start("/tmp/edge").await?;
//! edge.apply_dir("devices").await?;
//! // … start a mapper that connects to edge.socket() …
//! let thermometer = DeviceId::new("default", "thermometer-1");
//! edge.wait_until(|state| state.twin(&thermometer, "temperature").is_some()).await;
//! edge.set_desired(&thermometer, "heater", "false").await?;
//! # Ok(())
//! # }
//! ```

mod alphabet;
mod builder;
#[cfg(feature = "eventbus")]
mod bus;
mod cloud;
pub(crate) mod console;
mod core;
mod devices;
mod dial;
mod error;
mod event;
mod folder;
mod limiter;
mod quirks;
mod reports;
mod run;
mod service;
mod state;
mod twin;
mod watch;

#[cfg(test)]
mod end_to_end;

use std::{path::Path, sync::Arc};

use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};

pub use builder::LocalEdgeBuilder;
pub(crate) use devices::devices;
pub use error::{LocalEdgeError, SendFailure};
pub use event::{EdgeEvent, EdgeEvents, Operation};
pub use state::{Counts, EdgeState, RegisteredMapper};
pub use twin::{CloudTwin, DropReason, StoredTwin};

use self::{
    core::{Core, REPEAT_CAPACITY},
    quirks::Quirks,
    run::Run,
    watch::Follower,
};
pub use crate::manifest::ManifestError;
use crate::{
    manifest::{self, Resource},
    model::{DeviceId, ModelId},
};

/// An edgecore within the process. Dropping it ends everything it has started and removes its socket.
#[derive(Debug)]
pub struct LocalEdge {
    core: Arc<Core>,
    /// `None` while stopped. Held while the edge starts or stops, so that neither overtakes the other.
    run: Mutex<Option<Run>>,
    /// The followers of folders and the repeater of updates; aborted when dropped. Locked to add one.
    tasks: Mutex<JoinSet<()>>,
}

impl LocalEdge {
    /// Sets up an edge; by default one like KubeEdge v1.23.
    pub fn builder() -> LocalEdgeBuilder {
        LocalEdgeBuilder::default()
    }

    async fn start(quirks: Quirks, folder: &Path) -> Result<Self, LocalEdgeError> {
        tokio::fs::create_dir_all(folder).await.map_err(|error| LocalEdgeError::io(folder, error))?;
        let (sender, receiver) = mpsc::channel(REPEAT_CAPACITY);
        let core = Core::new(quirks, folder.join("dmi.sock"), sender);
        #[cfg(feature = "eventbus")]
        let core = core.with_bus().await?;
        let core = Arc::new(core);
        let run = Run::start(&core)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(repeat_updates(Arc::clone(&core), receiver));
        Ok(Self { core, run: Mutex::new(Some(run)), tasks: Mutex::new(tasks) })
    }

    /// The socket that mappers connect to.
    pub fn socket(&self) -> &Path {
        &self.core.socket
    }

    /// Creates or updates the devices and models of a YAML text, as `kubectl apply` does, and calls their mappers.
    ///
    /// Models come before devices, whatever their order. A mapper that is not there, or fails, is no error, but an
    /// [`EdgeEvent`]. Keys that nobody reads and documents of other kinds are an [`EdgeEvent::Warning`].
    ///
    /// # Errors
    ///
    /// A document is wrong. Nothing is applied then.
    pub async fn apply(&self, yaml: &str) -> Result<(), LocalEdgeError> {
        let parsed = manifest::parse(yaml, None)?;
        self.warn(parsed.warnings);
        self.core.apply(parsed.resources).await;
        Ok(())
    }

    /// Applies all `.yaml`, `.yml` and `.json` files of a folder, but not of the folders in it, like [`apply`](Self::apply).
    ///
    /// # Errors
    ///
    /// A file cannot be read, or is wrong. Nothing is applied then.
    pub async fn apply_dir(&self, folder: impl AsRef<Path>) -> Result<(), LocalEdgeError> {
        let folder = folder.as_ref();
        let files = folder::read(folder).await.map_err(|error| LocalEdgeError::io(folder, error))?;
        let mut resources: Vec<Resource> = Vec::new();
        let mut warnings = Vec::new();
        for parsed in files.into_values() {
            let parsed = parsed?;
            resources.extend(parsed.resources);
            warnings.extend(parsed.warnings);
        }
        self.warn(warnings);
        self.core.apply(resources).await;
        Ok(())
    }

    /// Applies a folder or a file as it is, and then whatever changes in it, until the edge is dropped.
    ///
    /// A file that is wrong becomes an [`EdgeEvent::ManifestRefused`]; what was applied of it before stays. What is removed
    /// from the folder is deleted from the edge.
    ///
    /// # Errors
    ///
    /// The path cannot be read or watched.
    pub async fn watch(&self, folder: impl AsRef<Path>) -> Result<(), LocalEdgeError> {
        let follower = Follower::start(Arc::clone(&self.core), folder.as_ref()).await?;
        self.tasks.lock().await.spawn(follower.run());
        Ok(())
    }

    /// Deletes a device, with its twins and its state, and calls its mapper.
    ///
    /// If the mapper cannot be called, the edge gives the device to the next mapper that registers, until it restarts.
    ///
    /// # Errors
    ///
    /// There is no such device.
    pub async fn delete_device(&self, device: &DeviceId) -> Result<(), LocalEdgeError> {
        self.core.delete_device(device).await
    }

    /// Deletes a device model and calls its mapper.
    ///
    /// # Errors
    ///
    /// There is no such model.
    pub async fn delete_model(&self, model: &ModelId) -> Result<(), LocalEdgeError> {
        self.core.delete_model(model).await
    }

    /// Sets the value that the user wants a property to have, and sends the device to its mapper.
    ///
    /// # Errors
    ///
    /// There is no such device, or it has no such property.
    pub async fn set_desired(&self, device: &DeviceId, property: &str, value: &str) -> Result<(), LocalEdgeError> {
        self.core.set_desired(device, property, value).await
    }

    /// Stops the edge: its connections end, calls to mappers break off, its socket is gone. Does nothing if it is stopped.
    ///
    /// What is stored stays, and manifests may still be applied.
    pub async fn stop(&self) {
        if let Some(run) = self.run.lock().await.take() {
            run.stop(&self.core).await;
        }
    }

    /// Stops the edge, if it runs, and starts it on a new socket. The budget is full again.
    ///
    /// # Errors
    ///
    /// The socket cannot be created.
    pub async fn restart(&self) -> Result<(), LocalEdgeError> {
        let mut run = self.run.lock().await;
        if let Some(run) = run.take() {
            run.stop(&self.core).await;
        }
        self.core.change(|state| state.restart(self.core.quirks.forgets_mappers));
        *run = Some(Run::start(&self.core)?);
        Ok(())
    }

    /// What is stored for a property; `None` before its first report.
    pub fn twin(&self, device: &DeviceId, property: &str) -> Option<StoredTwin> {
        self.core.read(|state| state.twin(device, property).cloned())
    }

    /// What the cloud shows for a property; `None` before its first report, and empty until the second one.
    pub fn cloud_twin(&self, device: &DeviceId, property: &str) -> Option<CloudTwin> {
        self.core.read(|state| state.cloud_twin(device, property))
    }

    /// Everything that is stored, by device and property.
    pub fn twins(&self) -> Vec<(DeviceId, String, StoredTwin)> {
        self.core.read(|state| {
            let twins = state.twins();
            twins.map(|(device, property, twin)| (device.clone(), property.to_owned(), twin.clone())).collect()
        })
    }

    /// The state of a device; `None` before its first report.
    pub fn state(&self, device: &DeviceId) -> Option<String> {
        self.core.read(|state| state.state(device).map(str::to_owned))
    }

    /// The mappers that have registered, one for each protocol.
    pub fn mappers(&self) -> Vec<RegisteredMapper> {
        self.core.read(|state| state.mappers().cloned().collect())
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.core.read(EdgeState::counts)
    }

    /// Why the edge has crashed; `None` if it has not since its last start.
    pub fn crashed(&self) -> Option<String> {
        self.core.read(|state| state.crashed().map(str::to_owned))
    }

    /// Subscribes to what happens from now on.
    pub fn events(&self) -> EdgeEvents {
        self.core.events()
    }

    /// Waits until the state fits, at once if it does. It waits for ever if it never does.
    ///
    /// The question is asked under the lock of the state: ask the [`EdgeState`], not the edge.
    pub async fn wait_until(&self, fits: impl FnMut(&EdgeState) -> bool) {
        self.core.wait_until(fits).await;
    }

    fn warn(&self, warnings: Vec<String>) {
        for message in warnings {
            self.core.emit(EdgeEvent::Warning { message });
        }
    }
}

impl Drop for LocalEdge {
    fn drop(&mut self) {
        if self.run.get_mut().take().is_some() {
            self.core.change(|state| state.run = None);
            run::remove_socket(&self.core.socket);
        }
    }
}

/// Sends devices once more after their reports, as older edgecores do.
async fn repeat_updates(core: Arc<Core>, mut devices: mpsc::Receiver<DeviceId>) {
    while let Some(device) = devices.recv().await {
        core.repeat(&device).await;
    }
}
