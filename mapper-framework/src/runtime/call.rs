//! A call into the driver, fenced in: a deadline, and no way out for a panic.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::time::Instant;

use crate::{
    driver::Deadline,
    model::DeviceId,
    telemetry::{
        Occurrence, Telemetry,
        sessions::{DeadlineMissed, DriverPanicked},
    },
};

use super::{
    news::News,
    watchdog::{Mark, Watchdog},
};

/// The fence around the calls that one device makes into the driver.
pub(super) struct Fence {
    device: DeviceId,
    deadline: Duration,
    telemetry: Telemetry,
    mark: Arc<Mark>,
    /// The missed deadlines and panics that have been logged. Locked for a moment when one happens.
    said: Mutex<News>,
}

impl Fence {
    /// A fence with a deadline for each call, whose polls are watched.
    pub(super) fn new(device: &DeviceId, deadline: Duration, telemetry: &Telemetry, watchdog: &Watchdog) -> Self {
        let mark = watchdog.watch(device, telemetry);
        Self { device: device.clone(), deadline, telemetry: telemetry.clone(), mark, said: Mutex::default() }
    }

    /// Runs a call into the driver.
    ///
    /// # Errors
    ///
    /// The call missed its deadline or panicked. What it was made on can no longer be trusted.
    pub(super) async fn timed<T>(&self, operation: &'static str, call: impl Future<Output = T>) -> Result<T, String> {
        self.timed_until(operation, &self.new_deadline(), call).await
    }

    /// The deadline of a call that begins now.
    pub(super) fn new_deadline(&self) -> Deadline {
        Deadline::after(self.deadline)
    }

    /// As [`timed`](Self::timed), until a deadline that the call may move on.
    pub(super) async fn timed_until<T>(
        &self,
        operation: &'static str,
        deadline: &Deadline,
        call: impl Future<Output = T>,
    ) -> Result<T, String> {
        tokio::select! {
            biased;
            outcome = self.caught(operation, call) => outcome,
            () = deadline.missed() => {
                let patience = deadline.patience();
                let message = format!("{operation} took longer than {patience:?}");
                let (device, occurrence) = (&self.device, self.occurrence(&message));
                self.telemetry.emit(DeadlineMissed { device, operation, deadline: patience, occurrence });
                Err(message)
            }
        }
    }

    /// Runs a call into the driver that may take as long as it likes.
    ///
    /// # Errors
    ///
    /// The call panicked.
    pub(super) async fn caught<T>(&self, operation: &'static str, call: impl Future<Output = T>) -> Result<T, String> {
        // What a panic leaves behind half done is dropped by the caller.
        let call = AssertUnwindSafe(self.mark.watched(operation, call));
        call.catch_unwind().await.map_err(|panic| self.panicked(operation, &*panic))
    }

    /// Has the driver's types read what the user wrote.
    ///
    /// # Errors
    ///
    /// They panicked.
    pub(super) fn checked<T>(&self, check: impl FnOnce() -> T) -> Result<T, String> {
        // Nothing is shared with the check but the driver, and that must bear its panics anyway.
        let check = AssertUnwindSafe(|| self.mark.watched_blocking("check", check));
        catch_unwind(check).map_err(|panic| self.panicked("check", &*panic))
    }

    fn panicked(&self, operation: &'static str, panic: &(dyn Any + Send)) -> String {
        let message = panic_message(panic);
        let text = format!("the driver panicked in {operation}: {message}");
        let (device, occurrence) = (&self.device, self.occurrence(&text));
        self.telemetry.emit(DriverPanicked { device, operation, panic: message, occurrence });
        text
    }

    fn occurrence(&self, message: &str) -> Occurrence {
        let is_due = self.said.lock().unwrap_or_else(PoisonError::into_inner).is_due(message, Instant::now());
        Occurrence::first_if(is_due)
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
