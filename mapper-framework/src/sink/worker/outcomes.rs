//! What attempts come to, and what becomes of their records.

use std::{mem, sync::Arc, time::Duration};

use tokio::{task::JoinError, time::Instant};

use crate::telemetry::sinks::RecordRejected;

use super::{
    super::{Outcome, Record, SinkError, connection::Attempt, doubt::Refused},
    Part, Worker,
};

/// The longest pause that a target can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How often a target that nothing is written to is asked whether it could be.
const HEALTH_CYCLE: Duration = Duration::from_secs(30);

/// The most series of which it is remembered when a rejection was logged.
const LOGGED_SERIES: usize = 1_024;

/// What has become of the records of an attempt.
#[derive(Default)]
struct Settled {
    delivered: usize,
    rejected: usize,
    /// How many bytes of memory these two kinds took.
    bytes: usize,
    again: Vec<Record>,
    why: Option<String>,
    refused: Vec<Refused>,
}

impl Worker {
    /// Takes in what an attempt came to.
    pub(super) async fn finish(&mut self, attempt: Result<Attempt, JoinError>) {
        let part = self.attempt.take().map_or(Part::Batch(0), |flight| flight.part);
        self.health_due = Instant::now() + HEALTH_CYCLE;
        let attempt = attempt.unwrap_or_else(died);
        self.connection = attempt.connection;
        let written = if attempt.connected { part.len() } else { 0 };
        match attempt.outcome {
            Ok(outcomes) => {
                self.tries_alone = false;
                self.settle(part, outcomes).await;
            }
            Err(error) if part.len() == 0 && error.is_unsupported() => self.health_unknown(),
            // What `open` refuses is no fault of the records.
            Err(error) if written == 0 => self.failed(0, &error).await,
            Err(error) if error.is_refused() && written == 1 => {
                self.tries_alone = true;
                self.settle(part, vec![Outcome::refused(error)]).await;
            }
            Err(error) if error.is_refused() && self.doubt.is_empty() && !self.doubt.searches() => {
                self.refuses_all(&error.to_string()).await;
            }
            Err(error) if error.is_refused() => self.split(part, Some(&error)),
            Err(error) if error.is_retryable() => self.failed(written, &error).await,
            Err(error) if written == 1 => self.settle(part, vec![Outcome::rejected(error)]).await,
            Err(_) => self.split(part, None),
        }
    }

    /// Something among these records is refused: parts of them are tried one after the other. `refusal` is why, where the target may
    /// be at fault.
    fn split(&mut self, part: Part, refusal: Option<&SinkError>) {
        match part {
            Part::Suspects(_) => self.suspects = 1,
            Part::Batch(mut records) => {
                // When all have had their turn, the first ones have it again.
                let tried = Some(self.doubt.tried()).filter(|tried| *tried < records).unwrap_or_default();
                if let Some(refusal) = refusal
                    && self.doubt.is_empty()
                    && tried > 0
                {
                    self.doubt.set_aside(self.batch.drain(..tried).collect(), &refusal.to_string());
                    records -= tried;
                }
                self.step = (records / 2).max(1);
            }
        }
    }

    /// Counts what has become of the records of an attempt, and keeps those that come again.
    async fn settle(&mut self, part: Part, outcomes: Vec<Outcome>) {
        let mut settled = self.sort_out(part, outcomes);
        if settled.delivered > 0 {
            for (record, reason) in self.doubt.accepted() {
                settled.rejected += 1;
                settled.bytes += record.weight();
                self.log_rejection(&record, &reason);
            }
        }
        self.doubt.suspect(settled.refused);
        let failed = settled.again.len();
        self.batch.splice(..0, settled.again);
        if let Some(reason) = settled.why {
            let records = part.len();
            let error =
                SinkError::failed(format_args!("{failed} of {records} records are to be tried again: {reason}"));
            self.failed(failed, &error).await;
        } else if settled.delivered > 0 || part.len() == 0 {
            self.succeeded();
        }
        if self.batch.is_empty() && self.doubt.is_empty() {
            self.suspects = usize::MAX;
            self.buffer.settled(&self.monitor).await;
        }
        self.monitor.share.release(settled.bytes);
        self.monitor.count(|account| account.settle(settled.delivered, settled.rejected));
    }

    /// Puts each record of an attempt where its outcome belongs. Suspects that are refused again stay what they are.
    fn sort_out(&mut self, part: Part, outcomes: Vec<Outcome>) -> Settled {
        let mut settled = Settled::default();
        let mut outcomes = outcomes.into_iter();
        let mut next = || outcomes.next().unwrap_or_else(|| Outcome::retry("the sink has given no outcome for it"));
        match part {
            Part::Batch(records) => {
                let mut overtaken = 0;
                for record in self.batch.drain(..records).collect::<Vec<_>>() {
                    match next() {
                        Outcome::Refused(reason) => {
                            settled.refused.push(Refused { record, reason, is_overtaken: false });
                        }
                        outcome => {
                            if outcome == Outcome::Accepted {
                                overtaken = settled.refused.len();
                            }
                            self.place(record, outcome, &mut settled);
                        }
                    }
                }
                settled.refused[..overtaken].iter_mut().for_each(|refused| refused.is_overtaken = true);
            }
            Part::Suspects(records) => {
                for suspect in self.doubt.take_due(records) {
                    match next() {
                        Outcome::Refused(reason) => suspect.suspect(reason, &mut self.doubt),
                        outcome => self.place(suspect.into_record(), outcome, &mut settled),
                    }
                }
            }
        }
        settled
    }

    fn place(&mut self, record: Record, outcome: Outcome, settled: &mut Settled) {
        match outcome {
            Outcome::Accepted => {
                settled.delivered += 1;
                settled.bytes += record.weight();
            }
            Outcome::Retry(reason) | Outcome::Refused(reason) => {
                settled.again.push(record);
                settled.why.get_or_insert(reason);
            }
            Outcome::Rejected(reason) => {
                settled.rejected += 1;
                settled.bytes += record.weight();
                self.log_rejection(&record, &reason);
            }
        }
    }

    fn succeeded(&mut self) {
        self.ceiling = self.ceiling.saturating_add((self.ceiling / 16).max(1));
        self.step = self.step.saturating_mul(2).min(self.ceiling);
        self.backoff.reset();
        self.not_before = Instant::now();
        self.monitor.up();
    }

    /// The connection is open, and whether it can be written to is seen when it is.
    fn health_unknown(&mut self) {
        self.not_before = Instant::now();
    }

    /// The target refuses everything: it, or a setting that leads to it, is at fault.
    pub(super) async fn refuses_all(&mut self, reason: &str) {
        let reason = format!("it refuses all that it is given, and has accepted nothing since: {reason}");
        let suspects = self.doubt.convict_target(self.tries_alone);
        self.batch.splice(..0, suspects);
        self.suspects = usize::MAX;
        // What was put right meanwhile may need another connection.
        self.connection = None;
        self.step = self.ceiling;
        self.failed(0, &SinkError::misconfigured(reason)).await;
    }

    /// An attempt has failed, and another one follows after a pause. Meanwhile everything waits on disk. `written` is how many records
    /// the target may have all the same.
    async fn failed(&mut self, written: usize, error: &SinkError) {
        self.doubt.is_interrupted();
        if written > 0 && !error.is_misconfigured() {
            // Perhaps it was too much for the deadline, or for something on the way.
            self.ceiling = (written / 2).max(1);
            self.step = self.ceiling;
        }
        self.monitor.count(|account| account.repeat(written));
        self.monitor.down(error);
        let asked_for = error.pause().unwrap_or_default().min(LONGEST_PAUSE);
        self.not_before = Instant::now() + self.backoff.next().max(asked_for);
        if self.doubt.is_empty() {
            let batch = mem::take(&mut self.batch);
            self.batch = self.buffer.retreat(batch, &self.monitor).await;
        } else {
            // Suspects are a part of the batch that was taken, which stays in hand until it is known what becomes of them.
            self.buffer.spill(&self.monitor).await;
        }
    }

    pub(super) fn log_rejection(&mut self, record: &Record, reason: &str) {
        if self.logged.len() >= LOGGED_SERIES {
            self.logged.clear();
        }
        let occurrence = self.logged.entry(Arc::as_ptr(record.series()) as usize).or_default().begins();
        self.monitor.telemetry.emit(RecordRejected {
            target: &self.monitor.target,
            device: record.device(),
            property: record.property(),
            reason,
            occurrence,
        });
    }
}

/// An attempt that has panicked.
fn died(error: JoinError) -> Attempt {
    let error = match error.try_into_panic() {
        Ok(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
            SinkError::disconnected(format_args!("the sink panicked: {text}"))
        }
        Err(error) => SinkError::disconnected(error),
    };
    Attempt { connection: None, connected: true, outcome: Err(error) }
}
