//! What a recording answers with, in the order of its calls.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::{
    Tape,
    entry::{Entry, Event, Failure, Outcome, Read, Text},
};

/// A call's outcome, and how long it took.
#[derive(Debug)]
pub(super) struct Taken<T> {
    pub(super) took: Duration,
    pub(super) outcome: Answer<T>,
}

/// What became of a call.
#[derive(Debug)]
pub(super) enum Answer<T> {
    Given(Outcome<T>),
    /// A read that had no result of its own, in a round that failed as a whole, or in which the driver forgot it.
    OfRound(Option<Failure>),
    /// It had no outcome in the time that it was given.
    CutOff,
}

/// One session of a device.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) connect: Taken<()>,
    /// When it was connected, from the recording's beginning.
    pub(super) connected: Duration,
    pub(super) subscribe: VecDeque<Taken<Vec<String>>>,
    /// By property.
    pub(super) reads: HashMap<String, VecDeque<Taken<Read>>>,
    /// With what was written: property and value.
    pub(super) writes: Vec<Written>,
    pub(super) calls: Vec<Called>,
    pub(super) states: VecDeque<Taken<String>>,
    /// With the time at which each came, from the recording's beginning.
    pub(super) changes: VecDeque<(Duration, Outcome<Changes>)>,
}

/// A property, what was written to it if that is known, and what came of it.
pub(super) type Written = (String, Option<Text>, Taken<()>);

/// A method, its arguments if they are known, and what came of the call.
pub(super) type Called = (String, Option<Vec<(String, Text)>>, Taken<Vec<Text>>);

/// What a device has delivered.
pub(super) type Changes = Vec<(String, Outcome<Read>)>;

/// The sessions of each device, in their order.
pub(super) fn sessions(tape: Tape) -> HashMap<String, VecDeque<Recorded>> {
    let mut devices: HashMap<String, VecDeque<Recorded>> = HashMap::new();
    for entry in tape.entries {
        let sessions = devices.entry(entry.device.clone()).or_default();
        match begun(&entry) {
            Some(session) => sessions.push_back(session),
            // A call of a session whose beginning is not in the recording cannot be.
            None => {
                if let Some(session) = sessions.back_mut() {
                    session.add(entry);
                }
            }
        }
    }
    devices
}

/// The session that an attempt to connect begins.
fn begun(entry: &Entry) -> Option<Recorded> {
    let outcome = match &entry.event {
        Event::Connect { outcome, .. } => Answer::Given(outcome.clone()),
        Event::CutOff { of, .. } if of == "connect" => Answer::CutOff,
        _ => return None,
    };
    Some(Recorded {
        connect: Taken { took: Duration::from_micros(entry.took), outcome },
        connected: Duration::from_micros(entry.at),
        subscribe: VecDeque::new(),
        reads: HashMap::new(),
        writes: Vec::new(),
        calls: Vec::new(),
        states: VecDeque::new(),
        changes: VecDeque::new(),
    })
}

impl Recorded {
    fn add(&mut self, Entry { at, took, event, .. }: Entry) {
        let took = Duration::from_micros(took);
        match event {
            Event::Subscribe { outcome } => self.subscribe.push_back(Taken { took, outcome: Answer::Given(outcome) }),
            Event::Read { results, outcome } => {
                for (property, result) in results {
                    let failure = match &outcome {
                        Outcome::Ok(()) => None,
                        Outcome::Err(failure) => Some(failure.clone()),
                    };
                    let outcome = result.map_or(Answer::OfRound(failure), Answer::Given);
                    self.reads.entry(property).or_default().push_back(Taken { took, outcome });
                }
            }
            Event::Write { property, value, outcome } => {
                self.writes.push((property, Some(value), Taken { took, outcome: Answer::Given(outcome) }));
            }
            Event::Call { method, arguments, outcome } => {
                self.calls.push((method, Some(arguments), Taken { took, outcome: Answer::Given(outcome) }));
            }
            Event::State { outcome } => self.states.push_back(Taken { took, outcome: Answer::Given(outcome) }),
            Event::Changed { outcome } => self.changes.push_back((Duration::from_micros(at), outcome)),
            Event::CutOff { of, properties } => self.add_cut_off(&of, properties, took),
            // Frames and bytes are not replayed, and a session is closed by whoever has it.
            Event::Connect { .. }
            | Event::Stream { .. }
            | Event::Close
            | Event::Sent { .. }
            | Event::Received { .. } => {}
        }
    }

    fn add_cut_off(&mut self, of: &str, properties: Vec<String>, took: Duration) {
        match of {
            "subscribe" => self.subscribe.push_back(Taken { took, outcome: Answer::CutOff }),
            "state" => self.states.push_back(Taken { took, outcome: Answer::CutOff }),
            "read" => {
                for property in properties {
                    self.reads.entry(property).or_default().push_back(Taken { took, outcome: Answer::CutOff });
                }
            }
            "write" => {
                for property in properties {
                    self.writes.push((property, None, Taken { took, outcome: Answer::CutOff }));
                }
            }
            "call" => {
                for method in properties {
                    self.calls.push((method, None, Taken { took, outcome: Answer::CutOff }));
                }
            }
            _ => {}
        }
    }
}
