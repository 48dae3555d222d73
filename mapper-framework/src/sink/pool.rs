//! All targets of a mapper, and the workers that deliver to them.

mod disk;
mod frames;
mod history;
mod orphans;

use std::{
    collections::HashMap,
    fmt,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use futures_util::FutureExt;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, timeout_at},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    config::{SinksConfig, SpoolConfig},
    credentials::CredentialSources,
    model::{Device, Property, ReportRules},
    telemetry::{
        Telemetry,
        sinks::{GoCredentialsIgnored, SinkDied, SinksCutOff},
        spool::{SpoolOrphaned, SpoolStray},
    },
};

use super::{
    Access, ErasedKind, Feed, Record, Route, RouteError, Series, SinkStatus, Target,
    budget::Budget,
    clock::Clock,
    connection::Dialer,
    folder::{Stray, targets},
    frame_kinds,
    inlet::Inlet,
    monitor::Monitor,
    registry::{routes, strangers, unique},
    shelf::Shelf,
    worker::{INBOX, Pace, Worker},
};

pub(crate) use frames::MediaServer;

/// The kinds, the targets and their workers. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Sinks(Arc<Pool>);

struct Pool {
    kinds: Vec<Arc<dyn ErasedKind>>,
    /// Those that take frames of a stream.
    frame_kinds: Vec<Arc<dyn ErasedKind>>,
    config: SinksConfig,
    spool: SpoolConfig,
    credentials: Arc<CredentialSources>,
    access: Arc<Access>,
    /// Whether it was logged that credentials under the names of the Go framework count for nothing.
    go_names_logged: AtomicBool,
    telemetry: Telemetry,
    /// What records are dated by.
    clock: Arc<Clock>,
    /// Whether a task waits for the clock to be set.
    watches_clock: AtomicBool,
    /// The memory of all targets.
    budget: Arc<Budget>,
    /// The room of all spools.
    shelf: Arc<Shelf>,
    /// Whether any device has been served since the start.
    serves: AtomicBool,
    /// Why nothing can be kept on disk, as it was logged last.
    logged_disk_error: Mutex<Option<String>>,
    /// By when the workers have to end.
    stop: watch::Sender<Option<Instant>>,
    workers: TaskTracker,
    /// Cancelled when the mapper is gone, stopped or dropped.
    abort: CancellationToken,
    /// Wakes those who wait for a change of any target.
    changes: watch::Sender<()>,
    /// The turns of those who ask for history.
    questions: Semaphore,
    /// Held for a few map operations when a device changes and when a worker ends.
    targets: Mutex<Targets>,
}

#[derive(Default)]
struct Targets {
    inlets: HashMap<Target, Arc<Inlet>>,
    /// Workers that are ending. Another one for the same target waits for it, since both would use the same folder.
    leaving: HashMap<Target, CancellationToken>,
}

impl fmt::Debug for Sinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.targets().inlets.keys().map(ToString::to_string)).finish()
    }
}

impl Sinks {
    /// Sets up the kinds, of which the later ones take the place of earlier ones of the same name.
    pub(crate) fn new(
        kinds: Vec<Arc<dyn ErasedKind>>,
        config: SinksConfig,
        spool: SpoolConfig,
        credentials: CredentialSources,
        telemetry: Telemetry,
    ) -> Self {
        Self(Arc::new(Pool {
            kinds: unique(kinds),
            frame_kinds: frame_kinds(&config),
            access: Arc::new(Access::new(&config)),
            shelf: Arc::new(Shelf::new(spool.total_bytes)),
            serves: AtomicBool::new(false),
            go_names_logged: AtomicBool::new(false),
            clock: Arc::new(Clock::new(telemetry.clone())),
            watches_clock: AtomicBool::new(false),
            budget: Arc::new(Budget::new(config.memory_bytes)),
            config,
            spool,
            credentials: Arc::new(credentials),
            telemetry,
            logged_disk_error: Mutex::default(),
            stop: watch::Sender::new(None),
            workers: TaskTracker::new(),
            abort: CancellationToken::new(),
            changes: watch::Sender::new(()),
            questions: Semaphore::new(history::AT_ONCE),
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
        let mut strangers = Vec::new();
        for found in targets(&self.0.spool.dir) {
            let target = match found {
                Ok(target) => target,
                Err(Stray { folder, cure }) => {
                    self.0.telemetry.emit(SpoolStray { folder: &folder, cure: &cure });
                    continue;
                }
            };
            match self.0.kinds.iter().find(|kind| kind.name() == target.kind()) {
                Some(kind) => drop(self.inlet(kind, &target)),
                None => {
                    self.0.telemetry.emit(SpoolOrphaned { target: &target });
                    strangers.push(target);
                }
            }
        }
        if !self.0.spool.orphan_age.is_zero() {
            self.spawn(self.clone().give_up_orphans(strangers));
        }
    }

    /// Where a property's samples go, and what is wrong with where its manifest wants them.
    pub(crate) fn bind(&self, device: &Device, property: &Property) -> (Vec<Feed>, Vec<RouteError>) {
        self.0.serves.store(true, Relaxed);
        let (mut feeds, mut problems) = (Vec::new(), Vec::new());
        for kind in &self.0.kinds {
            match routes(&**kind, &self.0.access, device, property) {
                Ok(routes) => feeds.extend(routes.into_iter().map(|route| self.feed(kind, device, property, route))),
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(strangers(&self.0.kinds, property));
        (feeds, problems)
    }

    fn feed(&self, kind: &Arc<dyn ErasedKind>, device: &Device, property: &Property, route: Route) -> Feed {
        let inlet = self.inlet(kind, route.target());
        let rules = ReportRules::of_sink(property, kind.name(), &self.0.config.rules());
        Feed { series: Arc::new(Series::new(device, property, route)), inlet, rules }
    }

    /// The way into a target's queue. Starts a worker if the target has none.
    fn inlet(&self, kind: &Arc<dyn ErasedKind>, target: &Target) -> Arc<Inlet> {
        let mut targets = self.0.targets();
        if let Some(inlet) = targets.inlets.get(target) {
            return Arc::clone(inlet);
        }
        let (share, telemetry) = (self.0.budget.share(), self.0.telemetry.clone());
        let monitor = Arc::new(Monitor::new(target.clone(), share, telemetry, self.0.changes.clone()));
        let (records, inbox) = mpsc::channel(INBOX);
        let (given_up, ended) = (CancellationToken::new(), CancellationToken::new());
        let inlet = Arc::new(Inlet {
            monitor: Arc::clone(&monitor),
            records,
            clock: Arc::clone(&self.0.clock),
            max_waiting: self.0.config.queue_records as usize,
            waiting: Mutex::default(),
            given_up: given_up.clone(),
            ended: ended.clone(),
        });
        targets.inlets.insert(target.clone(), Arc::clone(&inlet));
        let predecessor = targets.leaving.remove(target);
        drop(targets);
        if !self.0.watches_clock.swap(true, Relaxed) {
            self.spawn(self.clone().watch_clock());
        }
        self.log_ignored_go_names(kind.name());
        let (disk, disks) = mpsc::channel(1);
        self.spawn(self.clone().bring_disk(Arc::clone(&monitor), predecessor, disk));
        let dialer = self.dialer(Arc::clone(kind), target);
        let pace = self.pace(kind.bulk_records());
        let stop = self.0.stop.subscribe();
        let worker = Worker::new(Arc::clone(&monitor), dialer, pace, disks, inbox, given_up, stop);
        self.spawn(self.clone().work(worker, monitor, ended));
        inlet
    }

    /// Says once that the environment has credentials which the sink would have had from a Go mapper.
    fn log_ignored_go_names(&self, kind: &str) {
        let names = self.0.credentials.ignored_go_names(kind);
        if !names.is_empty() && !self.0.go_names_logged.swap(true, Relaxed) {
            self.0.telemetry.emit(GoCredentialsIgnored { kind, variables: &names.join(", ") });
        }
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

    /// Hands on what waits for the clock each time that it has been set, until the mapper stops.
    async fn watch_clock(self) {
        let mut stop = self.0.stop.subscribe();
        let watch = async {
            loop {
                self.0.clock.set_for_those_who_wait().await;
                for inlet in self.0.inlets() {
                    inlet.release().await;
                }
            }
        };
        tokio::select! {
            _ = stop.wait_for(Option::is_some) => {}
            () = watch => {}
        }
    }

    /// Serves one target until the mapper stops or nobody asks for it any more.
    async fn work(self, worker: Worker, monitor: Arc<Monitor>, ended: CancellationToken) {
        let _ended = ended.clone().drop_guard();
        let work = worker.run(|inbox| self.0.retire(&monitor.target, inbox, &ended));
        let ended = AssertUnwindSafe(work).catch_unwind().await;
        monitor.share.close();
        // What a panic leaves behind half done is not used again.
        if ended.is_err() {
            self.0.telemetry.emit(SinkDied { target: &monitor.target });
            // The next device that asks for the target gets another worker.
            self.0.targets().inlets.remove(&monitor.target);
        }
    }

    fn dialer(&self, kind: Arc<dyn ErasedKind>, target: &Target) -> Dialer {
        let (credentials, access) = (Arc::clone(&self.0.credentials), Arc::clone(&self.0.access));
        Dialer { kind, target: target.clone(), credentials, access, deadline: self.0.config.write_timeout }
    }

    fn pace(&self, bulk_records: usize) -> Pace {
        let config = &self.0.config;
        Pace {
            batch_records: config.batch_records as usize,
            bulk_records,
            batch_linger: config.batch_linger,
            queue_records: config.queue_records as usize,
            backoff_max: config.backoff_max,
            spool_linger: self.0.spool.linger,
        }
    }

    /// What records are dated by.
    #[cfg(test)]
    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// How many bytes of memory the records of all targets take.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.0.budget.used()
    }

    /// All targets, by their names.
    pub(crate) fn statuses(&self) -> Vec<SinkStatus> {
        let mut statuses: Vec<_> = self.0.targets().inlets.values().map(|inlet| inlet.monitor.status()).collect();
        statuses.sort_by_cached_key(|status| status.target.to_string());
        statuses
    }

    /// Waits until the targets fit, at once if they do.
    pub(crate) async fn wait_until(&self, mut fits: impl FnMut(&[SinkStatus]) -> bool) {
        let mut changes = self.0.changes.subscribe();
        // The sender is ours, so that the wait does not fail.
        while !fits(&self.statuses()) && changes.changed().await.is_ok() {}
    }

    /// Ends all workers at once when it is dropped.
    pub(crate) fn abort_guard(&self) -> DropGuard {
        self.0.abort.clone().drop_guard()
    }

    /// Ends all workers, each of which delivers what it can by the deadline and keeps the rest on disk.
    pub(crate) async fn stop(&self, deadline: Instant) {
        self.0.inlets().iter().for_each(|inlet| inlet.flush());
        // What a worker needs to write to disk what it could not deliver.
        let left = deadline.saturating_duration_since(Instant::now());
        self.0.stop.send_replace(Some(deadline - left / 4));
        self.0.workers.close();
        if timeout_at(deadline, self.0.workers.wait()).await.is_err() {
            self.0.telemetry.emit(SinksCutOff { sinks: self.0.workers.len() });
        }
    }
}

impl Pool {
    fn inlets(&self) -> Vec<Arc<Inlet>> {
        self.targets().inlets.values().cloned().collect()
    }

    fn targets(&self) -> MutexGuard<'_, Targets> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of a target that no device asks for any more and for which nothing is on its way. False if it is still wanted.
    fn retire(&self, target: &Target, inbox: &mpsc::Receiver<Record>, ended: &CancellationToken) -> bool {
        let mut targets = self.targets();
        let wanted = targets.inlets.get(target).is_some_and(|inlet| inlet.is_wanted() || inlet.has_waiting());
        if wanted || !inbox.is_empty() {
            return false;
        }
        self.let_go(&mut targets, target, ended);
        true
    }

    /// Forgets a target, but for its worker, which is ending.
    fn let_go(&self, targets: &mut Targets, target: &Target, ended: &CancellationToken) {
        targets.inlets.remove(target);
        targets.leaving.retain(|_, ended| !ended.is_cancelled());
        targets.leaving.insert(target.clone(), ended.clone());
        self.telemetry.forget_target(target);
    }
}
