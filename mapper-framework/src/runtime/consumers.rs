//! The consumers of a device's stream: a task for each property that asks for one by its key `stream`.
//!
//! A consumer starts with the device and ends with it, over all sessions. One whose property has not changed goes on when the manifest
//! does; another begins anew, when the one before it has ended. It reads the newest frame (`FrameReader`), so that it never slows
//! capture, and shows its property's value and what is wrong by its [`Status`].
//!
//! Another consumer takes a variant of `StreamTwin` with its word, one of [`Plan`], and a file of its own beside `file.rs`.

mod file;
mod plan;
mod publish;
mod push;
mod status;

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::join_all};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    model::DeviceId,
    recording::Recordings,
    stream::{Frame, FrameReader, FrameSlot},
    telemetry::{Telemetry, streams::ConsumerDied},
};

use super::{bound::BoundDevice, call::panic_message};

pub(super) use plan::Plan;
use status::{Status, Statuses};

/// How many orders may wait for one consumer. A device's session gives one at a time.
const ORDERS: usize = 2;

/// The pause before a consumer that died is started again.
const AFTER_DEATH: Duration = Duration::from_secs(5);

/// What a consumer is ordered to do, besides what its manifest says.
#[derive(Debug)]
pub(super) enum ConsumerOrder {
    /// Writes this frame to a file, and answers with its URI.
    Snapshot(Arc<Frame>, oneshot::Sender<Result<String, String>>),
    /// Records all frames for a time, and answers with the URI that the file will have.
    Record(Duration, oneshot::Sender<Result<String, String>>),
}

/// The consumers of one device. Those that run end when it is dropped; [`end`](Self::end) waits for them.
pub(super) struct Consumers {
    environment: Environment,
    /// By the property.
    running: HashMap<Arc<str>, Running>,
    /// Those that were stopped and may not have ended. One that comes back waits for it.
    leaving: HashMap<Arc<str>, JoinHandle<()>>,
    statuses: Statuses,
}

/// What all consumers of a device are given.
#[derive(Clone)]
struct Environment {
    device: DeviceId,
    frames: Arc<FrameSlot>,
    recordings: Recordings,
    telemetry: Telemetry,
    /// Cancelled with the device.
    stop: CancellationToken,
}

struct Running {
    plan: Plan,
    orders: mpsc::Sender<ConsumerOrder>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What a consumer has. It outlives one that dies, and is given to the next one.
pub(super) struct ConsumerContext {
    pub(super) device: DeviceId,
    /// The property that asks for it.
    pub(super) property: Arc<str>,
    /// The newest frame. It lives as long as the device.
    pub(super) frames: FrameReader,
    /// What it is ordered to do; for ever pending where nobody orders anything.
    pub(super) orders: mpsc::Receiver<ConsumerOrder>,
    /// Where its files are.
    pub(super) recordings: Recordings,
    /// Shows its property's value, and what is wrong.
    pub(super) status: Status,
    pub(super) telemetry: Telemetry,
    /// Cancelled when it is to finish what it has begun, and to end.
    pub(super) stop: CancellationToken,
}

impl Consumers {
    /// No consumers yet. They end with `stop`, or before.
    pub(super) fn new(
        device: DeviceId,
        frames: Arc<FrameSlot>,
        recordings: Recordings,
        telemetry: Telemetry,
        stop: CancellationToken,
    ) -> Self {
        let environment = Environment { device, frames, recordings, telemetry, stop };
        Self { environment, running: HashMap::new(), leaving: HashMap::new(), statuses: Statuses::default() }
    }

    /// Starts and stops consumers as the device has them now. Those whose plan is as it was go on.
    pub(super) fn assign(&mut self, device: &BoundDevice) {
        let wanted = device.properties.iter().filter_map(|bound| {
            let plan = bound.consumer.clone()?;
            Some((bound.property.shared_name(), plan))
        });
        let wanted: HashMap<Arc<str>, Plan> = wanted.collect();
        let is_over = |(name, running): &(&Arc<str>, &Running)| wanted.get(*name) != Some(&running.plan);
        let over: Vec<_> = self.running.iter().filter(is_over).map(|(name, _)| Arc::clone(name)).collect();
        for name in over {
            self.stop(&name);
        }
        for (name, plan) in wanted {
            if !self.running.contains_key(&name) {
                self.start(name, plan);
            }
        }
    }

    fn start(&mut self, property: Arc<str>, plan: Plan) {
        let predecessor = self.leaving.remove(&property);
        let (orders, received) = mpsc::channel(ORDERS);
        let Environment { device, frames, recordings, telemetry, stop } = self.environment.clone();
        let stop = stop.child_token();
        let context = ConsumerContext {
            device,
            property: Arc::clone(&property),
            frames: frames.reader(),
            orders: received,
            recordings,
            status: self.statuses.status(Arc::clone(&property)),
            telemetry,
            stop: stop.clone(),
        };
        let task = tokio::spawn(serve(plan.clone(), context, predecessor));
        self.running.insert(property, Running { plan, orders, stop, task });
    }

    fn stop(&mut self, property: &Arc<str>) {
        let Some(running) = self.running.remove(property) else { return };
        running.stop.cancel();
        self.leaving.insert(Arc::clone(property), running.task);
    }

    /// Ends all consumers, and waits until they have finished what they had begun.
    pub(super) async fn end(&mut self) {
        let running: Vec<_> = self.running.keys().cloned().collect();
        running.iter().for_each(|property| self.stop(property));
        // One that died has said so.
        drop(join_all(self.leaving.drain().map(|(_, task)| task)).await);
    }

    /// Waits until something shows at once: what is wrong with a consumer, or no longer is. Safe to cancel.
    pub(super) async fn changed(&mut self) {
        self.statuses.changed().await;
    }

    /// The value of a property whose consumer has one.
    pub(super) fn value(&self, property: &str) -> Option<String> {
        self.statuses.value(property)
    }

    /// What is wrong with a consumer, if anything is.
    pub(super) fn problem(&self) -> Option<String> {
        self.statuses.problem()
    }

    /// Where the consumer of a property that records takes orders: of that one, or else of the first by its name.
    pub(super) fn recorder(&self, property: Option<&str>) -> Option<mpsc::Sender<ConsumerOrder>> {
        let records = |(name, running): &(&Arc<str>, &Running)| {
            matches!(running.plan, Plan::File(_)) && property.is_none_or(|property| property == &***name)
        };
        let recorders = self.running.iter().filter(records);
        recorders.min_by_key(|(name, _)| Arc::clone(name)).map(|(_, running)| running.orders.clone())
    }
}

impl Drop for Consumers {
    fn drop(&mut self) {
        self.running.values().for_each(|running| running.stop.cancel());
    }
}

/// Runs a consumer when the one before it has ended, and again when it dies.
async fn serve(plan: Plan, mut context: ConsumerContext, predecessor: Option<JoinHandle<()>>) {
    if let Some(predecessor) = predecessor {
        // How it has ended makes no difference.
        drop(predecessor.await);
    }
    loop {
        let run = AssertUnwindSafe(plan.run(&mut context)).catch_unwind().await;
        let Err(panic) = run else { break };
        let (reason, property) = (panic_message(&*panic), Arc::clone(&context.property));
        context.telemetry.emit(ConsumerDied { device: &context.device, property: &property, reason });
        context.status.set_problem(format!("it died, and is started again: {reason}"));
        tokio::select! {
            () = context.stop.cancelled() => break,
            () = sleep(AFTER_DEATH) => {}
        }
    }
    context.status.remove();
}
