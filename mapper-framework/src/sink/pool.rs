//! All targets of a mapper, and the workers that deliver to them.

use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        watch,
    },
    time::{Instant, sleep, timeout_at},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    backoff::Backoff,
    config::{SinksConfig, SpoolConfig},
    model::{Device, Property, Sample},
    spool::SpoolError,
    telemetry::Telemetry,
};

use super::{
    HistoryError, HistoryRequest, Point, Query, Record, Route, RouteError, Series, SinkKind, SinkStatus, Target,
    connection::Dialer,
    credentials::CredentialSources,
    disk::{self, Disk},
    shared::Shared,
    worker::{INBOX, Pace, Worker},
};

/// The pause after a spool could not be opened, at first: the mapper before this one may still be closing it.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause between two attempts to open a spool.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The kinds, the targets and their workers. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Sinks(Arc<Pool>);

struct Pool {
    kinds: Vec<Arc<dyn SinkKind>>,
    config: SinksConfig,
    spool: SpoolConfig,
    credentials: Arc<CredentialSources>,
    telemetry: Telemetry,
    /// Why nothing can be kept on disk, as it was told last.
    told_of_memory: Mutex<Option<String>>,
    /// Tells the workers by when they have to end.
    stop: watch::Sender<Option<Instant>>,
    workers: TaskTracker,
    /// Cancelled when the mapper is gone, in good order or not.
    abort: CancellationToken,
    /// Tells those who wait for a change of any target.
    changes: watch::Sender<()>,
    /// Held for a few map operations when a device changes and when a worker ends.
    targets: Mutex<Targets>,
}

#[derive(Default)]
struct Targets {
    inlets: HashMap<Target, Arc<Inlet>>,
    /// Workers that are ending. Another one for the same target waits for it, since both would use the same folder.
    leaving: HashMap<Target, CancellationToken>,
}

/// The way into a target's queue.
struct Inlet {
    shared: Arc<Shared>,
    records: mpsc::Sender<Record>,
}

/// Why a record finds no room before it has come to the worker.
const TOO_FAST: &str = "they come faster than they can be written to disk";

/// The way of one property's samples into one target's queue. The target lives as long as one of these does.
#[derive(Clone)]
pub(crate) struct Feed {
    series: Arc<Series>,
    inlet: Arc<Inlet>,
}

impl Feed {
    /// Hands on a sample. Never waits: what finds no room is lost, and counted.
    pub(crate) fn push(&self, sample: &Sample) {
        let record = Record::new(Arc::clone(&self.series), sample.value.clone(), sample.timestamp);
        let Inlet { shared, records } = &*self.inlet;
        let bytes = record.weight();
        shared.count(|account| account.produce(1));
        if !shared.reserve(bytes) {
            return shared.dropped(1, TOO_FAST);
        }
        if let Err(refused) = records.try_send(record.with_quality(sample.quality)) {
            shared.taken_in(bytes);
            let reason = match refused {
                TrySendError::Full(_) => TOO_FAST,
                TrySendError::Closed(_) => "the target's worker has ended",
            };
            shared.dropped(1, reason);
        }
    }

    /// What its records have in common.
    pub(crate) fn series(&self) -> &Arc<Series> {
        &self.series
    }
}

/// Asks a kind where the samples of a property go. One that panics has refused.
pub(crate) fn routes(kind: &dyn SinkKind, device: &Device, property: &Property) -> Result<Vec<Route>, RouteError> {
    // Nothing is shared with the kind but itself, and that must bear its panics anyway.
    let routes = catch_unwind(AssertUnwindSafe(|| kind.routes(device, property)));
    let panicked = |_| Err(RouteError::new("pushMethod", format_args!("the sink {} panicked", kind.name())));
    routes.unwrap_or_else(panicked)
}

/// The kinds, of which the later ones take the place of earlier ones of the same name.
pub(crate) fn unique(kinds: impl IntoIterator<Item = Arc<dyn SinkKind>>) -> Vec<Arc<dyn SinkKind>> {
    let mut unique: Vec<Arc<dyn SinkKind>> = Vec::new();
    for kind in kinds {
        match unique.iter_mut().find(|known| known.name() == kind.name()) {
            Some(known) => *known = kind,
            None => unique.push(kind),
        }
    }
    unique
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Feed({} to {})", self.series.property(), self.inlet.shared.target)
    }
}

impl fmt::Debug for Sinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.targets().inlets.keys().map(ToString::to_string)).finish()
    }
}

impl Sinks {
    /// Sets up the kinds, of which the later ones take the place of earlier ones of the same name.
    pub(crate) fn new(
        kinds: Vec<Arc<dyn SinkKind>>,
        config: SinksConfig,
        spool: SpoolConfig,
        credentials: CredentialSources,
        telemetry: Telemetry,
    ) -> Self {
        Self(Arc::new(Pool {
            kinds: unique(kinds),
            config,
            spool,
            credentials: Arc::new(credentials),
            telemetry,
            told_of_memory: Mutex::default(),
            stop: watch::Sender::new(None),
            workers: TaskTracker::new(),
            abort: CancellationToken::new(),
            changes: watch::Sender::new(()),
            targets: Mutex::default(),
        }))
    }

    /// No kinds at all.
    #[cfg(test)]
    pub(crate) fn none(telemetry: Telemetry) -> Self {
        let credentials = CredentialSources::new([], []);
        Self::new(Vec::new(), SinksConfig::default(), SpoolConfig::default(), credentials, telemetry)
    }

    /// Goes on delivering what an earlier run has left on disk, whether or not a device still asks for its target.
    pub(crate) fn resume(&self) {
        for target in disk::targets(&self.0.spool.dir) {
            match self.0.kinds.iter().find(|kind| kind.name() == target.kind()) {
                Some(kind) => drop(self.inlet(kind, &target)),
                None => self.0.telemetry.spool_orphaned(&target),
            }
        }
    }

    /// Where a property's samples go, and what is wrong with where its manifest wants them.
    pub(crate) fn bind(&self, device: &Device, property: &Property) -> (Vec<Feed>, Vec<RouteError>) {
        let (mut feeds, mut problems) = (Vec::new(), Vec::new());
        for kind in &self.0.kinds {
            match routes(&**kind, device, property) {
                Ok(routes) => feeds.extend(routes.into_iter().map(|route| self.feed(kind, device, property, route))),
                Err(problem) => problems.push(problem),
            }
        }
        (feeds, problems)
    }

    fn feed(&self, kind: &Arc<dyn SinkKind>, device: &Device, property: &Property, route: Route) -> Feed {
        let inlet = self.inlet(kind, route.target());
        Feed { series: Arc::new(Series::new(device, property, route)), inlet }
    }

    /// The way into a target's queue. Starts a worker if the target has none.
    fn inlet(&self, kind: &Arc<dyn SinkKind>, target: &Target) -> Arc<Inlet> {
        let mut targets = self.0.targets();
        if let Some(inlet) = targets.inlets.get(target) {
            return Arc::clone(inlet);
        }
        let shared = Arc::new(Shared::new(target.clone(), self.0.telemetry.clone(), self.0.changes.clone()));
        let (records, inbox) = mpsc::channel(INBOX);
        let inlet = Arc::new(Inlet { shared: Arc::clone(&shared), records });
        targets.inlets.insert(target.clone(), Arc::clone(&inlet));
        let predecessor = targets.leaving.remove(target);
        drop(targets);
        let ended = CancellationToken::new();
        let (disk, disks) = mpsc::channel(1);
        self.spawn(self.clone().bring_disk(Arc::clone(&shared), predecessor, disk));
        self.spawn(self.clone().work(Arc::clone(kind), shared, inbox, disks, ended));
        inlet
    }

    /// Runs a task until it ends, or until the mapper is gone.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let abort = self.0.abort.clone();
        self.0.workers.spawn(async move {
            tokio::select! {
                () = abort.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Serves one target until the mapper stops or nobody asks for it any more.
    async fn work(
        self,
        kind: Arc<dyn SinkKind>,
        shared: Arc<Shared>,
        inbox: mpsc::Receiver<Record>,
        disks: mpsc::Receiver<Option<Box<Disk>>>,
        ended: CancellationToken,
    ) {
        let _ended = ended.clone().drop_guard();
        let (dialer, pace) = (self.dialer(kind, &shared.target), self.pace());
        let worker = Worker::new(Arc::clone(&shared), dialer, pace, disks, inbox, self.0.stop.subscribe());
        let work = worker.run(|inbox| self.0.retire(&shared.target, inbox, &ended));
        // What a panic leaves behind half done is not used again.
        if AssertUnwindSafe(work).catch_unwind().await.is_err() {
            self.0.telemetry.sink_died(&shared.target);
            // The next device that asks for the target gets another worker.
            self.0.targets().inlets.remove(&shared.target);
        }
    }

    /// Opens a target's spool and hands it to the worker. One that cannot be opened is tried again for as long as it takes, and the
    /// worker is told at once, so that it goes on in memory.
    async fn bring_disk(
        self,
        shared: Arc<Shared>,
        predecessor: Option<CancellationToken>,
        disk: mpsc::Sender<Option<Box<Disk>>>,
    ) {
        if let Some(predecessor) = predecessor {
            predecessor.cancelled().await;
        }
        let mut pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        // The worker may have ended meanwhile, and needs no disk then.
        while !disk.is_closed() {
            match Disk::open(&self.0.spool, &shared).await {
                Ok(opened) => return drop(disk.send(Some(Box::new(opened))).await),
                Err(error) => self.0.tell_of_memory(&error),
            }
            if pauses.attempts() == 0 && disk.send(None).await.is_err() {
                return;
            }
            tokio::select! {
                () = disk.closed() => {}
                () = sleep(pauses.next()) => {}
            }
        }
    }

    fn dialer(&self, kind: Arc<dyn SinkKind>, target: &Target) -> Dialer {
        let credentials = Arc::clone(&self.0.credentials);
        Dialer { kind, target: target.clone(), credentials, deadline: self.0.config.write_timeout }
    }

    fn pace(&self) -> Pace {
        let config = &self.0.config;
        Pace {
            batch_records: config.batch_records as usize,
            batch_linger: config.batch_linger,
            queue_records: config.queue_records as usize,
            backoff_max: config.backoff_max,
        }
    }

    /// All targets, by their names.
    pub(crate) fn statuses(&self) -> Vec<SinkStatus> {
        let mut statuses: Vec<_> = self.0.targets().inlets.values().map(|inlet| inlet.shared.status()).collect();
        statuses.sort_by_cached_key(|status| status.target.to_string());
        statuses
    }

    /// Waits until the targets fit, at once if they do.
    pub(crate) async fn wait_until(&self, mut fits: impl FnMut(&[SinkStatus]) -> bool) {
        let mut changes = self.0.changes.subscribe();
        // The sender is ours, so that the wait does not fail.
        while !fits(&self.statuses()) && changes.changed().await.is_ok() {}
    }

    /// Asks the sinks that a device's properties go to for its history: the first that keeps one and can be asked answers.
    pub(crate) async fn history(
        &self,
        series: Vec<Arc<Series>>,
        request: &HistoryRequest,
    ) -> Result<Vec<Point>, HistoryError> {
        let mut by_target: Vec<(Target, Vec<Arc<Series>>)> = Vec::new();
        for series in series.into_iter().filter(|series| request.is_about(series)) {
            let target = series.route().target();
            match by_target.iter_mut().find(|(known, _)| known == target) {
                Some((_, all)) => all.push(series),
                None => by_target.push((target.clone(), vec![series])),
            }
        }
        let mut failed = None;
        for (target, series) in by_target {
            let asked = self.0.kinds.iter().find(|kind| kind.name() == target.kind() && kind.keeps_history());
            let Some(kind) = asked else { continue };
            let query = Query::new(series, request.from, request.to, request.limit);
            match self.dialer(Arc::clone(kind), &target).query(query).await {
                Ok(points) => return Ok(points),
                Err(error) if error.is_unsupported() => {}
                Err(reason) => {
                    failed.get_or_insert(HistoryError::Failed { kind: target.kind().to_owned(), reason });
                }
            }
        }
        Err(failed.unwrap_or_else(|| HistoryError::NoHistory(request.device.clone())))
    }

    /// Ends all workers at once when it is dropped.
    pub(crate) fn abort_guard(&self) -> DropGuard {
        self.0.abort.clone().drop_guard()
    }

    /// Ends all workers, each of which delivers what it can by the deadline and keeps the rest on disk.
    pub(crate) async fn stop(&self, deadline: Instant) {
        // What a worker needs to write to disk what it could not deliver.
        let left = deadline.saturating_duration_since(Instant::now());
        self.0.stop.send_replace(Some(deadline - left / 4));
        self.0.workers.close();
        if timeout_at(deadline, self.0.workers.wait()).await.is_err() {
            self.0.telemetry.sinks_cut_off(self.0.workers.len());
        }
    }
}

impl Pool {
    fn targets(&self) -> MutexGuard<'_, Targets> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that nothing can be kept on disk, once for each reason.
    fn tell_of_memory(&self, error: &SpoolError) {
        let mut told = self.told_of_memory.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = error.to_string();
        let is_news = told.as_ref() != Some(&reason);
        self.telemetry.spool_unavailable(&self.spool.dir, error, is_news);
        *told = Some(reason);
    }

    /// Lets go of a target that no device asks for any more and for which nothing is on its way. False if it is still wanted.
    fn retire(&self, target: &Target, inbox: &mpsc::Receiver<Record>, ended: &CancellationToken) -> bool {
        let mut targets = self.targets();
        let wanted = targets.inlets.get(target).is_some_and(|inlet| Arc::strong_count(inlet) > 1);
        if wanted || !inbox.is_empty() {
            return false;
        }
        targets.inlets.remove(target);
        targets.leaving.retain(|_, ended| !ended.is_cancelled());
        targets.leaving.insert(target.clone(), ended.clone());
        true
    }
}
