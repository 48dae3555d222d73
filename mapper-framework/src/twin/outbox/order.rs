//! Whose turn it is: one order of all devices, the earliest deadline first.
//!
//! What waits gets its deadline when it begins to wait, and keeps it when its value is superseded. Urgency is an earlier deadline:
//!
//! | what | by when |
//! | --- | --- |
//! | a device's first values, a changed state, a settled desired value | at once |
//! | a value, a device's first state, a repeated state | in a round: the time in which the budget serves each device once |
//!
//! A device has one place, at the first deadline of what waits of it. Two rules keep any of them from starving the others: whoever waits
//! while a device has its turn comes before the device's next one, and a device whose state has changed or whose desired value has settled
//! may go before them once, until they have all been served.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tokio::time::Instant;

use crate::model::{DeviceId, DeviceState};

use super::{
    Content, Report, TwinUpdate, Urgency,
    entry::{Due, Entry},
};

/// For how long a device rests whose report was refused for what it is, at first and at most.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// A round is reckoned no longer than this, however slow the pace.
const LONGEST_ROUND: Duration = Duration::from_secs(86_400);

/// Where a device stands, those that are due at the same time in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    at: Instant,
    number: u64,
}

#[derive(Debug)]
pub(super) struct Order {
    devices: HashMap<DeviceId, Entry>,
    /// The devices whose turn comes.
    queue: BTreeMap<Place, DeviceId>,
    /// The devices that rest, each by the end of its rest.
    resting: BTreeMap<Place, DeviceId>,
    /// The number of the next place.
    next: u64,
    pub(super) calls_per_second: f64,
    /// Before everything that can be due.
    begun: Instant,
    /// Whether all states go before all twins, from [`Order::prefer_states`] on.
    states_first: bool,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            devices: HashMap::new(),
            queue: BTreeMap::new(),
            resting: BTreeMap::new(),
            next: 0,
            calls_per_second: 1.0,
            begun: Instant::now(),
            states_first: false,
        }
    }
}

impl Order {
    /// How many devices have something to report.
    pub(super) fn len(&self) -> usize {
        self.devices.values().filter(|entry| !entry.is_settled()).count()
    }

    /// Since when the device waits that waits for the longest.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        self.devices.values().filter_map(|entry| entry.since).min()
    }

    /// Since when a device has something to report.
    pub(super) fn device_waits_since(&self, device: &DeviceId) -> Option<Instant> {
        self.devices.get(device)?.since
    }

    #[cfg(test)]
    pub(super) fn entry(&self, device: &DeviceId) -> Option<&Entry> {
        self.devices.get(device)
    }

    /// When there is something to take, which may be past; `None` if nothing waits.
    pub(super) fn next_at(&self) -> Option<Instant> {
        if self.queue.is_empty() { self.resting.keys().next().map(|place| place.at) } else { Some(self.begun) }
    }

    // ---- what comes ----

    pub(super) fn post_twins(
        &mut self,
        device: &DeviceId,
        twins: impl Iterator<Item = TwinUpdate>,
        urgency: Urgency,
        now: Instant,
    ) {
        let entry = self.devices.entry(device.clone()).or_default();
        let is_first = !entry.standing.has_reported_twins;
        let due = self.due(device, urgency, now);
        let due = if is_first { Due { at: now, is_ahead: false, ..due } } else { due };
        self.change(device, |entry| entry.add_twins(twins, due));
    }

    pub(super) fn post_state(&mut self, device: &DeviceId, state: DeviceState, urgency: Urgency, now: Instant) {
        let entry = self.devices.entry(device.clone()).or_default();
        // That a device which was never heard of is online is no change.
        let urgency = if entry.standing.has_reported_state { urgency } else { Urgency::Ordinary };
        let due = self.due(device, urgency, now);
        let due = if self.states_first { Due { at: self.begun, is_ahead: true, ..due } } else { due };
        self.change(device, |entry| entry.set_state(state, due));
    }

    pub(super) fn forget(&mut self, device: &DeviceId) {
        let Some(entry) = self.devices.remove(device) else { return };
        entry.place.map(|place| self.queue.remove(&place));
        // What is left there of it is passed over.
        entry.rest.map(|rest| self.resting.remove(&rest));
    }

    pub(super) fn retain(&mut self, device: &DeviceId, keep: impl Fn(&str) -> bool) {
        if self.devices.contains_key(device) {
            self.change(device, |entry| entry.retain(keep));
        }
    }

    pub(super) fn prefer_states(&mut self, calls: u64) {
        if self.states_first || self.devices.values().map(Entry::calls).sum::<u64>() <= calls {
            return;
        }
        self.states_first = true;
        let begun = self.begun;
        // In the order in which they stand, and then those that rest or are being reported.
        let others = self.devices.iter().filter(|(_, entry)| entry.place.is_none()).map(|(device, _)| device);
        for device in self.queue.values().chain(others).cloned().collect::<Vec<_>>() {
            self.change(&device, |entry| entry.put_state_first(begun));
        }
    }

    /// By when something is to be reported that begins to wait now.
    fn due(&mut self, device: &DeviceId, urgency: Urgency, now: Instant) -> Due {
        let is_ahead = urgency == Urgency::Urgent && self.may_overtake(device);
        let at = if is_ahead { now } else { now + self.round() };
        Due { at, number: self.number(), is_ahead }
    }

    /// The time in which the budget serves each device once.
    fn round(&self) -> Duration {
        let seconds = self.devices.len() as f64 / self.calls_per_second;
        Duration::try_from_secs_f64(seconds).map_or(LONGEST_ROUND, |round| round.min(LONGEST_ROUND))
    }

    /// Whether all have been served that the device has gone before.
    fn may_overtake(&self, device: &DeviceId) -> bool {
        let overtook = self.devices.get(device).and_then(|entry| entry.standing.overtook);
        let first = self.queue.iter().find(|(_, other)| *other != device);
        overtook.zip(first).is_none_or(|(overtook, (first, _))| first.at > overtook)
    }

    // ---- what goes ----

    pub(super) fn take(&mut self, now: Instant) -> Option<Report> {
        self.end_rests(now);
        let (place, device) = self.queue.pop_first()?;
        let last = self.queue.last_key_value().map(|(last, _)| last.at);
        let entry = self.devices.get_mut(&device)?;
        entry.place = None;
        let standing = entry.standing;
        let (content, due) = entry.take(last)?;
        Some(Report { device, content, due, place, standing })
    }

    pub(super) fn accepted(&mut self, report: Report, now: Instant) -> bool {
        let due = self.due(&report.device, Urgency::Ordinary, now);
        let mut was_refused = false;
        self.settle(&report.device, report.content, |entry, content| {
            was_refused = std::mem::take(&mut entry.refusals) > 0;
            if let Content::Twins(twins) = content {
                let again = entry.first_accepted(twins);
                if !again.is_empty() {
                    entry.add_twins(again.into_iter(), due);
                }
            }
        });
        was_refused
    }

    pub(super) fn doubt<'a>(&mut self, device: &DeviceId, names: impl Iterator<Item = &'a str>, now: Instant) {
        let due = self.due(device, Urgency::Ordinary, now);
        self.change(device, |entry| {
            let again = entry.doubt(names);
            if !again.is_empty() {
                entry.add_twins(again.into_iter(), due);
            }
        });
    }

    pub(super) fn put_back(&mut self, report: Report) {
        let goes_first = self.states_first && matches!(report.content, Content::State(_));
        let due = if goes_first { Due { at: self.begun, is_ahead: true, ..report.due } } else { report.due };
        self.settle(&report.device, report.content, |entry, content| {
            entry.standing = report.standing;
            entry.bring_back(content, due);
        });
        self.restore(&report.device, report.place);
    }

    pub(super) fn spare(&mut self, report: Report) {
        self.settle(&report.device, report.content, |entry, _| entry.standing = report.standing);
    }

    pub(super) fn refused(&mut self, report: Report, now: Instant) -> Duration {
        self.rest(report, now, |entry| {
            let pause = REST.0.saturating_mul(2_u32.saturating_pow(entry.refusals)).min(REST.1);
            entry.refusals += 1;
            pause
        })
    }

    /// Brings back a report whose device rests. Returns for how long.
    fn rest(&mut self, report: Report, now: Instant, pause_of: impl FnOnce(&mut Entry) -> Duration) -> Duration {
        let (number, mut pause, mut rest) = (self.number(), REST.0, None);
        self.settle(&report.device, report.content, |entry, content| {
            pause = pause_of(entry);
            entry.bring_back(content, Due { is_ahead: false, ..report.due });
            rest = Some(Place { at: now + pause, number });
            entry.rest = rest;
        });
        rest.map(|rest| self.resting.insert(rest, report.device));
        pause
    }

    pub(super) fn unanswered(&mut self, report: Report, now: Instant) {
        self.rest(report, now, |_| REST.0);
    }

    pub(super) fn refused_for_content(&mut self, report: Report, now: Instant) -> Duration {
        let Content::Twins(twins) = &report.content else { return self.refused(report, now) };
        if let [twin] = &twins[..] {
            let twin = twin.clone();
            return self.hold(report, twin, now);
        }
        let (device, twins) = (report.device.clone(), twins.len());
        let pause = self.refused(report, now);
        if let Some(entry) = self.devices.get_mut(&device) {
            entry.split(twins);
        }
        pause
    }

    /// A twin was refused that stood alone.
    fn hold(&mut self, report: Report, twin: TwinUpdate, now: Instant) -> Duration {
        let name = twin.property.shared_name();
        let pause = self.devices.get(&report.device).map_or(Duration::ZERO, |entry| entry.quarantine.pause(&name));
        let until = Place { at: now + pause, number: self.number() };
        let mut held = false;
        self.settle(&report.device, report.content, |entry, content| {
            entry.unsplit();
            let Content::Twins(twins) = content else { return };
            if !twins.is_empty() {
                held = true;
                let latest = entry.take_twin(&name).unwrap_or(twin);
                entry.quarantine.hold(latest, until);
            }
        });
        if held {
            self.resting.insert(until, report.device);
        }
        pause
    }

    /// A report is under way no longer.
    fn settle(&mut self, device: &DeviceId, content: Content, act: impl FnOnce(&mut Entry, Content)) {
        let Some(entry) = self.devices.get_mut(device) else { return };
        if let Some(content) = entry.settle(content) {
            self.change(device, |entry| act(entry, content));
        }
    }

    fn end_rests(&mut self, now: Instant) {
        while let Some(rested) = self.resting.first_entry().filter(|first| first.key().at <= now) {
            let (place, device) = rested.remove_entry();
            let due = self.due(&device, Urgency::Ordinary, now);
            self.change(&device, |entry| {
                if entry.rest == Some(place) {
                    entry.rest = None;
                }
                let released = entry.quarantine.release(place);
                if !released.is_empty() {
                    entry.add_twins(released.into_iter(), due);
                }
            });
        }
    }

    // ---- places ----

    /// Changes what waits of a device, and gives it its place, or an earlier one than it has.
    fn change(&mut self, device: &DeviceId, change: impl FnOnce(&mut Entry)) {
        let number = self.number();
        let Some(entry) = self.devices.get_mut(device) else { return };
        change(entry);
        entry.since = if entry.is_settled() { None } else { entry.since.or_else(|| Some(Instant::now())) };
        let at = entry.due().filter(|_| entry.is_ready());
        let place = match (entry.place, at) {
            (Some(place), Some(at)) if place.at <= at => Some(place),
            (_, at) => at.map(|at| Place { at, number }),
        };
        let before = std::mem::replace(&mut entry.place, place);
        if before != place {
            before.map(|before| self.queue.remove(&before));
            place.map(|place| self.queue.insert(place, device.clone()));
        }
    }

    /// Gives a device the place that it had, before those that are due at the same time.
    fn restore(&mut self, device: &DeviceId, place: Place) {
        let Some(entry) = self.devices.get_mut(device) else { return };
        if let Some(present) = entry.place.filter(|present| present.at == place.at) {
            self.queue.remove(&present);
            entry.place = Some(place);
            self.queue.insert(place, device.clone());
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
