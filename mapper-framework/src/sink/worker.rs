//! The worker of one target: takes records in, delivers them in batches, and keeps trying.

mod ending;
mod outcomes;

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinError,
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{backoff::Backoff, telemetry::Damper};

use super::{
    Record,
    buffer::{Buffer, Reach},
    connection::{Attempt, Connection, Dialer},
    disk::Disk,
    doubt::Doubt,
    monitor::Monitor,
};

/// How many records may wait for a worker to take them in. It does so at once, unless the disk is slow.
pub(super) const INBOX: usize = 4_096;

/// The pause after the first failed attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The pause after the disk has given nothing of what waits there.
const DISK_PAUSE: Duration = Duration::from_secs(1);

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
            let suspects = self.doubt.due(self.suspects.min(self.pace.batch_records));
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
