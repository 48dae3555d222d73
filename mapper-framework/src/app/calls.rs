//! The method calls of the command line.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::stdout::Stdout;
use crate::{
    cli::MethodCall,
    model::{DeviceState, Value},
    runtime::{Handle, OperationError},
};

/// The pause before a device that is not connected yet is called again.
const PAUSE: Duration = Duration::from_millis(100);

/// After how many pauses it is said once what is waited for.
const PATIENCE: u32 = 20;

/// The calls of the command line, made one after the other, each once its device is connected. Dropping them ends it.
pub(super) struct Calls {
    open: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl Calls {
    pub(super) fn start(handle: Handle, calls: &[MethodCall]) -> Self {
        let open = Arc::new(AtomicUsize::new(calls.len()));
        let task = tokio::spawn(make(handle, calls.to_vec(), Arc::clone(&open)));
        Self { open, _task: AbortOnDropHandle::new(task) }
    }

    /// How many have not succeeded.
    pub(super) fn open(&self) -> usize {
        self.open.load(Relaxed)
    }
}

/// Makes the calls and prints the results. `open` is counted down with each one that succeeds.
async fn make(handle: Handle, calls: Vec<MethodCall>, open: Arc<AtomicUsize>) {
    for call in &calls {
        match when_connected(&handle, call).await {
            Ok(results) => {
                // Standard output that cannot be written to is no reason to fail.
                drop(writeln!(Stdout, "{}", line(call, &results)));
                open.fetch_sub(1, Relaxed);
            }
            Err(error) => eprintln!("error: --call {call}: {error}"),
        }
    }
}

/// A call is never made twice: what has become of one that was cut off is not known.
async fn when_connected(handle: &Handle, call: &MethodCall) -> Result<Vec<Value>, OperationError> {
    for pauses in 0_u32.. {
        let Some(reason) = why_not_yet(handle, call).await else { break };
        if pauses == PATIENCE {
            eprintln!("--call {call}: waits: {reason}");
        }
        sleep(PAUSE).await;
    }
    let arguments: Vec<_> = call.arguments.iter().map(|(property, value)| (&**property, &**value)).collect();
    handle.call(&call.device, &call.method, &arguments).await
}

/// Why the device cannot be called yet; `None` if it can.
async fn why_not_yet(handle: &Handle, call: &MethodCall) -> Option<String> {
    let Some(snapshot) = handle.device(&call.device).await else {
        return Some(format!("there is no device {}", call.device));
    };
    let is_early = matches!(snapshot.state, DeviceState::Unknown | DeviceState::Disconnected | DeviceState::Offline);
    is_early.then(|| snapshot.reason.unwrap_or_else(|| "it is not connected yet".to_owned()))
}

fn line(call: &MethodCall, results: &[Value]) -> String {
    let results: Vec<_> = results.iter().map(ToString::to_string).collect();
    if results.is_empty() { format!("called {call}") } else { format!("called {call}: {}", results.join(", ")) }
}
