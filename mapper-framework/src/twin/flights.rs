//! Reports that are on their way over the event bus, and wait for edgecore's answer.

use std::{collections::HashMap, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::model::DeviceId;

use super::{
    carried::Carried,
    outbox::{Content, Report},
};

/// A report on its way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) report: Report,
    pub(super) event_id: String,
    pub(super) sent: Instant,
    pub(super) carried: Carried,
    /// Whether edgecore has refused somebody's message meanwhile, without naming it.
    pub(super) is_suspect: bool,
}

/// All of them, one for each device.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flights: HashMap<DeviceId, Flight>,
}

impl Flights {
    pub(super) fn add(&mut self, report: Report, event_id: String, carried: Carried) {
        let flight = Flight { event_id, sent: Instant::now(), carried, is_suspect: false, report };
        self.flights.insert(flight.report.device.clone(), flight);
    }

    pub(super) fn len(&self) -> usize {
        self.flights.len()
    }

    /// Takes out the report of a device that an answer belongs to.
    pub(super) fn answered(&mut self, device: &DeviceId, event_id: &str) -> Option<Flight> {
        self.flights
            .get(device)
            .is_some_and(|flight| flight.event_id == event_id)
            .then(|| self.flights.remove(device))?
    }

    /// The same of a report of a state, whose answer names the state only.
    pub(super) fn state_stored(&mut self, device: &DeviceId, word: &str) -> Option<Flight> {
        let is_it = |flight: &Flight| matches!(flight.report.content, Content::State(state) if state.word_of_edgecore() == word);
        self.flights.get(device).is_some_and(is_it).then(|| self.flights.remove(device))?
    }

    /// edgecore has refused something, and does not say whose it was.
    pub(super) fn suspect_all(&mut self) {
        self.flights.values_mut().for_each(|flight| flight.is_suspect = true);
    }

    /// Waits until an answer has been due for so long.
    pub(super) async fn overdue(&self, answer: Duration) {
        match self.flights.values().map(|flight| flight.sent).min() {
            Some(oldest) => sleep_until(oldest + answer).await,
            None => std::future::pending().await,
        }
    }

    /// Takes out those whose answers are overdue, the oldest first.
    pub(super) fn take_overdue(&mut self, answer: Duration) -> Vec<Flight> {
        let now = Instant::now();
        let mut overdue: Vec<_> =
            self.flights.extract_if(|_, flight| flight.sent + answer <= now).map(|(_, flight)| flight).collect();
        overdue.sort_by_key(|flight| flight.sent);
        overdue
    }

    /// Takes out all of them.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Flight> + use<> {
        std::mem::take(&mut self.flights).into_values()
    }
}
