//! A call into the driver, fenced in: a deadline, and no way out for a panic.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::time::timeout;

use crate::{model::DeviceId, telemetry::Telemetry};

/// Runs a call into the driver.
///
/// # Errors
///
/// The call missed its deadline or panicked. What it was made on can no longer be trusted.
pub(super) async fn fenced<T>(
    device: &DeviceId,
    operation: &'static str,
    deadline: Duration,
    telemetry: &Telemetry,
    call: impl Future<Output = T>,
) -> Result<T, String> {
    match timeout(deadline, caught(device, operation, telemetry, call)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            telemetry.deadline_missed(device, operation, deadline);
            Err(format!("{operation} took longer than {deadline:?}"))
        }
    }
}

/// Runs a call into the driver that may take as long as it likes.
///
/// # Errors
///
/// The call panicked.
pub(super) async fn caught<T>(
    device: &DeviceId,
    operation: &'static str,
    telemetry: &Telemetry,
    call: impl Future<Output = T>,
) -> Result<T, String> {
    // What a panic leaves behind half done is dropped by the caller.
    AssertUnwindSafe(call).catch_unwind().await.map_err(|panic| told(device, operation, telemetry, &*panic))
}

/// Has the driver's types read what the user wrote.
///
/// # Errors
///
/// They panicked.
pub(super) fn checked<T>(device: &DeviceId, telemetry: &Telemetry, check: impl FnOnce() -> T) -> Result<T, String> {
    // Nothing is shared with the check but the driver, and that must bear its panics anyway.
    catch_unwind(AssertUnwindSafe(check)).map_err(|panic| told(device, "check", telemetry, &*panic))
}

fn told(device: &DeviceId, operation: &'static str, telemetry: &Telemetry, panic: &(dyn Any + Send)) -> String {
    let message = panic_message(panic);
    telemetry.driver_panicked(device, operation, message);
    format!("the driver panicked in {operation}: {message}")
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
