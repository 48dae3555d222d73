//! The twins of a device that are refused when they stand alone: they wait by themselves, so that they cost the others nothing.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use super::{TwinUpdate, order::Place};

/// For how long a refused twin waits, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The twins of one device that were refused.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    twins: BTreeMap<Arc<str>, Held>,
}

#[derive(Debug, Default)]
struct Held {
    refusals: u32,
    /// Until then it waits; `None` while it may be tried once more, by itself.
    until: Option<Place>,
    /// The latest value, while it waits.
    value: Option<TwinUpdate>,
}

impl Quarantine {
    /// For how long a twin has to wait that is refused now.
    pub(super) fn pause(&self, name: &str) -> Duration {
        let refusals = self.twins.get(name).map_or(0, |held| held.refusals);
        PAUSE.0.saturating_mul(2_u32.saturating_pow(refusals)).min(PAUSE.1)
    }

    /// A twin was refused, and waits.
    pub(super) fn hold(&mut self, twin: TwinUpdate, until: Place) {
        let held = self.twins.entry(twin.property.shared_name()).or_default();
        held.refusals += 1;
        held.until = Some(until);
        held.value.get_or_insert(twin);
    }

    /// Keeps the value of a twin that waits; else gives it back.
    pub(super) fn keep(&mut self, twin: TwinUpdate) -> Option<TwinUpdate> {
        match self.twins.entry(twin.property.shared_name()) {
            Entry::Occupied(mut held) if held.get().until.is_some() => {
                held.get_mut().value = Some(twin);
                None
            }
            _ => Some(twin),
        }
    }

    /// The values of the twins that have waited until then.
    pub(super) fn release(&mut self, until: Place) -> Vec<TwinUpdate> {
        let released = self.twins.values_mut().filter(|held| held.until == Some(until));
        released
            .filter_map(|held| {
                held.until = None;
                held.value.take()
            })
            .collect()
    }

    /// Whether a twin has to stand alone.
    pub(super) fn is_alone(&self, name: &str) -> bool {
        self.twins.contains_key(name)
    }

    /// These twins were accepted.
    pub(super) fn accepted(&mut self, twins: &[TwinUpdate]) {
        if !self.twins.is_empty() {
            twins.iter().for_each(|twin| drop(self.twins.remove(twin.property.name())));
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.twins.retain(|name, _| keep(name));
    }

    /// Whether a value waits here.
    pub(super) fn holds(&self) -> bool {
        self.twins.values().any(|held| held.value.is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::SystemTime};

    use tokio::time::{Instant, sleep, sleep_until};

    use crate::{
        model::{DataType, DeviceId, Property},
        twin::{
            Echo, Outbox, Urgency,
            outbox::{Content, Report},
        },
    };

    use super::*;

    fn boiler() -> DeviceId {
        DeviceId::new("", "boiler")
    }

    fn twin(name: &str, value: i64) -> TwinUpdate {
        let property = Arc::new(Property::builder(name, DataType::Int).build());
        TwinUpdate { property, value: value.into(), timestamp: SystemTime::UNIX_EPOCH, desired: Echo::default() }
    }

    fn post(outbox: &Outbox, names: &[&str], value: i64) {
        outbox.post_twins(&boiler(), names.iter().map(|name| twin(name, value)), Urgency::Ordinary);
    }

    /// The names and values of a report.
    fn twins(report: &Report) -> Vec<(String, String)> {
        let Content::Twins(twins) = &report.content else { panic!("a state") };
        twins.iter().map(|twin| (twin.property.name().to_owned(), twin.value.to_string())).collect()
    }

    /// An edgecore that takes no report which holds this twin. Returns how often it refused, until it has all others.
    async fn refuse(outbox: &Outbox, culprit: &str, others: usize) -> usize {
        let (mut stored, mut refused) = (BTreeSet::new(), 0);
        while stored.len() < others {
            outbox.filled().await;
            let report = outbox.take().expect("it is filled");
            let names: Vec<_> = twins(&report).into_iter().map(|(name, _)| name).collect();
            if names.iter().any(|name| name == culprit) {
                refused += 1;
                outbox.refused_for_content(report);
            } else {
                stored.extend(names);
                outbox.accepted(report);
            }
        }
        refused
    }

    const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

    #[tokio::test(start_paused = true)]
    async fn one_twin_that_is_refused_costs_a_few_tries_and_none_of_the_others() {
        for culprit in NAMES {
            let (outbox, begun) = (Outbox::default(), Instant::now());
            post(&outbox, &NAMES, 1);
            let refused = refuse(&outbox, culprit, NAMES.len() - 1).await;
            assert!((1..=4).contains(&refused), "{culprit}: {refused} of ten, five, two and one");
            let time = begun.elapsed();
            assert!(time >= Duration::from_secs(1) && time < Duration::from_secs(60), "{culprit}: {time:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_culprit_waits_alone_twice_as_long_each_time_and_comes_with_its_latest_value() {
        let outbox = Outbox::default();
        post(&outbox, &["a"], 1);
        for (try_number, seconds) in [1, 2, 4, 8].into_iter().enumerate() {
            let report = outbox.take().expect("its turn");
            assert_eq!(twins(&report), [("a".to_owned(), (try_number + 1).to_string())]);
            outbox.refused_for_content(report);
            let end = Instant::now() + Duration::from_secs(seconds);
            post(&outbox, &["a", "b"], try_number as i64 + 2);
            let other = outbox.take().expect("the other twin");
            assert_eq!(twins(&other)[0].0, "b");
            outbox.accepted(other);
            if try_number == 0 {
                outbox.accepted(outbox.take().expect("a first report is repeated"));
            }
            assert!(outbox.take().is_none(), "it waits");
            sleep_until(end).await;
            outbox.filled().await;
            assert_eq!(Instant::now(), end);
        }
        outbox.accepted(outbox.take().expect("its turn"));
        post(&outbox, &["a", "b"], 9);
        assert_eq!(twins(&outbox.take().expect("both")).len(), 2, "it is one of them again");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forgotten_or_dropped_does_not_come_back() {
        let outbox = Outbox::default();
        post(&outbox, &["a"], 1);
        let report = outbox.take().expect("its turn");
        outbox.refused_for_content(report);
        assert_eq!(outbox.len(), 1, "its value is not reported");
        outbox.retain(&boiler(), |name| name != "a");
        assert_eq!(outbox.len(), 0);
        sleep(Duration::from_secs(5)).await;
        assert!(outbox.take().is_none());
        post(&outbox, &["a"], 1);
        let report = outbox.take().expect("its turn");
        outbox.forget(&boiler());
        outbox.refused_for_content(report);
        sleep(Duration::from_secs(5)).await;
        assert!(outbox.take().is_none() && outbox.len() == 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_that_is_no_more_leaves_the_others_together() {
        let outbox = Outbox::default();
        post(&outbox, &NAMES, 1);
        let report = outbox.take().expect("its turn");
        outbox.refused_for_content(report);
        post(&outbox, &NAMES, 2);
        let mut largest = 0;
        for value in 3..40 {
            outbox.filled().await;
            let report = outbox.take().expect("its turn");
            largest = twins(&report).len();
            outbox.accepted(report);
            post(&outbox, &NAMES, value);
        }
        assert_eq!(largest, NAMES.len());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_answered_rests_a_second_each_time() {
        let (outbox, begun) = (Outbox::default(), Instant::now());
        post(&outbox, &["a"], 1);
        for _ in 0..100 {
            outbox.filled().await;
            outbox.unanswered(outbox.take().expect("its turn"));
        }
        outbox.filled().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(100));
        assert!(!outbox.accepted(outbox.take().expect("its turn")), "it was not refused");
    }
}
