//! What waits to be reported.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio::sync::Notify;

use crate::model::{DeviceId, DeviceState, Property, Value};

use super::Phase;

/// The most twins in one call. With names and values of full length that is below the 4 MB that a gRPC server takes by default.
const MAX_TWINS: usize = 2000;

/// The latest value of a twin.
#[derive(Clone, Debug)]
pub(crate) struct TwinUpdate {
    pub(crate) property: Arc<Property>,
    pub(crate) value: Value,
    pub(crate) timestamp: SystemTime,
    /// Where the property's desired value stands; `None` if it has none.
    pub(crate) phase: Option<Phase>,
}

/// One call to edgecore.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) device: DeviceId,
    pub(super) content: Content,
    /// How often edgecore has refused reports of the device in a row.
    pub(super) refusals: u32,
}

#[derive(Debug)]
pub(super) enum Content {
    State(DeviceState),
    Twins(Vec<TwinUpdate>),
}

/// The reports that wait for edgecore: of each twin the latest value and of each device the latest state, so that nothing is
/// ever lost but what is superseded, and memory is bounded by the number of properties.
///
/// It is a lock and not a queue, since a queue would have to be bounded as well, and what is to be dropped from a full queue is
/// exactly what is superseded. The lock is held for a few map operations per tick of a device, and never across an `await`.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pending: Mutex<Pending>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    devices: HashMap<DeviceId, PendingDevice>,
    /// Whose turn it is: each device that has something to report stands here once.
    turns: BTreeMap<Turn, DeviceId>,
    /// The number of the next turn.
    next: u64,
    /// Whether the last report was an urgent one: then an ordinary one comes next, so that a device whose state changes all the time
    /// does not keep the others waiting for ever.
    served_urgent: bool,
    /// Whether all states go before all twins, from [`Outbox::prefer_states`] on.
    states_first: bool,
}

/// When a device's turn comes.
type Turn = (Class, u64);

/// In the order of their turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Has had its turn, but edgecore did not take the report.
    Returned,
    /// A state has changed, or a desired value has converged or been refused.
    Urgent,
    /// Everything else, the oldest first.
    Ordinary,
}

#[derive(Debug, Default)]
struct PendingDevice {
    /// By name, so that reports read the same each time.
    twins: BTreeMap<Arc<str>, TwinUpdate>,
    state: Option<PendingState>,
    turn: Option<Turn>,
    refusals: u32,
}

#[derive(Clone, Copy, Debug)]
struct PendingState {
    state: DeviceState,
    /// Whether it goes before the device's twins: one that has changed does, one that is repeated or the last does not.
    ahead: bool,
}

impl Outbox {
    /// Takes in what a device's task has read. `urgent` brings the device ahead.
    pub(crate) fn post_twins(&self, device: &DeviceId, twins: impl IntoIterator<Item = TwinUpdate>, urgent: bool) {
        let mut twins = twins.into_iter().peekable();
        if twins.peek().is_none() {
            return;
        }
        let mut pending = self.lock();
        pending.entry(device).twins.extend(twins.map(|twin| (twin.property.shared_name(), twin)));
        pending.enqueue(device, Class::of(urgent));
        drop(pending);
        self.wake.notify_one();
    }

    /// Takes in a device's state. `urgent` brings the device ahead, and the state before its twins.
    pub(crate) fn post_state(&self, device: &DeviceId, state: DeviceState, urgent: bool) {
        let mut pending = self.lock();
        let entry = pending.entry(device);
        let waits_ahead = entry.state.is_some_and(|pending| pending.ahead && pending.state == state);
        entry.state = Some(PendingState { state, ahead: urgent || waits_ahead });
        pending.enqueue(device, Class::of(urgent));
        drop(pending);
        self.wake.notify_one();
    }

    /// Drops what waits for a device that is gone.
    pub(crate) fn forget(&self, device: &DeviceId) {
        let mut pending = self.lock();
        if let Some(turn) = pending.devices.remove(device).and_then(|entry| entry.turn) {
            pending.turns.remove(&turn);
        }
    }

    /// From now on, all states go before all twins, unless `calls` are enough for everything that waits: where the mapper stops and
    /// cannot report it all, that a device is offline says more than its last values.
    pub(crate) fn prefer_states(&self, calls: u64) {
        let mut pending = self.lock();
        if !pending.states_first && pending.calls() > calls {
            pending.put_states_first();
        }
    }

    /// How many devices have something to report.
    pub(crate) fn len(&self) -> usize {
        self.lock().devices.len()
    }

    /// What waits of a twin.
    #[cfg(test)]
    pub(crate) fn pending(&self, device: &DeviceId, property: &str) -> Option<TwinUpdate> {
        self.lock().devices.get(device)?.twins.get(property).cloned()
    }

    /// The state that waits of a device.
    #[cfg(test)]
    pub(crate) fn pending_state(&self, device: &DeviceId) -> Option<DeviceState> {
        self.lock().devices.get(device)?.state.map(|pending| pending.state)
    }

    /// Waits until there is something to report.
    pub(super) async fn filled(&self) {
        while self.len() == 0 {
            self.wake.notified().await;
        }
    }

    /// Takes out the report whose turn it is.
    pub(super) fn take(&self) -> Option<Report> {
        self.lock().take()
    }

    /// Brings back a report that was not accepted, except for what has been superseded meanwhile. It keeps its turn, unless it
    /// was refused for what it is: then the others must not wait for it.
    pub(super) fn put_back(&self, report: Report, refused: bool) {
        let mut pending = self.lock();
        let states_first = pending.states_first;
        let entry = pending.entry(&report.device);
        match report.content {
            Content::State(state) => {
                entry.state.get_or_insert(PendingState { state, ahead: true });
            }
            Content::Twins(twins) => {
                for twin in twins {
                    entry.twins.entry(twin.property.shared_name()).or_insert(twin);
                }
            }
        }
        entry.refusals = if refused { report.refusals + 1 } else { report.refusals };
        let yields = refused || (states_first && entry.state.is_none());
        pending.enqueue(&report.device, if yields { Class::Ordinary } else { Class::Returned });
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Class {
    fn of(urgent: bool) -> Self {
        if urgent { Self::Urgent } else { Self::Ordinary }
    }
}

impl Pending {
    fn entry(&mut self, device: &DeviceId) -> &mut PendingDevice {
        self.devices.entry(device.clone()).or_default()
    }

    /// Gives a device its turn, or an earlier one than it has.
    fn enqueue(&mut self, device: &DeviceId, class: Class) {
        let Some(entry) = self.devices.get_mut(device) else { return };
        if entry.turn.is_some_and(|(present, _)| present <= class) {
            return;
        }
        let turn = (class, self.next);
        self.next += 1;
        if let Some(later) = entry.turn.replace(turn) {
            self.turns.remove(&later);
        }
        self.turns.insert(turn, device.clone());
    }

    /// How many calls report all that waits.
    fn calls(&self) -> u64 {
        self.devices.values().map(PendingDevice::calls).sum()
    }

    /// Gives the devices new turns: those with a state, and then those with twins only, each in the order they had.
    fn put_states_first(&mut self) {
        self.states_first = true;
        for device in std::mem::take(&mut self.turns).into_values() {
            let Some(entry) = self.devices.get_mut(&device) else { continue };
            entry.turn = None;
            let class = Class::of(entry.state.is_some());
            if let Some(pending) = &mut entry.state {
                pending.ahead = true;
            }
            self.enqueue(&device, class);
        }
    }

    fn take(&mut self) -> Option<Report> {
        let (class, device) = self.pop_turn()?;
        let entry = self.devices.get_mut(&device)?;
        entry.turn = None;
        let content = entry.take();
        let refusals = entry.refusals;
        if entry.is_empty() {
            self.devices.remove(&device);
        } else {
            // The twins of a device whose state was ahead stay ahead. What else is left waits its turn: a device that never runs
            // empty must not keep the others waiting for ever.
            let stays = matches!(content, Content::State(_)) && !self.states_first;
            let class = if stays { class } else { Class::Ordinary };
            self.enqueue(&device, class);
        }
        Some(Report { device, content, refusals })
    }
}

impl Pending {
    /// Takes out the first turn, or after an urgent one the first ordinary turn.
    fn pop_turn(&mut self) -> Option<(Class, DeviceId)> {
        let first = *self.turns.first_key_value()?.0;
        let ordinary = || self.turns.range((Class::Ordinary, 0)..).next().map(|(turn, _)| *turn);
        let yields = first.0 == Class::Urgent && self.served_urgent && !self.states_first;
        let turn = if yields { ordinary().unwrap_or(first) } else { first };
        self.served_urgent = turn.0 == Class::Urgent;
        self.turns.remove(&turn).map(|device| (turn.0, device))
    }
}

impl PendingDevice {
    fn is_empty(&self) -> bool {
        self.twins.is_empty() && self.state.is_none()
    }

    fn calls(&self) -> u64 {
        self.twins.len().div_ceil(MAX_TWINS) as u64 + u64::from(self.state.is_some())
    }

    /// What is to be reported now.
    fn take(&mut self) -> Content {
        match self.state.take_if(|pending| pending.ahead || self.twins.is_empty()) {
            Some(pending) => Content::State(pending.state),
            None if self.twins.len() <= MAX_TWINS => {
                Content::Twins(std::mem::take(&mut self.twins).into_values().collect())
            }
            None => {
                let names: Vec<_> = self.twins.keys().take(MAX_TWINS).cloned().collect();
                Content::Twins(names.iter().filter_map(|name| self.twins.remove(name)).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataType;

    fn device(name: &str) -> DeviceId {
        DeviceId::new("", name)
    }

    fn twin(name: &str, value: i64) -> TwinUpdate {
        let property = Arc::new(Property::builder(name, DataType::Int).build());
        TwinUpdate { property, value: value.into(), timestamp: SystemTime::UNIX_EPOCH, phase: None }
    }

    /// The device and, by name, the values of the report whose turn it is; or the device and its state.
    fn take(outbox: &Outbox) -> (String, String) {
        let report = outbox.take().expect("something is pending");
        let content = match report.content {
            Content::State(state) => state.to_string(),
            Content::Twins(twins) => {
                let mut twins: Vec<_> =
                    twins.iter().map(|twin| format!("{}={}", twin.property.name(), twin.value)).collect();
                twins.sort();
                twins.join(" ")
            }
        };
        (report.device.name().to_owned(), content)
    }

    fn pair(device: &str, content: &str) -> (String, String) {
        (device.to_owned(), content.to_owned())
    }

    #[test]
    fn all_twins_of_a_device_go_in_one_report_with_their_latest_values() {
        let outbox = Outbox::default();
        outbox.post_twins(&device("a"), [twin("x", 1), twin("y", 1)], false);
        outbox.post_twins(&device("a"), [twin("x", 2)], false);
        assert_eq!(take(&outbox), pair("a", "x=2 y=1"));
        assert!(outbox.take().is_none() && outbox.len() == 0);
    }

    #[test]
    fn the_device_that_waits_longest_comes_first() {
        let outbox = Outbox::default();
        for name in ["a", "b", "a", "c", "a"] {
            outbox.post_twins(&device(name), [twin("x", 1)], false);
        }
        assert_eq!([take(&outbox).0, take(&outbox).0, take(&outbox).0], ["a", "b", "c"]);
    }

    #[test]
    fn changed_states_come_ahead_and_repeated_ones_after_the_twins() {
        let outbox = Outbox::default();
        outbox.post_twins(&device("a"), [twin("x", 1)], false);
        outbox.post_state(&device("a"), DeviceState::Online, false);
        outbox.post_twins(&device("b"), [twin("x", 1)], false);
        outbox.post_state(&device("b"), DeviceState::Disconnected, true);
        assert_eq!(take(&outbox), pair("b", "disconnected"));
        assert_eq!(take(&outbox), pair("a", "x=1"));
        assert_eq!(take(&outbox), pair("b", "x=1"));
        assert_eq!(take(&outbox), pair("a", "online"));
    }

    #[test]
    fn the_last_state_comes_after_the_last_values_even_of_a_device_that_is_ahead() {
        let outbox = Outbox::default();
        outbox.post_state(&device("a"), DeviceState::Online, true);
        outbox.post_twins(&device("a"), [twin("x", 1)], true);
        outbox.post_state(&device("a"), DeviceState::Offline, false);
        assert_eq!(take(&outbox), pair("a", "x=1"));
        assert_eq!(take(&outbox), pair("a", "offline"));

        outbox.post_twins(&device("a"), [twin("x", 1)], false);
        let report = outbox.take().expect("something is pending");
        outbox.post_state(&device("a"), DeviceState::Offline, false);
        outbox.put_back(report, false);
        assert_eq!(take(&outbox), pair("a", "x=1"));
        assert_eq!(take(&outbox), pair("a", "offline"));
    }

    #[test]
    fn all_states_go_before_all_twins_where_the_calls_are_not_enough() {
        let outbox = Outbox::default();
        outbox.post_twins(&device("c"), [twin("x", 1)], true);
        for name in ["a", "b"] {
            outbox.post_twins(&device(name), [twin("x", 1)], false);
            outbox.post_state(&device(name), DeviceState::Offline, false);
        }
        outbox.prefer_states(4);
        assert_eq!([take(&outbox), take(&outbox)], [pair("a", "offline"), pair("b", "offline")]);
        let report = outbox.take().expect("the values of c");
        outbox.post_state(&device("d"), DeviceState::Offline, true);
        outbox.put_back(report, false);
        assert_eq!(take(&outbox), pair("d", "offline"), "even twins that come back wait");
    }

    #[test]
    fn the_last_values_still_go_before_the_last_state_where_the_calls_are_enough() {
        let outbox = Outbox::default();
        outbox.post_twins(&device("a"), [twin("x", 1)], false);
        outbox.post_state(&device("a"), DeviceState::Offline, false);
        outbox.prefer_states(2);
        assert_eq!([take(&outbox), take(&outbox)], [pair("a", "x=1"), pair("a", "offline")]);
    }

    #[test]
    fn a_changed_state_stays_ahead_when_it_is_repeated() {
        let outbox = Outbox::default();
        outbox.post_twins(&device("a"), [twin("x", 1)], false);
        outbox.post_state(&device("a"), DeviceState::Disconnected, true);
        outbox.post_state(&device("a"), DeviceState::Disconnected, false);
        assert_eq!(take(&outbox), pair("a", "disconnected"));
    }

    #[tokio::test]
    async fn several_posts_and_a_wait_that_is_given_up_lose_no_wake_up() {
        let outbox = Outbox::default();
        // One wait is given up in the moment in which it is woken.
        let mut given_up = Box::pin(outbox.filled());
        assert!(futures_util::poll!(&mut given_up).is_pending());
        outbox.post_twins(&device("a"), [twin("x", 1)], false);
        outbox.post_twins(&device("b"), [twin("x", 1)], false);
        drop(given_up);
        outbox.filled().await;
        while outbox.take().is_some() {}
        let (mut one, mut other) = (Box::pin(outbox.filled()), Box::pin(outbox.filled()));
        assert!(futures_util::poll!(&mut one).is_pending() && futures_util::poll!(&mut other).is_pending());
        outbox.post_twins(&device("a"), [twin("x", 1)], false);
        drop(one);
        other.await;
    }

    #[test]
    fn a_report_that_comes_back_keeps_its_turn_and_yields_to_newer_values() {
        let outbox = Outbox::default();
        outbox.post_twins(&device("a"), [twin("x", 1), twin("y", 1)], false);
        let report = outbox.take().expect("something is pending");
        outbox.post_twins(&device("b"), [twin("x", 1)], true);
        outbox.post_twins(&device("a"), [twin("x", 2)], false);
        outbox.put_back(report, false);
        assert_eq!(take(&outbox), pair("a", "x=2 y=1"));
        assert_eq!(take(&outbox).0, "b");
    }

    #[test]
    fn a_refused_report_lets_the_others_pass_and_counts_its_refusals() {
        let outbox = Outbox::default();
        outbox.post_twins(&device("a"), [twin("x", 1)], false);
        outbox.post_twins(&device("b"), [twin("x", 1)], false);
        let report = outbox.take().expect("something is pending");
        outbox.put_back(report, true);
        assert_eq!(take(&outbox).0, "b");
        assert_eq!(outbox.take().expect("it is still pending").refusals, 1);
    }

    #[test]
    fn many_twins_are_split_into_calls_that_edgecore_can_take() {
        let outbox = Outbox::default();
        outbox.post_twins(&device("a"), (0..5000).map(|n| twin(&format!("p{n}"), n)), false);
        let mut sizes = Vec::new();
        while let Some(Report { content: Content::Twins(twins), .. }) = outbox.take() {
            sizes.push(twins.len());
        }
        assert_eq!(sizes, [2000, 2000, 1000]);
    }

    #[test]
    fn a_device_that_never_runs_empty_lets_the_others_have_their_turn() {
        let outbox = Outbox::default();
        let refill = || outbox.post_twins(&device("a"), (0..5000).map(|n| twin(&format!("p{n}"), n)), true);
        refill();
        outbox.post_twins(&device("b"), [twin("x", 1)], false);
        assert_eq!(take(&outbox).0, "a");
        outbox.post_state(&device("a"), DeviceState::Online, false);
        assert_eq!(take(&outbox), pair("b", "x=1"));
    }

    #[test]
    fn nothing_is_left_of_a_forgotten_device() {
        let outbox = Outbox::default();
        outbox.post_twins(&device("a"), [twin("x", 1)], false);
        outbox.forget(&device("a"));
        assert!(outbox.take().is_none());
    }

    #[test]
    fn a_device_whose_state_changes_all_the_time_does_not_keep_the_others_waiting() {
        let outbox = Outbox::default();
        let mut served = Vec::new();
        for round in 0..20 {
            let state = if round % 2 == 0 { DeviceState::Online } else { DeviceState::Disconnected };
            outbox.post_state(&device("flapper"), state, true);
            for name in ["a", "b"] {
                outbox.post_twins(&device(name), [twin("x", round)], false);
            }
            served.push(take(&outbox).0);
        }
        let count = |name| served.iter().filter(|served| *served == name).count();
        assert_eq!((count("flapper"), count("a"), count("b")), (10, 5, 5));
    }
}
