//! Reports over DMI that wait for edgecore to say that it has stored them.
//!
//! A call that edgecore accepts may be lost all the same. Where its event bus is listened to, it says of each twin that it is stored,
//! whatever way the twin has come. Until it has said anything, and once it says nothing any more, a call that was accepted is enough.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::model::DeviceId;

use super::outbox::Report;

/// How long edgecore may take to say that it has stored a report. It was seen to take 2 to 50 ms.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(crate) struct Receipts {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// When edgecore last said of something that it is stored; `None` while it is not known to.
    heard: Option<Instant>,
    /// One report for each device, since no other is taken of it meanwhile.
    expected: HashMap<DeviceId, Expected>,
}

#[derive(Debug)]
struct Expected {
    /// The twins that are not known to be stored.
    missing: HashSet<String>,
    /// Why edgecore refused something of the device, if it did.
    reason: String,
    /// The report, once the call was accepted, and when that was.
    accepted: Option<(Report, Instant)>,
}

/// What has become of a report for which edgecore took too long.
#[derive(Debug)]
pub(super) enum Overdue {
    /// edgecore has said of others that they are stored, and not of these twins, which are what is left of the report.
    Missing {
        report: Report,
        missing: Vec<String>,
        /// Whether other twins of the report are stored.
        is_part: bool,
        /// What edgecore said of the device meanwhile.
        reason: String,
    },
    /// edgecore says nothing any more.
    Unknown(Report),
}

impl Receipts {
    /// A call is about to carry these twins.
    pub(super) fn expect(&self, device: &DeviceId, twins: impl Iterator<Item = String>) {
        let mut state = self.state();
        if state.heard.is_some() {
            let expected = Expected { missing: twins.collect(), reason: String::new(), accepted: None };
            state.expected.insert(device.clone(), expected);
        }
    }

    /// The call was accepted. Gives the report back if nothing more is waited for.
    pub(super) fn accepted(&self, report: Report) -> Option<Report> {
        let mut state = self.state();
        let Some(expected) = state.expected.get_mut(&report.device) else { return Some(report) };
        if expected.missing.is_empty() {
            state.expected.remove(&report.device);
            return Some(report);
        }
        expected.accepted = Some((report, Instant::now()));
        self.wake.notify_waiters();
        None
    }

    /// The call was not accepted.
    pub(super) fn withdraw(&self, device: &DeviceId) {
        self.state().expected.remove(device);
    }

    /// edgecore says that twins are stored. Returns the report of which they were the last.
    pub(super) fn stored(&self, device: &DeviceId, twins: &[String]) -> Option<Report> {
        let mut state = self.state();
        state.heard = Some(Instant::now());
        let expected = state.expected.get_mut(device)?;
        expected.missing.retain(|missing| !twins.contains(missing));
        if !expected.missing.is_empty() {
            return None;
        }
        // Until the call has been answered, the report is with the reporter.
        let (report, _) = expected.accepted.take()?;
        state.expected.remove(device);
        Some(report)
    }

    /// edgecore says that it has not stored something of a device.
    pub(super) fn refused(&self, device: &DeviceId, reason: String) {
        if let Some(expected) = self.state().expected.get_mut(device) {
            expected.reason = reason;
        }
    }

    /// Waits until a report is overdue.
    pub(super) async fn overdue(&self) {
        loop {
            let mut changed = pin!(self.wake.notified());
            changed.as_mut().enable();
            let due = self.state().accepted().map(|(_, _, at)| at + ANSWER).min();
            let Some(due) = due else {
                changed.await;
                continue;
            };
            if due <= Instant::now() {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = sleep_until(due) => {}
            }
        }
    }

    /// The reports that are overdue.
    pub(super) fn take_overdue(&self) -> Vec<Overdue> {
        let mut state = self.state();
        let now = Instant::now();
        let overdue: Vec<_> =
            state.accepted().filter(|(_, _, at)| *at + ANSWER <= now).map(|(device, _, _)| device.clone()).collect();
        let heard = state.heard;
        let mut taken = Vec::with_capacity(overdue.len());
        for device in overdue {
            let Some(Expected { missing, reason, accepted: Some((mut report, at)) }) = state.expected.remove(&device)
            else {
                continue;
            };
            if heard.is_some_and(|heard| heard > at) {
                let mut missing: Vec<_> = missing.into_iter().collect();
                missing.sort_unstable();
                let before = report.content.twins().len();
                report.content.retain(|name| missing.iter().any(|missing| missing == name));
                let is_part = report.content.twins().len() < before;
                taken.push(Overdue::Missing { report, missing, is_part, reason });
            } else {
                state.heard = None;
                taken.push(Overdue::Unknown(report));
            }
        }
        taken
    }

    /// edgecore is listened to no longer. Returns the reports that were waited for.
    pub(super) fn end(&self) -> Vec<Report> {
        let mut state = self.state();
        state.heard = None;
        let expected = std::mem::take(&mut state.expected);
        expected.into_values().filter_map(|expected| Some(expected.accepted?.0)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The reports whose calls were accepted, and when.
    fn accepted(&self) -> impl Iterator<Item = (&DeviceId, &Report, Instant)> {
        let all = self.expected.iter();
        all.filter_map(|(device, expected)| expected.accepted.as_ref().map(|(report, at)| (device, report, *at)))
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::SystemTime};

    use tokio::time::{advance, timeout};

    use crate::{
        model::{DataType, Property},
        twin::{Echo, Outbox, TwinUpdate, Urgency},
    };

    use super::*;

    fn boiler() -> DeviceId {
        DeviceId::new("", "boiler")
    }

    /// A report of the boiler's twins `a` and `b`.
    fn report() -> Report {
        let twin = |name: &str| {
            let property = Arc::new(Property::builder(name, DataType::Int).build());
            TwinUpdate { property, value: 1.into(), timestamp: SystemTime::UNIX_EPOCH, desired: Echo::default() }
        };
        let outbox = Outbox::default();
        outbox.post_twins(&boiler(), ["a", "b"].map(twin), Urgency::Ordinary);
        outbox.take().expect("it is posted")
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Receipts of an edgecore that has said something.
    fn heard() -> Receipts {
        let receipts = Receipts::default();
        assert!(receipts.stored(&DeviceId::new("", "other"), &names(&["x"])).is_none());
        receipts
    }

    /// A call that was accepted, and waits for the word of both twins.
    fn waiting(receipts: &Receipts) {
        receipts.expect(&boiler(), names(&["a", "b"]).into_iter());
        assert!(receipts.accepted(report()).is_none());
    }

    #[tokio::test]
    async fn nothing_is_waited_for_until_edgecore_has_said_something() {
        let receipts = Receipts::default();
        receipts.expect(&boiler(), names(&["a", "b"]).into_iter());
        assert!(receipts.accepted(report()).is_some());
    }

    #[tokio::test]
    async fn a_report_is_stored_with_its_last_twin() {
        let receipts = heard();
        waiting(&receipts);
        assert!(receipts.stored(&boiler(), &names(&["b"])).is_none());
        assert!(receipts.stored(&boiler(), &names(&["a"])).is_some());
        assert!(receipts.stored(&boiler(), &names(&["a"])).is_none(), "it is done with");
    }

    #[tokio::test]
    async fn what_edgecore_says_before_it_answers_the_call_counts() {
        let receipts = heard();
        receipts.expect(&boiler(), names(&["a", "b"]).into_iter());
        assert!(receipts.stored(&boiler(), &names(&["a", "b"])).is_none());
        assert!(receipts.accepted(report()).is_some());
    }

    #[tokio::test]
    async fn a_call_that_failed_is_not_waited_for() {
        let receipts = heard();
        receipts.expect(&boiler(), names(&["a", "b"]).into_iter());
        receipts.withdraw(&boiler());
        assert!(receipts.stored(&boiler(), &names(&["a", "b"])).is_none());
        assert!(receipts.end().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn twins_of_which_edgecore_says_nothing_are_missing() {
        let receipts = heard();
        waiting(&receipts);
        advance(Duration::from_secs(1)).await;
        receipts.stored(&boiler(), &names(&["a"]));
        assert!(timeout(ANSWER - Duration::from_millis(1001), receipts.overdue()).await.is_err());
        receipts.overdue().await;
        let overdue = receipts.take_overdue();
        assert!(
            matches!(&overdue[..], [Overdue::Missing { missing, is_part: true, report, .. }] if *missing == ["b"] && report.content.twins().len() == 1),
            "{overdue:?}"
        );
        assert!(receipts.take_overdue().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_edgecore_that_says_nothing_any_more_is_not_waited_for() {
        let receipts = heard();
        waiting(&receipts);
        receipts.overdue().await;
        let overdue = receipts.take_overdue();
        assert!(matches!(&overdue[..], [Overdue::Unknown(_)]), "{overdue:?}");
        receipts.expect(&boiler(), names(&["a"]).into_iter());
        assert!(receipts.accepted(report()).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_the_next_one_learns_of_it() {
        let receipts = Arc::new(heard());
        let begun = Instant::now();
        let waits = tokio::spawn({
            let receipts = Arc::clone(&receipts);
            async move { receipts.overdue().await }
        });
        advance(Duration::from_secs(60)).await;
        waiting(&receipts);
        waits.await.expect("it does not panic");
        assert_eq!(begun.elapsed(), Duration::from_secs(60) + ANSWER);
    }

    #[tokio::test]
    async fn when_nobody_listens_any_more_what_was_accepted_counts() {
        let receipts = heard();
        waiting(&receipts);
        assert_eq!(receipts.end().len(), 1);
        receipts.expect(&boiler(), names(&["a"]).into_iter());
        assert!(receipts.accepted(report()).is_some());
    }
}
