//! Who is at fault when a target refuses records and does not say: one of them, or the target.
//!
//! A record that is refused alone is *suspected*, and the next ones are tried. It is rejected after two refusals, each of which was
//! followed by the acceptance of another record. So no single change of the target, in whatever moment, costs a record: before it is
//! put right nothing else is accepted, and after it nothing good is refused. Where nothing is accepted, the target is at fault, and
//! everything waits.

use std::{mem, time::Duration};

use tokio::time::Instant;

use super::{Record, buffer::fitting};

/// After so many refusals of single records, or of batches that were refused record by record, in a row the target is at fault.
const MOST_REFUSALS: usize = 8;

/// Every so many pauses others are tried. In between only what was refused first is, so that it is not overtaken when the target is put right.
const SEARCH_CYCLE: usize = 4;

/// How long a suspect waits for another record to be accepted before the target is at fault.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often another record must have been accepted after a refusal.
const PROOFS: u8 = 2;

/// The records that are under suspicion.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// In the order in which they came.
    suspects: Vec<Suspect>,
    /// Since when there are suspects of whom it is not even known that another record was accepted after their first refusal.
    since: Option<Instant>,
    /// How many refusals of others there were in a row, since something was accepted.
    refusals: usize,
    /// Why the last record was refused.
    reason: String,
    /// How many records at the beginning of the batch were tried alone in the last search.
    tried: usize,
    /// How often the target was found at fault since it has accepted something.
    verdicts: usize,
}

/// A record that the target has refused alone, or by itself.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) record: Record,
    pub(super) reason: String,
    /// Whether a later record of the same batch has been accepted.
    pub(super) is_overtaken: bool,
}

#[derive(Debug)]
struct Suspect {
    record: Record,
    reason: String,
    /// How many refusals were followed by the acceptance of another record.
    proofs: u8,
    /// Whether another one has been accepted since the last refusal, so that it is tried once more.
    is_due: bool,
}

impl Doubt {
    /// Whether nothing is suspected.
    pub(super) fn is_empty(&self) -> bool {
        self.suspects.is_empty()
    }

    /// Puts records under suspicion.
    pub(super) fn suspect(&mut self, refused: Vec<Refused>) {
        let Some(last) = refused.last() else { return };
        self.reason.clone_from(&last.reason);
        if !refused.iter().any(|refused| refused.is_overtaken) {
            self.refusals += 1;
        }
        if !last.is_overtaken {
            self.since.get_or_insert_with(Instant::now);
        }
        self.suspects.extend(refused.into_iter().map(|Refused { record, reason, is_overtaken }| Suspect {
            proofs: u8::from(is_overtaken),
            is_due: is_overtaken,
            ..Suspect::new(record, reason)
        }));
    }

    /// The target has refused these records together with others. They are those which had their turn before the last pause, so
    /// that others have theirs.
    pub(super) fn set_aside(&mut self, records: Vec<Record>, reason: &str) {
        reason.clone_into(&mut self.reason);
        self.suspects.extend(records.into_iter().map(|record| Suspect::new(record, reason.to_owned())));
    }

    /// How many records at the beginning of the batch have had their turn.
    pub(super) fn tried(&self) -> usize {
        self.tried
    }

    /// The target has accepted another record. Gives those that are rejected by that, with the reasons.
    pub(super) fn accepted(&mut self) -> Vec<(Record, String)> {
        (self.refusals, self.tried, self.verdicts) = (0, 0, 0);
        self.since = None;
        for suspect in self.suspects.iter_mut().filter(|suspect| !suspect.is_due) {
            suspect.proofs += 1;
            suspect.is_due = true;
        }
        let convicted = self.suspects.extract_if(.., |suspect| suspect.proofs >= PROOFS);
        convicted.map(|suspect| (suspect.record, suspect.reason)).collect()
    }

    /// Whether some suspects are to be tried once more.
    pub(super) fn is_due(&self) -> bool {
        self.suspects.iter().any(|suspect| suspect.is_due)
    }

    /// The first suspects that are to be tried once more, at most so many, and no more bytes than a batch has.
    pub(super) fn due(&self, most: usize) -> Vec<Record> {
        let due = self.suspects.iter().filter(|suspect| suspect.is_due).map(|suspect| &suspect.record).take(most);
        let count = fitting(due.clone());
        due.take(count).cloned().collect()
    }

    /// Takes out the first suspects that are due, so many, since there is an answer for each.
    pub(super) fn take_due(&mut self, count: usize) -> Vec<Tried> {
        let mut left = count;
        let tried = self.suspects.extract_if(.., |suspect| {
            let is_taken = suspect.is_due && left > 0;
            left -= usize::from(is_taken);
            is_taken
        });
        tried.map(Tried).collect()
    }

    /// Whether each suspect needs no more than the acceptance of one other record.
    pub(super) fn awaits_last_proof(&self) -> bool {
        !self.is_empty() && self.suspects.iter().all(|suspect| !suspect.is_due && suspect.proofs + 1 == PROOFS)
    }

    /// The target is away, which says nothing of the suspects.
    pub(super) fn is_interrupted(&mut self) {
        self.since = None;
    }

    /// When the target is at fault, if nothing is accepted by then.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + PATIENCE)
    }

    /// Whether others are tried when something is refused.
    pub(super) fn searches(&self) -> bool {
        self.verdicts.is_multiple_of(SEARCH_CYCLE)
    }

    /// Why the target is at fault: it has refused too often in a row, or for too long.
    pub(super) fn verdict(&self) -> Option<String> {
        let most = if self.searches() { MOST_REFUSALS } else { 1 };
        let is_over = self.refusals >= most || self.deadline().is_some_and(|by| by <= Instant::now());
        (is_over && !self.is_due()).then(|| self.reason.clone())
    }

    /// The target is at fault. `alone` is whether the suspects were tried one by one. Gives them back, in their order.
    pub(super) fn convict_target(&mut self, alone: bool) -> Vec<Record> {
        self.verdicts += 1;
        if alone && !self.is_empty() {
            self.tried = self.suspects.len();
        }
        self.release()
    }

    /// Gives all suspects back, in their order.
    pub(super) fn release(&mut self) -> Vec<Record> {
        (self.since, self.refusals) = (None, 0);
        mem::take(&mut self.suspects).into_iter().map(|suspect| suspect.record).collect()
    }
}

/// A suspect that was tried once more.
#[derive(Debug)]
pub(super) struct Tried(Suspect);

impl Tried {
    /// The record.
    pub(super) fn into_record(self) -> Record {
        self.0.record
    }

    /// It was refused again.
    pub(super) fn suspect(self, reason: String, doubt: &mut Doubt) {
        doubt.reason.clone_from(&reason);
        doubt.suspects.push(Suspect { reason, is_due: false, ..self.0 });
    }
}

impl Suspect {
    fn new(record: Record, reason: String) -> Self {
        Self { record, reason, proofs: 0, is_due: false }
    }
}
