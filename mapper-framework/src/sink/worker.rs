//! The worker of one target: takes records in, delivers them in batches, and keeps trying.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinError,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    backoff::Backoff,
    telemetry::{
        Occurrence,
        sinks::{RecordRejected, SinkStopped},
    },
};

use super::{
    Ledger, Outcome, Record, SinkError,
    buffer::{Buffer, Reach},
    connection::{Attempt, Connection, Dialer},
    disk::Disk,
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

/// The most series of which it is remembered that a rejection was logged.
const LOGGED_SERIES: usize = 1_024;

/// How a worker batches and repeats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) batch_records: usize,
    pub(super) batch_linger: Duration,
    pub(super) queue_records: usize,
    pub(super) backoff_max: Duration,
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
    /// By when the worker has to end, once the mapper stops.
    stop: watch::Receiver<Option<Instant>>,
    buffer: Buffer,
    /// The batch that was taken from the buffer, as far as it is not settled.
    batch: Vec<Record>,
    /// How many records of the batch the next attempt takes: less than all after a failure, and twice as many after each success.
    step: usize,
    /// How far the step may grow. Half of what a failed write had; grows slowly, or each growth would end in a missed deadline.
    ceiling: usize,
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
    /// The series of which a rejection has been logged.
    logged: HashSet<usize>,
}

/// An attempt under way.
struct Flight {
    /// How many records of the batch it writes; none when it asks for the target's health.
    records: usize,
    task: AbortOnDropHandle<Attempt>,
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
    Stop(Instant),
}

impl Worker {
    pub(super) fn new(
        monitor: Arc<Monitor>,
        dialer: Dialer,
        pace: Pace,
        disk: mpsc::Receiver<Option<Box<Disk>>>,
        inbox: mpsc::Receiver<Record>,
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
            stop,
            buffer: Buffer::new(pace.queue_records),
            batch: Vec::new(),
            step: usize::MAX,
            ceiling: usize::MAX,
            connection: None,
            attempt: None,
            backoff: Backoff::new(FIRST_PAUSE, pace.backoff_max),
            not_before: now,
            linger_until: None,
            health_due: now,
            logged: HashSet::new(),
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
                Event::Stop(deadline) => return self.stop(deadline).await,
            }
        }
        self.close().await;
    }

    async fn next_event(&mut self, abandoned: bool) -> Event {
        let due = self.next_due();
        let mut arrived = Vec::new();
        tokio::select! {
            biased;
            deadline = stop_deadline(&mut self.stop) => Event::Stop(deadline),
            attempt = ended(&mut self.attempt) => Event::Attempted(attempt),
            Some(disk) = self.disk.recv() => Event::Disk(disk),
            count = self.inbox.recv_many(&mut arrived, INBOX), if self.ready && !abandoned => {
                if count == 0 { Event::Abandoned } else { Event::Arrived(arrived) }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Event::Due,
        }
    }

    /// When there is something to do by the clock; `None` while an attempt is under way, whose end comes first, and before it is known
    /// what lies on disk.
    fn next_due(&self) -> Option<Instant> {
        if self.attempt.is_some() || !self.ready {
            return None;
        }
        let due = match (self.batch.is_empty(), self.buffer.waiting()) {
            (true, 0) => self.health_due,
            (false, _) => self.not_before,
            (true, waiting) if waiting >= self.pace.batch_records => self.not_before,
            (true, _) => self.linger_until.unwrap_or(self.not_before),
        };
        Some(due.max(self.not_before))
    }

    fn is_idle(&self) -> bool {
        self.ready && self.attempt.is_none() && self.batch.is_empty() && self.buffer.waiting() == 0
    }

    fn attach(&mut self, disk: Option<Box<Disk>>) {
        self.ready = true;
        if let Some(disk) = disk {
            self.buffer.attach(*disk);
            self.monitor.set_on_disk(self.buffer.on_disk());
        }
    }

    async fn take_in(&mut self, records: Vec<Record>) {
        self.monitor.taken_in(records.iter().map(Record::weight).sum());
        if self.linger_until.is_none() {
            self.linger_until = Some(Instant::now() + self.pace.batch_linger);
        }
        let reach = if self.backoff.attempts() > 0 { Reach::Away } else { Reach::Up };
        self.buffer.put(records, reach, &self.monitor).await;
        self.monitor.set_on_disk(self.buffer.on_disk());
    }

    /// Starts the next attempt if it is time for one.
    async fn proceed(&mut self) {
        if self.next_due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        if self.batch.is_empty() {
            self.batch = self.buffer.take(self.pace.batch_records, &self.monitor).await;
            self.linger_until = (self.buffer.waiting() > 0).then(Instant::now);
            if self.batch.is_empty() && self.linger_until.is_some() {
                self.not_before = Instant::now() + DISK_PAUSE;
                return;
            }
        }
        let records = self.batch.len().min(self.step);
        let part: Arc<[Record]> = self.batch[..records].into();
        let attempt = self.dialer.clone().attempt(self.connection.take(), part);
        self.attempt = Some(Flight { records, task: AbortOnDropHandle::new(tokio::spawn(attempt)) });
    }

    /// Takes in what an attempt came to.
    async fn finish(&mut self, attempt: Result<Attempt, JoinError>) {
        let records = self.attempt.take().map_or(0, |flight| flight.records);
        self.health_due = Instant::now() + HEALTH_CYCLE;
        let attempt = attempt.unwrap_or_else(died);
        self.connection = attempt.connection;
        let written = if attempt.connected { records } else { 0 };
        match attempt.outcome {
            Ok(outcomes) => self.settle(records, outcomes).await,
            // What `open` refuses is no fault of the records.
            Err(error) if error.is_retryable() || written == 0 => self.failed(written, &error).await,
            Err(error) if records == 1 => self.settle(1, vec![Outcome::rejected(error)]).await,
            // Something in the batch is refused: the halves are tried one after the other.
            Err(_) => self.step = records / 2,
        }
    }

    /// Counts what has become of the first `records` of the batch, and keeps those that come again.
    async fn settle(&mut self, records: usize, outcomes: Vec<Outcome>) {
        let (mut delivered, mut rejected, mut again, mut why) = (0, 0, Vec::new(), None);
        let mut outcomes = outcomes.into_iter();
        let rest = self.batch.split_off(records);
        for record in std::mem::replace(&mut self.batch, rest) {
            match outcomes.next().unwrap_or_else(|| Outcome::retry("the sink has given no outcome for it")) {
                Outcome::Accepted => delivered += 1,
                Outcome::Retry(reason) => {
                    again.push(record);
                    why.get_or_insert(reason);
                }
                Outcome::Rejected(reason) => {
                    rejected += 1;
                    self.log_rejection(&record, &reason);
                }
            }
        }
        let failed = again.len();
        again.append(&mut self.batch);
        self.batch = again;
        if let Some(reason) = why {
            let error =
                SinkError::failed(format_args!("{failed} of {records} records are to be tried again: {reason}"));
            self.failed(failed, &error).await;
        } else {
            self.succeeded();
        }
        if self.batch.is_empty() {
            self.buffer.settled(&self.monitor).await;
        }
        self.monitor.set_on_disk(self.buffer.on_disk());
        self.monitor.count(|account| account.settle(delivered, rejected));
    }

    fn succeeded(&mut self) {
        self.ceiling = self.ceiling.saturating_add((self.ceiling / 16).max(1));
        self.step = self.step.saturating_mul(2).min(self.ceiling);
        self.backoff.reset();
        self.not_before = Instant::now();
        self.monitor.up();
    }

    /// An attempt has failed, and another one follows after a pause. Meanwhile everything waits on disk. `written` is how many records
    /// the target may have all the same.
    async fn failed(&mut self, written: usize, error: &SinkError) {
        if written > 0 {
            // Perhaps it was too much for the deadline, or for something on the way.
            self.ceiling = (written / 2).max(1);
            self.step = self.ceiling;
        }
        self.monitor.count(|account| account.repeat(written));
        self.monitor.down(error.to_string());
        let asked_for = error.pause().unwrap_or_default().min(LONGEST_PAUSE);
        self.not_before = Instant::now() + self.backoff.next().max(asked_for);
        let batch = std::mem::take(&mut self.batch);
        self.batch = self.buffer.retreat(batch, &self.monitor).await;
        self.monitor.set_on_disk(self.buffer.on_disk());
    }

    fn log_rejection(&mut self, record: &Record, reason: &str) {
        if self.logged.len() >= LOGGED_SERIES {
            self.logged.clear();
        }
        let occurrence = Occurrence::first_if(self.logged.insert(Arc::as_ptr(record.series()) as usize));
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
        while self.ready && self.backoff.attempts() == 0 && !self.is_idle() && Instant::now() < deadline {
            self.linger_until = Some(Instant::now());
            self.proceed().await;
            let Ok(attempt) = timeout_at(deadline, ended(&mut self.attempt)).await else { break };
            self.finish(attempt).await;
        }
        self.close().await;
    }

    async fn close(self) {
        let Self { monitor, buffer, batch, connection, attempt, .. } = self;
        // What the attempt is writing comes again at the next start, if it is kept on disk.
        monitor.count(|account| account.repeat(attempt.map_or(0, |flight| flight.records)));
        buffer.close(batch, &monitor).await;
        if let Some(connection) = connection {
            connection.close().await;
        }
        let (target, ledger) = (&monitor.target, monitor.ledger());
        let Ledger { produced, delivered, rejected, dropped, in_flight, repeated } = ledger;
        monitor.telemetry.emit(SinkStopped { target, produced, delivered, rejected, dropped, in_flight, repeated });
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
