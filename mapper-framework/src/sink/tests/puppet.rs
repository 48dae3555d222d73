//! A kind of sink that does what the test sets, and a pool with it.

use std::{
    future::pending,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::{
    config::{SinksConfig, SpoolConfig},
    credentials::CredentialSources,
    model::{DataType, Device, DeviceId, HttpPush, Property, PushMethod, Quality, Sample, Value},
    telemetry::{Telemetry, stats::Stats},
};

use super::super::{
    Credentials, Feed, Ledger, Outcome, Record, Route, RouteError, Sink, SinkError, SinkKind, SinkStatus, Sinks,
    Target, erase,
};

/// What a write comes to.
pub(super) enum Reaction {
    Answer(Result<Vec<Outcome>, SinkError>),
    Hang,
    Panic,
}

type Behaviour = Box<dyn FnMut(&[Record]) -> Reaction + Send>;

/// A kind whose targets are the hosts of `pushMethod.http`. Cloning shares it.
#[derive(Clone)]
pub(super) struct Puppet(Arc<Strings>);

struct Strings {
    behaviour: Mutex<Behaviour>,
    /// Each batch that was written, whatever came of it, and when.
    batches: Mutex<Vec<(Instant, Vec<Record>)>>,
    /// What was accepted, in its order.
    accepted: Mutex<Vec<Record>>,
    opens: Mutex<Vec<Credentials>>,
    /// How many of the next attempts to open fail.
    refusals: AtomicUsize,
    closes: AtomicUsize,
    /// How many records it takes at once while many wait.
    bulk: AtomicUsize,
}

impl Puppet {
    pub(super) fn new() -> Self {
        Self(Arc::new(Strings {
            behaviour: Mutex::new(Box::new(|batch| Reaction::Answer(Ok(Outcome::accepted(batch.len()))))),
            batches: Mutex::default(),
            accepted: Mutex::default(),
            opens: Mutex::default(),
            refusals: AtomicUsize::new(0),
            closes: AtomicUsize::new(0),
            bulk: AtomicUsize::new(0),
        }))
    }

    pub(super) fn behave(&self, behaviour: impl FnMut(&[Record]) -> Reaction + Send + 'static) {
        *self.0.behaviour.lock().unwrap() = Box::new(behaviour);
    }

    pub(super) fn obey(&self) {
        self.behave(|batch| Reaction::Answer(Ok(Outcome::accepted(batch.len()))));
    }

    /// Every write fails with this error.
    pub(super) fn fail(&self, error: fn() -> SinkError) {
        self.behave(move |_| Reaction::Answer(Err(error())));
    }

    pub(super) fn refuse_to_open(&self, times: usize) {
        self.0.refusals.store(times, Relaxed);
    }

    pub(super) fn take_in_bulk(&self, records: usize) {
        self.0.bulk.store(records, Relaxed);
    }

    /// The sizes of the batches that were written.
    pub(super) fn sizes(&self) -> Vec<usize> {
        self.0.batches.lock().unwrap().iter().map(|(_, batch)| batch.len()).collect()
    }

    pub(super) fn times(&self) -> Vec<Instant> {
        self.0.batches.lock().unwrap().iter().map(|(time, _)| *time).collect()
    }

    /// The numbers that were accepted, in their order.
    pub(super) fn numbers(&self) -> Vec<i64> {
        self.0.accepted.lock().unwrap().iter().map(number).collect()
    }

    /// What was accepted, in its order.
    pub(super) fn accepted(&self) -> Vec<Record> {
        self.0.accepted.lock().unwrap().clone()
    }

    /// How many texts were accepted.
    pub(super) fn texts(&self) -> u64 {
        let accepted = self.0.accepted.lock().unwrap();
        accepted.iter().filter(|record| matches!(record.value(), Value::String(_))).count() as u64
    }

    pub(super) fn opens(&self) -> Vec<Credentials> {
        self.0.opens.lock().unwrap().clone()
    }

    pub(super) fn closes(&self) -> usize {
        self.0.closes.load(Relaxed)
    }
}

/// The number in a record of [`sample`].
pub(super) fn number(record: &Record) -> i64 {
    match record.value() {
        Value::Int(number) => *number,
        other => panic!("{other:?} is no number"),
    }
}

impl SinkKind for Puppet {
    type Sink = Puppet;

    fn name(&self) -> &str {
        "puppet"
    }

    fn routes(&self, _: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
        let hosts = property.push_methods().iter().filter_map(|method| match method {
            PushMethod::Http(http) => Some(http.host_name.clone()),
            _ => None,
        });
        Ok(hosts.map(|host| Route::to(Target::new("puppet", &host))).collect())
    }

    fn bulk_records(&self) -> usize {
        self.0.bulk.load(Relaxed)
    }

    async fn open(&self, _: &Target, credentials: &Credentials) -> Result<Puppet, SinkError> {
        self.0.opens.lock().unwrap().push(credentials.clone());
        let refuses = self.0.refusals.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        if refuses { Err(SinkError::rejected("nobody is there")) } else { Ok(self.clone()) }
    }
}

impl Sink for Puppet {
    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, SinkError> {
        self.0.batches.lock().unwrap().push((Instant::now(), batch.to_vec()));
        let reaction = (self.0.behaviour.lock().unwrap())(batch);
        match reaction {
            Reaction::Hang => pending().await,
            Reaction::Panic => panic!("as the test wants"),
            Reaction::Answer(answer) => {
                let outcomes = answer.iter().flatten().zip(batch);
                let accepted = outcomes.filter(|(outcome, _)| **outcome == Outcome::Accepted);
                self.0.accepted.lock().unwrap().extend(accepted.map(|(_, record)| record.clone()));
                answer
            }
        }
    }

    async fn health(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    async fn close(self) {
        self.0.closes.fetch_add(1, Relaxed);
    }
}

/// A pool with a puppet.
pub(super) struct Rig {
    pub(super) puppet: Puppet,
    pub(super) sinks: Sinks,
    telemetry: Telemetry,
    folder: Arc<TempDir>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(|_| {}, Arc::new(tempfile::tempdir().unwrap()))
    }

    /// A pool whose spool is set up like this.
    pub(super) fn with_spool(change: impl FnOnce(&mut SpoolConfig)) -> Self {
        Self::with_all(|_| {}, change, Arc::new(tempfile::tempdir().unwrap()))
    }

    /// A pool that has nothing but memory.
    pub(super) fn without_disk(change: impl FnOnce(&mut SinksConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A file where the folder should be.
        std::fs::write(folder.path().join("spool"), "").unwrap();
        Self::with(change, Arc::new(folder))
    }

    pub(super) fn with(change: impl FnOnce(&mut SinksConfig), folder: Arc<TempDir>) -> Self {
        Self::with_all(change, |_| {}, folder)
    }

    pub(super) fn with_all(
        change: impl FnOnce(&mut SinksConfig),
        change_spool: impl FnOnce(&mut SpoolConfig),
        folder: Arc<TempDir>,
    ) -> Self {
        let (puppet, telemetry) = (Puppet::new(), Telemetry::default());
        let mut config = SinksConfig::default();
        change(&mut config);
        let mut spool = SpoolConfig { dir: folder.path().join("spool"), ..SpoolConfig::default() };
        change_spool(&mut spool);
        let credentials = [("puppet".to_owned(), folder.path().join("secret"))];
        let credentials = CredentialSources::new([], credentials);
        let sinks = Sinks::new(vec![erase(puppet.clone())], config, spool, credentials, telemetry.clone());
        Self { puppet, sinks, telemetry, folder }
    }

    /// The life after this one, on the same disk.
    pub(super) fn reborn(self) -> Self {
        Self::with(|_| {}, self.folder)
    }

    /// The life after this one, on the same disk, whose spool is set up like this.
    pub(super) fn reborn_with(self, change: impl FnOnce(&mut SpoolConfig)) -> Self {
        Self::with_all(|_| {}, change, self.folder)
    }

    /// The segments of all spools, and what they hold.
    pub(super) fn segments(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let list =
            |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
        let folders = list(&self.folder().join("spool"));
        let files = folders.iter().filter(|path| path.is_dir()).flat_map(|folder| list(&folder.join("log")));
        let mut segments: Vec<_> = files.filter(|file| file.extension().is_some_and(|it| it == "segment")).collect();
        segments.sort();
        segments.into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The way to a host.
    pub(super) fn feed(&self, host: &str) -> Feed {
        let mut http = HttpPush::default();
        host.clone_into(&mut http.host_name);
        let push = vec![PushMethod::Http(http)];
        let property = Property::builder("count", DataType::Int).push_methods(push).build();
        let (mut feeds, problems) = self.sinks.bind(&Device::builder("d").build(), &property);
        assert_eq!((feeds.len(), problems), (1, vec![]));
        feeds.remove(0)
    }

    pub(super) fn stats(&self) -> Stats {
        self.telemetry.stats()
    }

    /// The one target.
    pub(super) fn status(&self) -> SinkStatus {
        self.sinks.statuses().into_iter().next().expect("there is a target")
    }

    pub(super) fn ledger(&self) -> Ledger {
        let ledger = self.status().ledger;
        assert!(ledger.adds_up(), "{ledger}");
        ledger
    }

    /// Waits until the one target fits.
    pub(super) async fn until(&self, what: &str, fits: impl Fn(&SinkStatus) -> bool) {
        let wait = self.sinks.wait_until(|all| {
            assert!(all.iter().all(|status| status.ledger.adds_up()), "{all:?}");
            all.first().is_some_and(&fits)
        });
        if timeout(Duration::from_secs(3600), wait).await.is_err() {
            panic!("not within an hour: {what}; {}", self.status());
        }
    }

    pub(super) async fn until_settled(&self, records: u64) {
        self.until("all records are settled", |status| {
            status.ledger.produced == records && status.ledger.in_flight == 0
        })
        .await;
    }

    pub(super) async fn stop(&self) {
        self.sinks.stop(Instant::now() + Duration::from_secs(10)).await;
    }
}

/// A sample that is known by its number.
pub(super) fn sample(number: i64) -> Sample {
    Sample {
        device: DeviceId::new("default", "d"),
        property: Arc::new(Property::builder("count", DataType::Int).build()),
        value: number.into(),
        timestamp: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + number.unsigned_abs()),
        quality: Quality::Good,
    }
}

pub(super) fn push(feed: &Feed, numbers: std::ops::Range<i64>) {
    numbers.for_each(|number| feed.push(&sample(number)));
}

/// Pushes texts of this many bytes, and returns how many bytes one weighs.
pub(super) fn push_texts(feed: &Feed, count: usize, bytes: usize) -> usize {
    let text = Sample { value: Value::String("x".repeat(bytes)), ..sample(1_000_000) };
    (0..count).for_each(|_| feed.push(&text));
    Record::new(Arc::clone(feed.series()), text.value.clone(), text.timestamp).weight()
}
