//! Reads: by themselves, in a round, and cancelled.

use super::{ROUNDS, Suite, Violation, poll_times};
use crate::{
    driver::{Deadline, DriverError, ErasedSession, Results},
    model::{AccessMode, Property, Reading, Value},
};

/// At how many awaits a round of reads is cancelled at most, each on a session of its own.
const CANCELLATIONS: usize = 32;

/// What a round of reads gave: a result for each property, and the error of all that have none of their own.
struct Round {
    results: Vec<Result<Reading, DriverError>>,
    failed: Option<DriverError>,
}

impl Suite<'_> {
    /// Reads the properties at these places.
    async fn round(&self, session: &mut dyn ErasedSession, places: &[usize]) -> Round {
        let erased: Vec<_> = places.iter().map(|&place| self.erased[place].clone()).collect();
        let (mut results, deadline) = (Results::new(places.len()), Deadline::after(super::DEADLINE));
        let call = session.read_many(&erased, &mut results, &deadline);
        let failed = self.call_until("read_many", &deadline, call).await.err();
        let results = places.iter().zip(results.into_vec()).map(|(&place, result)| match (result, &failed) {
            (Some(result), _) => result,
            (None, Some(error)) => Err(error.clone()),
            (None, None) => {
                let cure = "put one into `reads` for each property, or return an error for all that have none";
                self.violated(Violation::of(self.property(place), "read_many", "it returned no result for it", cure))
            }
        });
        Round { results: results.collect(), failed }
    }

    /// The property's value in its own type; `None` if it can only be written, or is only an argument of a method.
    pub(super) async fn value(&self, session: &mut dyn ErasedSession, place: usize) -> Option<Value> {
        let property = self.property(place);
        match self.round(session, &[place]).await.results.swap_remove(0) {
            Ok(reading) => Some(self.fitting(property, "read", reading.into_value())),
            Err(error) if !error.is_retryable() && self.may_be_unreadable(property) => None,
            Err(error) => {
                self.violated(Violation::of(property, "read", error, "is its visitor right for this device?"))
            }
        }
    }

    fn may_be_unreadable(&self, property: &Property) -> bool {
        let mut methods = self.device.methods().iter();
        property.access_mode() == AccessMode::ReadWrite
            || methods.any(|method| method.property_names.iter().any(|name| name == property.name()))
    }

    pub(super) async fn values(&self, session: &mut dyn ErasedSession) -> Vec<Option<Value>> {
        let mut values = Vec::with_capacity(self.erased.len());
        for place in 0..self.erased.len() {
            values.push(self.value(session, place).await);
        }
        values
    }

    /// Each property by itself; and once more on another session, after the first one was closed.
    pub(super) async fn reads_fit_their_property(&self) {
        for _ in 0..2 {
            let mut session = self.connect().await;
            self.values(&mut *session).await;
            self.close(session).await;
        }
    }

    pub(super) async fn a_round_answers_in_order(&self) {
        let mut session = self.connect().await;
        let forwards: Vec<usize> = (0..self.erased.len()).collect();
        let backwards: Vec<usize> = forwards.iter().rev().copied().collect();
        for places in [forwards, backwards] {
            let mut misplaced = None;
            for _ in 0..ROUNDS {
                misplaced = self.misplaced(&mut *session, &places).await;
                if misplaced.is_none() {
                    break;
                }
            }
            if let Some((property, what)) = misplaced {
                let cure =
                    "put each result to its own property, as `Reads::set` does by name and `Reads::set_at` by index";
                self.violated(Violation::of(property, "read_many", what, cure));
            }
        }
        self.close(session).await;
    }

    /// A property whose value was the same before and after a round, and another one in it.
    async fn misplaced(&self, session: &mut dyn ErasedSession, places: &[usize]) -> Option<(&Property, String)> {
        let before = self.values(session).await;
        let round = self.round(session, places).await;
        let after = self.values(session).await;
        self.fails_as_a_whole_for_cause(&before, &after, &round);
        for (&place, result) in places.iter().zip(round.results) {
            let (Some(before), Some(after)) = (&before[place], &after[place]) else { continue };
            let property = self.property(place);
            let shown = match result.map(|reading| reading.into_value().conform(property.data_type())) {
                Ok(Ok(value)) if value.is_close_to(before) || !before.is_close_to(after) => continue,
                Ok(Ok(value)) => value.to_string(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            return Some((property, format!("read by itself it is {before}, in a round with others: {shown}")));
        }
        None
    }

    /// An error for all is not for what is wrong with one of them.
    fn fails_as_a_whole_for_cause(&self, before: &[Option<Value>], after: &[Option<Value>], round: &Round) {
        let Some(error) = &round.failed else { return };
        if before.iter().chain(after).any(Option::is_some) {
            let what =
                format!("it failed as a whole ({error}), and by itself each property can be read that is readable");
            let cure = "put what is wrong with one property into `reads`, and return an error only if it is one of all";
            self.violated(Violation::new("read_many", what, cure));
        }
    }

    /// The framework drops a session in the middle of a read when a deadline passes; the next one must come to life.
    pub(super) async fn a_cancelled_read_costs_its_session_only(&self) {
        for polls in 1..=CANCELLATIONS {
            let mut session = self.connect().await;
            let (mut results, deadline) = (Results::new(self.erased.len()), Deadline::after(super::DEADLINE));
            let round = poll_times(session.read_many(&self.erased, &mut results, &deadline), polls);
            let round = self.call_until("read_many", &deadline, round).await;
            drop(session);
            let mut next = self.connect().await;
            self.values(&mut *next).await;
            self.close(next).await;
            if round.is_some() {
                return;
            }
        }
    }
}
