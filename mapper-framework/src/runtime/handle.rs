//! Questions and orders to the running mapper from within its own process.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::{
    dmi::client::Registration,
    model::{Device, DeviceId, DeviceState, Sample},
    sink::{HistoryError, HistoryRequest, Point, Series, SinkStatus, Sinks},
    telemetry::{Stats, Telemetry},
};

/// Asks a running mapper, and has devices written. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) sinks: Sinks,
    pub(super) telemetry: Telemetry,
}

/// What is asked of the manager, besides what edgecore asks.
#[derive(Debug)]
pub(super) enum Request {
    /// edgecore's answer to a registration.
    Reconcile(Registration, oneshot::Sender<()>),
    Devices(oneshot::Sender<Vec<DeviceId>>),
    Device(DeviceId, oneshot::Sender<Option<DeviceSnapshot>>),
    /// The series of a device's properties; `None` if there is no such device.
    Series(DeviceId, oneshot::Sender<Option<Vec<Arc<Series>>>>),
    Operate(DeviceId, Operation),
}

/// Something to be done to a device.
#[derive(Debug)]
pub(super) struct Operation {
    /// The method, or `None` for a plain write.
    pub(super) method: Option<String>,
    pub(super) property: String,
    pub(super) text: String,
    pub(super) reply: oneshot::Sender<Result<(), OperationError>>,
}

/// A device at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceSnapshot {
    /// The device; `None` while its model is not known.
    pub device: Option<Arc<Device>>,
    /// Its state.
    pub state: DeviceState,
    /// Why it is in that state, where there is something to say.
    pub reason: Option<String>,
    /// The last value of each property that was ever read, in no order.
    pub samples: Vec<Sample>,
}

/// Why a device was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// There is no such device, property or method.
    #[error("{0}")]
    NotFound(String),
    /// The value cannot be written to the property.
    #[error("device {device}, property {property:?}: {reason}")]
    Invalid {
        /// The device.
        device: DeviceId,
        /// The property.
        property: String,
        /// Why not.
        reason: String,
    },
    /// The mapper has no session to the device now, or too much to do for it.
    #[error("device {device} cannot be written now: {reason}")]
    Unavailable {
        /// The device.
        device: DeviceId,
        /// Why not.
        reason: String,
    },
    /// The driver failed.
    #[error("device {device}, property {property:?}: {reason}")]
    Failed {
        /// The device.
        device: DeviceId,
        /// The property.
        property: String,
        /// The driver's error.
        reason: String,
    },
    /// The mapper is stopping.
    #[error("the mapper is stopping")]
    Stopping,
}

impl OperationError {
    /// Whether the same order may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Failed { .. })
    }
}

impl Handle {
    /// The names of all devices, in order; empty when the mapper has stopped.
    pub async fn devices(&self) -> Vec<DeviceId> {
        self.ask(Request::Devices).await.unwrap_or_default()
    }

    /// One device; `None` if there is no such device, or the mapper has stopped.
    pub async fn device(&self, device: &DeviceId) -> Option<DeviceSnapshot> {
        self.ask(|reply| Request::Device(device.clone(), reply)).await.flatten()
    }

    /// Writes a property. `text` is the value as a user writes it in `desired`.
    ///
    /// # Errors
    ///
    /// See [`OperationError`].
    pub async fn write(&self, device: &DeviceId, property: &str, text: &str) -> Result<(), OperationError> {
        self.operate(device, None, property, text).await
    }

    /// Calls a method of a device on one of the method's properties.
    ///
    /// # Errors
    ///
    /// See [`OperationError`].
    pub async fn call(
        &self,
        device: &DeviceId,
        method: &str,
        property: &str,
        text: &str,
    ) -> Result<(), OperationError> {
        self.operate(device, Some(method.to_owned()), property, text).await
    }

    /// What the sinks have kept of a device, oldest first: at most the newest `limit` values of the range.
    ///
    /// Where a property goes to several sinks, the first that keeps a history answers, in the order of their kinds' names.
    ///
    /// # Errors
    ///
    /// There is no such device, none of its sinks keeps a history, or the sink cannot be asked.
    pub async fn history(&self, request: HistoryRequest) -> Result<Vec<Point>, HistoryError> {
        let asked = self.ask(|reply| Request::Series(request.device.clone(), reply)).await;
        let series = asked.ok_or(HistoryError::Stopping)?;
        let series = series.ok_or_else(|| HistoryError::NotFound(format!("there is no device {}", request.device)))?;
        self.sinks.history(series, &request).await
    }

    /// The targets that samples go to, by their names: whether each can be written to, and what has become of its records.
    pub fn sinks(&self) -> Vec<SinkStatus> {
        self.sinks.statuses()
    }

    /// Waits until the targets fit, at once if they do: until nothing is in flight any more, say.
    pub async fn wait_for_sinks(&self, fits: impl FnMut(&[SinkStatus]) -> bool) {
        self.sinks.wait_until(fits).await;
    }

    /// What the mapper has counted since its start.
    pub fn stats(&self) -> Stats {
        self.telemetry.stats()
    }

    /// Takes in edgecore's answer to a registration.
    pub(crate) async fn reconcile(&self, registration: Registration) {
        // Only a manager that has stopped does not answer, and then there is nothing to reconcile.
        self.ask(|reply| Request::Reconcile(registration, reply)).await;
    }

    async fn operate(
        &self,
        device: &DeviceId,
        method: Option<String>,
        property: &str,
        text: &str,
    ) -> Result<(), OperationError> {
        let (property, text) = (property.to_owned(), text.to_owned());
        self.ask(|reply| Request::Operate(device.clone(), Operation { method, property, text, reply }))
            .await
            .unwrap_or(Err(OperationError::Stopping))
    }

    /// `None` when the manager has stopped.
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// Whoever asked may have given up: then nobody misses the answer.
pub(super) fn answer<T>(reply: oneshot::Sender<T>, answer: T) {
    drop(reply.send(answer));
}
