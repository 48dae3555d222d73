//! What waits to be reported.

mod entry;
mod order;
mod quarantine;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{sync::Notify, time::Instant};

use crate::model::{DeviceId, DeviceState, Property, Value};

use super::Echo;

use self::{
    entry::{Due, Standing},
    order::{Order, Place},
};

/// The latest value of a twin.
#[derive(Clone, Debug)]
pub(crate) struct TwinUpdate {
    pub(crate) property: Arc<Property>,
    pub(crate) value: Value,
    pub(crate) timestamp: SystemTime,
    /// What the twin says of the desired value.
    pub(crate) desired: Echo,
}

impl TwinUpdate {
    /// How old its value is; no time if it is dated later than now.
    pub(super) fn age(&self) -> Duration {
        self.timestamp.elapsed().unwrap_or_default()
    }
}

/// One call to edgecore. It comes back by [`Outbox::accepted`], [`Outbox::spare`], [`Outbox::put_back`], [`Outbox::refused`] or
/// [`Outbox::refused_for_content`], and until then nothing else is taken out of its device.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) device: DeviceId,
    pub(super) content: Content,
    /// By when it was due, the place in the order that it had, and how its device stood there.
    due: Due,
    place: Place,
    standing: Standing,
}

#[derive(Debug)]
pub(super) enum Content {
    State(DeviceState),
    Twins(Vec<TwinUpdate>),
}

/// Which allowance a report has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It is due when the budget has served every device once.
    Ordinary,
    /// It is due at once, once in a round: a state has changed, or a desired value has converged or been refused.
    Urgent,
}

/// The reports that wait for edgecore: of each twin the latest value and of each device the latest state, so that nothing is
/// ever lost but what is superseded, and memory is bounded by the number of properties.
///
/// It is a lock and not a queue, since a queue would have to be bounded as well, and what is to be dropped from a full queue is
/// exactly what is superseded. The lock is held for a few map operations per tick of a device, and never across an `await`.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    order: Mutex<Order>,
    wake: Notify,
}

impl Content {
    /// Its twins; none of a state.
    pub(super) fn twins(&self) -> &[TwinUpdate] {
        match self {
            Self::State(_) => &[],
            Self::Twins(twins) => twins,
        }
    }

    /// Drops the twins that are not to be kept.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        if let Self::Twins(twins) = self {
            twins.retain(|twin| keep(twin.property.name()));
        }
    }

    /// The names of its twins.
    pub(super) fn names(&self) -> HashSet<Arc<str>> {
        match self {
            Self::State(_) => HashSet::new(),
            Self::Twins(twins) => twins.iter().map(|twin| twin.property.shared_name()).collect(),
        }
    }
}

impl Outbox {
    /// Takes in what a device's task has read.
    pub(crate) fn post_twins(&self, device: &DeviceId, twins: impl IntoIterator<Item = TwinUpdate>, urgency: Urgency) {
        let mut twins = twins.into_iter().peekable();
        if twins.peek().is_none() {
            return;
        }
        self.order().post_twins(device, twins, urgency, Instant::now());
        self.wake.notify_waiters();
    }

    /// Takes in a device's state.
    pub(crate) fn post_state(&self, device: &DeviceId, state: DeviceState, urgency: Urgency) {
        self.order().post_state(device, state, urgency, Instant::now());
        self.wake.notify_waiters();
    }

    /// Drops what waits for a device that is gone.
    pub(crate) fn forget(&self, device: &DeviceId) {
        self.order().forget(device);
    }

    /// Drops the pending values of the twins that are not to be kept.
    pub(crate) fn retain(&self, device: &DeviceId, keep: impl Fn(&str) -> bool) {
        self.order().retain(device, keep);
    }

    /// From now on all states are due before all twins, unless `calls` are enough for everything that waits: where the mapper stops and
    /// cannot report it all, nobody else will ever say that a device is offline, while its values come again with the next mapper.
    pub(crate) fn prefer_states(&self, calls: u64) {
        self.order().prefer_states(calls);
    }

    /// How many devices have something to report.
    pub(crate) fn len(&self) -> usize {
        self.order().len()
    }

    /// Since when the device waits that waits for the longest; `None` if none does.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        self.order().waits_since()
    }

    /// Since when a device has something to report; `None` if it has nothing.
    pub(crate) fn device_waits_since(&self, device: &DeviceId) -> Option<Instant> {
        self.order().device_waits_since(device)
    }

    /// The pending value of a twin.
    #[cfg(test)]
    pub(crate) fn pending(&self, device: &DeviceId, property: &str) -> Option<TwinUpdate> {
        self.order().entry(device)?.twins().get(property).cloned()
    }

    /// The pending state of a device.
    #[cfg(test)]
    pub(crate) fn pending_state(&self, device: &DeviceId) -> Option<DeviceState> {
        self.order().entry(device)?.state()
    }

    /// Waits until there is something to take.
    pub(super) async fn filled(&self) {
        loop {
            // More than one reporter may wait here, and each is to look again after a change.
            let mut changed = pin!(self.wake.notified());
            changed.as_mut().enable();
            let due = self.order().next_at();
            let rested = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            if due.is_some_and(|at| at <= Instant::now()) {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = rested => {}
            }
        }
    }

    /// Whether there is something to take now.
    pub(super) fn is_due(&self) -> bool {
        self.order().next_at().is_some_and(|at| at <= Instant::now())
    }

    /// What edgecore takes at present, from which it follows how long a round takes. One call a second until this is called.
    pub(super) fn set_pace(&self, calls_per_second: f64) {
        self.order().calls_per_second = calls_per_second;
    }

    /// Takes out the report whose turn it is.
    pub(super) fn take(&self) -> Option<Report> {
        self.order().take(Instant::now())
    }

    /// A report was accepted. Returns whether the ones of its device before were refused.
    ///
    /// cloudcore loses the first report of a twin: what it shows is empty until the second one. So a twin that was accepted for the first
    /// time waits once more, unless it has a newer value anyway.
    pub(super) fn accepted(&self, report: Report) -> bool {
        let was_refused = self.order().accepted(report, Instant::now());
        self.wake.notify_waiters();
        was_refused
    }

    /// edgecore may have stored an older value of these twins after the last one that it has accepted: that one is reported once more,
    /// unless a newer one waits.
    pub(super) fn doubt<'a>(&self, device: &DeviceId, names: impl Iterator<Item = &'a str>) {
        self.order().doubt(device, names, Instant::now());
        self.wake.notify_waiters();
    }

    /// There was nothing in a report to make a call for: it had no turn.
    pub(super) fn spare(&self, report: Report) {
        self.order().spare(report);
        self.wake.notify_waiters();
    }

    /// Brings back a report that was not accepted, except for what has been superseded or dropped meanwhile. It has the place that it
    /// had.
    pub(super) fn put_back(&self, report: Report) {
        self.order().put_back(report);
        self.wake.notify_waiters();
    }

    /// As [`put_back`](Self::put_back), for a report that was refused for what it is: its device rests for a while, which is twice as long
    /// each time, and then waits its turn. Returns for how long.
    pub(super) fn refused(&self, report: Report) -> Duration {
        let pause = self.order().refused(report, Instant::now());
        self.wake.notify_waiters();
        pause
    }

    /// As [`put_back`](Self::put_back), for a report that nobody has answered to: its device rests for a second, so that others have their
    /// turn before.
    pub(super) fn unanswered(&self, report: Report) {
        self.order().unanswered(report, Instant::now());
        self.wake.notify_waiters();
    }

    /// As [`refused`](Self::refused), where something in the report is at fault and nobody says what: the next reports of its device are
    /// half as large, until the culprit stands alone. Then that twin alone rests.
    pub(super) fn refused_for_content(&self, report: Report) -> Duration {
        let pause = self.order().refused_for_content(report, Instant::now());
        self.wake.notify_waiters();
        pause
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
