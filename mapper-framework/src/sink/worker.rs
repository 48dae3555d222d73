//! The worker of one target: takes records in, delivers them in batches, and keeps trying.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinError,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    backoff::Backoff,
    telemetry::{
        Damper,
        sinks::{RecordRejected, SinkStopped},
        spool::SpoolPurged,
    },
};

use super::{
    Ledger, Outcome, Record, SinkError,
    buffer::{Buffer, Reach},
    connection::{Attempt, Connection, Dialer},
    disk::Disk,
    doubt::{Doubt, Refused},
    monitor::Monitor,
};

/// How many records may wait for a worker to take them in. It does so at once, unless the disk is slow.
pub(super) const INBOX: usize = 4_096;

/// The pause after the first failed attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause that a target can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The pause after the disk has given nothing of what waits there.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// How often a target that nothing is written to is asked whether it could be.
const HEALTH_CYCLE: Duration = Duration::from_secs(30);

/// The most series of which it is remembered when a rejection was logged.
const LOGGED_SERIES: usize = 1_024;

/// How a worker batches and repeats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) batch_records: usize,
    /// How many records a batch has while more than `batch_records` wait, if that is more.
    pub(super) bulk_records: usize,
    pub(super) batch_linger: Duration,
    pub(super) queue_records: usize,
    pub(super) backoff_max: Duration,
    pub(super) spool_linger: Duration,
}

/// Owns the way to one target. Ends when the mapper stops, and when nobody produces for the target any more.
pub(super) struct Worker {
    monitor: Arc<Monitor>,
    dialer: Dialer,
    pace: Pace,
    /// The records of all devices. Closed when the pool has let go of the target.
    inbox: mpsc::Receiver<Record>,
    /// Brings the disk, once it can be opened.
    disk: mpsc::Receiver<Option<Box<Disk>>>,
    /// Whether it is known if there is a disk. Nothing is taken in or delivered before: it may have to go there, and what lies there
    /// is older.
    ready: bool,
    /// Cancelled when all that waits is given up.
    given_up: CancellationToken,
    /// By when the worker has to end, once the mapper stops.
    stop: watch::Receiver<Option<Instant>>,
    buffer: Buffer,
    /// The batch that was taken from the buffer, as far as it is not settled.
    batch: Vec<Record>,
    /// How many records of the batch the next attempt takes: less than all after a failure, and twice as many after each success.
    step: usize,
    /// How far the step may grow. Half of what a failed write had; grows slowly, or each growth would end in a missed deadline.
    ceiling: usize,
    /// The records of the batch that were refused, while it is found out who is at fault.
    doubt: Doubt,
    /// How many suspects the next attempt takes.
    suspects: usize,
    /// Whether the last refusal was of a record that was tried alone, and not one of the outcomes of a batch.
    tries_alone: bool,
    connection: Option<Connection>,
    /// The attempt under way, which has the connection meanwhile. A task of its own, so that a slow disk does not hold it up and its
    /// panic is caught.
    attempt: Option<Flight>,
    backoff: Backoff,
    /// Not before this is another attempt made.
    not_before: Instant,
    /// When the oldest record in the buffer has waited long enough for others.
    linger_until: Option<Instant>,
    /// When the target is asked for its health, if nothing is written until then.
    health_due: Instant,
    /// When a rejection was logged, by the series.
    logged: HashMap<usize, Damper>,
}

/// An attempt under way.
struct Flight {
    part: Part,
    task: AbortOnDropHandle<Attempt>,
}

/// What an attempt writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The first records of the batch, so many; none when it asks for the target's health.
    Batch(usize),
    /// The first suspects that are due, so many.
    Suspects(usize),
}

impl Part {
    fn len(self) -> usize {
        let (Self::Batch(records) | Self::Suspects(records)) = self;
        records
    }
}

/// What has become of the records of an attempt.
#[derive(Default)]
struct Settled {
    delivered: usize,
    rejected: usize,
    again: Vec<Record>,
    why: Option<String>,
    refused: Vec<Refused>,
}

/// What wakes a worker.
enum Event {
    Arrived(Vec<Record>),
    /// Nobody produces any more.
    Abandoned,
    Attempted(Result<Attempt, JoinError>),
    /// The disk, or that there is none for now.
    Disk(Option<Box<Disk>>),
    Due,
    /// What was to go to disk has gathered.
    Gathered,
    /// Nobody has asked for the target for too long.
    GivenUp,
    Stop(Instant),
}

impl Worker {
    pub(super) fn new(
        monitor: Arc<Monitor>,
        dialer: Dialer,
        pace: Pace,
        disk: mpsc::Receiver<Option<Box<Disk>>>,
        inbox: mpsc::Receiver<Record>,
        given_up: CancellationToken,
        stop: watch::Receiver<Option<Instant>>,
    ) -> Self {
        let now = Instant::now();
        Self {
            monitor,
            dialer,
            pace,
            inbox,
            disk,
            ready: false,
            given_up,
            stop,
            buffer: Buffer::new(pace.queue_records, pace.spool_linger),
            batch: Vec::new(),
            step: usize::MAX,
            ceiling: usize::MAX,
            doubt: Doubt::default(),
            suspects: usize::MAX,
            tries_alone: false,
            connection: None,
            attempt: None,
            backoff: Backoff::new(FIRST_PAUSE, pace.backoff_max),
            not_before: now,
            linger_until: None,
            health_due: now,
            logged: HashMap::new(),
        }
    }

    /// Delivers until the mapper stops, or until everything is delivered and nobody produces any more. `retire` returns whether that
    /// is so, and sees to it that it stays so.
    pub(super) async fn run(mut self, retire: impl Fn(&mpsc::Receiver<Record>) -> bool) {
        let mut abandoned = false;
        loop {
            if self.is_idle() && (abandoned || self.health_due <= Instant::now() && retire(&self.inbox)) {
                break;
            }
            self.proceed().await;
            match self.next_event(abandoned).await {
                Event::Arrived(records) => self.take_in(records).await,
                Event::Abandoned => abandoned = true,
                Event::Attempted(attempt) => self.finish(attempt).await,
                Event::Disk(disk) => self.attach(disk),
                Event::Due => {}
                Event::Gathered => self.spill().await,
                Event::GivenUp => return self.give_up().await,
                Event::Stop(deadline) => return self.stop(deadline).await,
            }
        }
        self.retire().await;
    }

    async fn next_event(&mut self, abandoned: bool) -> Event {
        let due = self.next_due();
        let mut arrived = Vec::new();
        tokio::select! {
            biased;
            deadline = stop_deadline(&mut self.stop) => Event::Stop(deadline),
            () = self.given_up.cancelled() => Event::GivenUp,
            attempt = ended(&mut self.attempt) => Event::Attempted(attempt),
            Some(disk) = self.disk.recv() => Event::Disk(disk),
            count = self.inbox.recv_many(&mut arrived, INBOX), if self.ready && !abandoned => {
                if count == 0 { Event::Abandoned } else { Event::Arrived(arrived) }
            }
            () = self.buffer.gathered() => Event::Gathered,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Event::Due,
        }
    }

    /// When there is something to do by the clock; `None` while an attempt is under way, whose end comes first, and before it is known
    /// what lies on disk.
    fn next_due(&self) -> Option<Instant> {
        if self.attempt.is_some() || !self.ready {
            return None;
        }
        if self.doubt.is_due() {
            return Some(self.not_before);
        }
        let due = match (self.batch.is_empty(), self.buffer.waiting()) {
            (true, 0) => self.doubt.deadline().map_or(self.health_due, |verdict| verdict.min(self.health_due)),
            (false, _) => self.not_before,
            (true, waiting) if waiting >= self.pace.batch_records => self.not_before,
            (true, _) => self.linger_until.unwrap_or(self.not_before),
        };
        Some(due.max(self.not_before))
    }

    fn is_idle(&self) -> bool {
        self.doubt.is_empty() && self.has_nothing_to_write()
    }

    /// Whether nothing waits but suspects, and these for other records.
    fn has_nothing_to_write(&self) -> bool {
        let waits = !self.batch.is_empty() || self.buffer.waiting() > 0 || self.doubt.is_due();
        self.ready && self.attempt.is_none() && !waits
    }

    fn attach(&mut self, disk: Option<Box<Disk>>) {
        self.ready = true;
        if let Some(disk) = disk {
            self.buffer.attach(*disk);
        }
    }

    async fn take_in(&mut self, records: Vec<Record>) {
        self.monitor.taken_in(records.iter().map(Record::weight).sum());
        if self.linger_until.is_none() {
            self.linger_until = Some(Instant::now() + self.pace.batch_linger);
        }
        let reach = if self.backoff.attempts() > 0 { Reach::Away } else { Reach::Up };
        self.buffer.put(records, reach, &self.monitor).await;
    }

    async fn spill(&mut self) {
        self.buffer.spill(&self.monitor).await;
    }

    /// Starts the next attempt if it is time for one.
    async fn proceed(&mut self) {
        if self.next_due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        if let Some(reason) = self.doubt.verdict() {
            return self.refuses_all(&reason).await;
        }
        if self.doubt.is_due() {
            let suspects = self.doubt.due(self.suspects);
            return self.attempt(Part::Suspects(suspects.len()), suspects.into());
        }
        if self.batch.is_empty() {
            // One is enough for suspects that need no more than one proof. Else each batch could bring another one, and nothing on disk
            // would ever be acknowledged.
            let most = if self.doubt.awaits_last_proof() { 1 } else { self.most_records() };
            self.batch = self.buffer.take(most, &self.monitor).await;
            self.linger_until = (self.buffer.waiting() > 0).then(Instant::now);
            if self.batch.is_empty() && self.linger_until.is_some() {
                self.not_before = Instant::now() + DISK_PAUSE;
                return;
            }
        }
        let records = self.batch.len().min(self.step).min(self.pace.batch_records.max(self.pace.bulk_records));
        self.attempt(Part::Batch(records), self.batch[..records].into());
    }

    /// How many records the next batch takes.
    fn most_records(&self) -> usize {
        let Pace { batch_records, bulk_records, .. } = self.pace;
        if self.buffer.waiting() > batch_records { batch_records.max(bulk_records) } else { batch_records }
    }

    fn attempt(&mut self, part: Part, records: Arc<[Record]>) {
        let attempt = self.dialer.clone().attempt(self.connection.take(), records);
        self.attempt = Some(Flight { part, task: AbortOnDropHandle::new(tokio::spawn(attempt)) });
    }

    /// Takes in what an attempt came to.
    async fn finish(&mut self, attempt: Result<Attempt, JoinError>) {
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
            Outcome::Accepted => settled.delivered += 1,
            Outcome::Retry(reason) | Outcome::Refused(reason) => {
                settled.again.push(record);
                settled.why.get_or_insert(reason);
            }
            Outcome::Rejected(reason) => {
                settled.rejected += 1;
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
    async fn refuses_all(&mut self, reason: &str) {
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

    fn log_rejection(&mut self, record: &Record, reason: &str) {
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

    /// Delivers what can be delivered by the deadline, without pausing for a target that is away, and keeps the rest on disk.
    async fn stop(mut self, deadline: Instant) {
        self.inbox.close();
        if !self.ready
            && let Ok(Some(disk)) = timeout_at(deadline, self.disk.recv()).await
        {
            self.attach(disk);
        }
        let mut late = Vec::new();
        while self.inbox.recv_many(&mut late, INBOX).await > 0 {}
        if !late.is_empty() {
            self.take_in(late).await;
        }
        while self.ready && self.backoff.attempts() == 0 && !self.has_nothing_to_write() && Instant::now() < deadline {
            self.linger_until = Some(Instant::now());
            self.proceed().await;
            if self.attempt.is_none() {
                break;
            }
            let Ok(attempt) = timeout_at(deadline, ended(&mut self.attempt)).await else { break };
            self.finish(attempt).await;
        }
        self.close().await;
    }

    /// All is delivered, and nobody produces any more.
    async fn retire(self) {
        self.monitor.stopped();
        self.buffer.close_for_good().await;
        part_with(self.connection, &self.monitor).await;
    }

    /// Nobody has asked for the target for too long: what waits for it is lost.
    async fn give_up(self) {
        let Self { monitor, mut inbox, buffer, connection, .. } = self;
        inbox.close();
        let bytes = buffer.give_up(&monitor).await;
        let records = monitor.ledger().in_flight;
        monitor.count(|account| account.drop(records as usize));
        monitor.stopped();
        monitor.telemetry.emit(SpoolPurged { target: &monitor.target, records, bytes });
        part_with(connection, &monitor).await;
    }

    async fn close(self) {
        let Self { monitor, buffer, mut batch, mut doubt, connection, attempt, .. } = self;
        // What the attempt is writing comes again at the next start, if it is kept on disk.
        monitor.count(|account| account.repeat(attempt.map_or(0, |flight| flight.part.len())));
        batch.splice(..0, doubt.release());
        monitor.stopped();
        buffer.close(batch, &monitor).await;
        part_with(connection, &monitor).await;
    }
}

/// Closes the connection, and logs the account.
async fn part_with(connection: Option<Connection>, monitor: &Monitor) {
    if let Some(connection) = connection {
        connection.close().await;
    }
    let (target, ledger) = (&monitor.target, monitor.ledger());
    let Ledger { produced, delivered, rejected, dropped, in_flight, repeated } = ledger;
    monitor.telemetry.emit(SinkStopped { target, produced, delivered, rejected, dropped, in_flight, repeated });
}

/// The end of the attempt under way; pending while there is none.
async fn ended(attempt: &mut Option<Flight>) -> Result<Attempt, JoinError> {
    match attempt {
        Some(flight) => (&mut flight.task).await,
        None => std::future::pending().await,
    }
}

/// The deadline, once there is one.
async fn stop_deadline(stop: &mut watch::Receiver<Option<Instant>>) -> Instant {
    match stop.wait_for(Option::is_some).await {
        Ok(deadline) => deadline.unwrap_or_else(Instant::now),
        // A pool that is gone sets no deadline any more.
        Err(_) => Instant::now(),
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
