//! What waits of one device, and how the device stands in the order.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use tokio::time::Instant;

use crate::model::DeviceState;

use super::{Content, TwinUpdate, order::Place, quarantine::Quarantine};

/// The most twins in one call. With names and values of full length that is below the 4 MB that a gRPC server takes by default.
const MAX_TWINS: usize = 2000;

/// One device that has, or had, something to report.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// By name, so that reports read the same each time.
    twins: BTreeMap<Arc<str>, TwinUpdate>,
    twins_due: Option<Due>,
    /// How many twins a report carries at most, if one was refused for something in it.
    most: Option<usize>,
    /// How many twins were accepted since then.
    carried: usize,
    pub(super) quarantine: Quarantine,
    /// Where the last report ended, if it could not carry all twins: the next one begins behind it.
    ended_at: Option<Arc<str>>,
    state: Option<DeviceState>,
    state_due: Option<Due>,
    pub(super) standing: Standing,
    /// Since when there is something that edgecore does not have.
    pub(super) since: Option<Instant>,
    /// The place in the order; `None` if nothing waits, a report is under way or the device rests.
    pub(super) place: Option<Place>,
    /// While a report is under way, what may come back of it: what is dropped meanwhile does not.
    lent: Option<HashSet<Arc<str>>>,
    /// Of each twin the last report that edgecore has accepted.
    accepted: HashMap<Arc<str>, TwinUpdate>,
    /// How often reports were refused for what they are, in a row.
    pub(super) refusals: u32,
    /// Until then nothing is reported.
    pub(super) rest: Option<Place>,
}

/// By when something is to be reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) at: Instant,
    /// What is due at the same time goes in the order in which it came.
    pub(super) number: u64,
    /// Whether it may go before devices that wait for longer.
    pub(super) is_ahead: bool,
}

/// Who is served before a device has its next turn: those that are due until then.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    /// The last that waited when the device had its turn.
    fence: Option<Instant>,
    /// The last that waited when the device went before others.
    pub(super) overtook: Option<Instant>,
    /// Whether its twins have had a turn.
    pub(super) has_reported_twins: bool,
    /// Whether its state has had one.
    pub(super) has_reported_state: bool,
}

impl Entry {
    #[cfg(test)]
    pub(super) fn twins(&self) -> &BTreeMap<Arc<str>, TwinUpdate> {
        &self.twins
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> Option<DeviceState> {
        self.state
    }

    pub(super) fn is_empty(&self) -> bool {
        self.twins.is_empty() && self.state.is_none()
    }

    /// Whether there is something that edgecore does not have.
    pub(super) fn is_settled(&self) -> bool {
        self.is_empty() && self.lent.is_none() && !self.quarantine.holds()
    }

    /// Whether it has its turn when it comes.
    pub(super) fn is_ready(&self) -> bool {
        self.lent.is_none() && self.rest.is_none() && !self.is_empty()
    }

    /// How many calls report all that waits.
    pub(super) fn calls(&self) -> u64 {
        self.twins.len().div_ceil(self.most()) as u64 + u64::from(self.state.is_some())
    }

    /// By when the first of what waits is to be reported.
    pub(super) fn due(&self) -> Option<Instant> {
        self.twins_due.into_iter().chain(self.state_due).map(|due| due.at).min()
    }

    // ---- what waits ----

    pub(super) fn add_twins(&mut self, twins: impl Iterator<Item = TwinUpdate>, due: Due) {
        let free = twins.filter_map(|twin| self.quarantine.keep(twin));
        self.twins.extend(free.map(|twin| (twin.property.shared_name(), twin)));
        if !self.twins.is_empty() {
            self.twins_due = Some(self.standing.earlier(self.twins_due, due));
        }
    }

    pub(super) fn set_state(&mut self, state: DeviceState, due: Due) {
        self.state = Some(state);
        self.state_due = Some(self.standing.earlier(self.state_due, due));
    }

    /// Whatever the state waits for, it is due then.
    pub(super) fn put_state_first(&mut self, at: Instant) {
        self.state_due = self.state_due.map(|due| Due { at, is_ahead: true, ..due });
    }

    /// Drops the twins that are not to be kept.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.lent.iter_mut().for_each(|lent| lent.retain(|name| keep(name)));
        self.accepted.retain(|name, _| keep(name));
        self.quarantine.retain(&keep);
        self.twins.retain(|name, _| keep(name));
        if self.twins.is_empty() {
            self.twins_due = None;
        }
    }

    // ---- what is under way ----

    /// Takes out what is due first. `last` is the last of the others that wait.
    pub(super) fn take(&mut self, last: Option<Instant>) -> Option<(Content, Due)> {
        let is_first = |state: Due, twins: Due| (state.at, state.number) < (twins.at, twins.number);
        let takes_state = self.state_due.is_some_and(|state| self.twins_due.is_none_or(|twins| is_first(state, twins)));
        let (content, due) = if takes_state {
            self.standing.has_reported_state = true;
            (Content::State(self.state.take()?), self.state_due.take()?)
        } else {
            self.standing.has_reported_twins = true;
            let twins = self.take_twins();
            let due = self.twins_due.take()?;
            self.twins_due = (!self.twins.is_empty()).then_some(Due { is_ahead: false, ..due });
            (Content::Twins(twins), due)
        };
        self.standing.fence = last;
        if due.is_ahead {
            self.standing.overtook = last;
        }
        let standing = self.standing;
        for waiting in self.twins_due.iter_mut().chain(&mut self.state_due) {
            *waiting = standing.behind(*waiting);
        }
        self.lent = Some(content.names());
        Some((content, due))
    }

    /// Takes out as many twins as a call carries: of more, those that had to wait the last time come first. One that has to stand alone
    /// comes after all others.
    fn take_twins(&mut self) -> Vec<TwinUpdate> {
        let ended_at = self.ended_at.take();
        let is_free = |name: &&Arc<str>| !self.quarantine.is_alone(name);
        let is_behind = |name: &&Arc<str>| ended_at.as_ref().is_none_or(|ended_at| *name > ended_at);
        let behind = self.twins.keys().filter(is_free).filter(is_behind);
        let names = behind.chain(self.twins.keys().filter(is_free).filter(|name| !is_behind(name)));
        let mut names: Vec<_> = names.take(self.most()).cloned().collect();
        if names.is_empty() {
            names.extend(self.twins.keys().next().cloned());
        }
        if names.len() < self.twins.len() {
            self.ended_at = names.last().cloned();
        }
        names.iter().filter_map(|name| self.twins.remove(name)).collect()
    }

    fn most(&self) -> usize {
        self.most.unwrap_or(MAX_TWINS)
    }

    /// Takes out the value of a twin.
    pub(super) fn take_twin(&mut self, name: &str) -> Option<TwinUpdate> {
        let twin = self.twins.remove(name);
        if self.twins.is_empty() {
            self.twins_due = None;
        }
        twin
    }

    /// A report of so many twins was refused for something in it.
    pub(super) fn split(&mut self, twins: usize) {
        self.most = Some((twins / 2).max(1));
        self.carried = 0;
    }

    /// The culprit stands alone: the others may go together again.
    pub(super) fn unsplit(&mut self) {
        self.most = None;
    }

    /// The report that was under way is no more. Returns what of it is still to be kept.
    pub(super) fn settle(&mut self, content: Content) -> Option<Content> {
        let lent = self.lent.take()?;
        Some(match content {
            Content::State(state) => Content::State(state),
            Content::Twins(mut twins) => {
                twins.retain(|twin| lent.contains(twin.property.name()));
                Content::Twins(twins)
            }
        })
    }

    /// Brings back what was not accepted, unless it is superseded.
    pub(super) fn bring_back(&mut self, content: Content, due: Due) {
        match content {
            Content::State(state) => {
                let state = self.state.unwrap_or(state);
                self.set_state(state, due);
            }
            Content::Twins(twins) => {
                let twins: Vec<_> =
                    twins.into_iter().filter(|twin| !self.twins.contains_key(twin.property.name())).collect();
                if !twins.is_empty() || !self.twins.is_empty() {
                    self.add_twins(twins.into_iter(), due);
                }
            }
        }
    }

    /// Takes note of twins that were accepted. Returns those that were so for the first time, and have no newer value that waits.
    pub(super) fn first_accepted(&mut self, mut twins: Vec<TwinUpdate>) -> Vec<TwinUpdate> {
        self.quarantine.accepted(&twins);
        self.carried += twins.len();
        // All of them have gone through twice: what was refused was a value that is no more.
        if self.carried > 2 * (self.accepted.len() + self.twins.len()) {
            self.unsplit();
        }
        twins.retain(|twin| {
            let is_first = self.accepted.insert(twin.property.shared_name(), twin.clone()).is_none();
            is_first && !self.twins.contains_key(twin.property.name())
        });
        twins
    }

    /// Returns the last accepted reports of these twins, which edgecore may have overwritten by older ones. Of a twin that waits there is a
    /// newer one anyway; one that is under way is repeated once it is accepted, since nobody knows which was stored last.
    pub(super) fn doubt<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Vec<TwinUpdate> {
        let mut again = Vec::new();
        for name in names {
            if self.lent.as_ref().is_some_and(|lent| lent.contains(name)) {
                self.accepted.remove(name);
            } else if !self.twins.contains_key(name) && !self.quarantine.is_alone(name) {
                again.extend(self.accepted.get(name).cloned());
            }
        }
        again
    }
}

impl Standing {
    /// Whoever waited when the device had its last turn comes first, unless what is due may go ahead.
    fn behind(self, due: Due) -> Due {
        let at = if due.is_ahead { due.at } else { self.fence.map_or(due.at, |fence| due.at.max(fence)) };
        Due { at, ..due }
    }

    /// What waits keeps the time by which it is due, unless what comes is due before. It may go ahead if what comes may.
    fn earlier(self, present: Option<Due>, new: Due) -> Due {
        let new = self.behind(new);
        match present {
            Some(present) if present.at <= new.at => Due { is_ahead: present.is_ahead || new.is_ahead, ..present },
            _ => new,
        }
    }
}
