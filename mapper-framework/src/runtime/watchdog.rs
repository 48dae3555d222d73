//! Notices calls of the driver that block their thread.
//!
//! A future that does not return from a poll holds its thread, and all tasks that would run there. No deadline ends it, for a timer
//! needs a thread as well. So a thread of its own looks whether each poll has returned.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    model::DeviceId,
    telemetry::{
        Telemetry,
        sessions::{DriverBlocks, DriverUnblocked, WatchdogMissing},
    },
};

/// How often the thread looks.
const LOOKS_EVERY: Duration = Duration::from_millis(250);

/// How many whole intervals between two looks a poll may take.
const PATIENCE: u64 = 4;

/// The time after which a poll is said to block.
const BLOCKS_AFTER: Duration = Duration::from_millis(LOOKS_EVERY.as_millis() as u64 * PATIENCE);

/// Set in [`Mark::entered`] when the poll is said to block.
const SAID: u64 = 1 << 63;

/// Owns the thread that looks, which ends with it.
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    /// How often the thread has looked, from 1 on: a clock that costs a poll nothing to read.
    looks: AtomicU64,
    /// One for each device that is served, and for each that is being read. Locked for a look, and when a device comes.
    marks: Mutex<Vec<Weak<Mark>>>,
    stopped: AtomicBool,
}

/// What a device's calls leave for the thread to see.
pub(super) struct Mark {
    device: DeviceId,
    telemetry: Telemetry,
    shared: Arc<Shared>,
    /// The look before the poll that runs, perhaps with [`SAID`]; 0 while none runs.
    entered: AtomicU64,
    /// Locked at the begin of a call, and while a poll that blocks is said.
    call: Mutex<Call>,
}

struct Call {
    operation: &'static str,
    /// When the poll was said to block.
    said: Instant,
}

/// A poll that runs.
struct Poll<'a>(&'a Mark);

impl Watchdog {
    /// Starts the thread. Without one, since the system has none left, nothing is noticed.
    pub(super) fn start(telemetry: &Telemetry) -> Self {
        let shared =
            Arc::new(Shared { looks: AtomicU64::new(1), marks: Mutex::default(), stopped: AtomicBool::new(false) });
        let (seen, subscriber) = (Arc::clone(&shared), tracing::dispatcher::get_default(Clone::clone));
        let look = move || tracing::dispatcher::with_default(&subscriber, || seen.look_until_stopped());
        let thread = thread::Builder::new().name("mapper-watchdog".to_owned()).spawn(look);
        if let Err(error) = &thread {
            telemetry.emit(WatchdogMissing { error });
        }
        Self { shared, thread: thread.ok() }
    }

    /// Watches the calls of a device from now on.
    pub(super) fn watch(&self, device: &DeviceId, telemetry: &Telemetry) -> Arc<Mark> {
        let mark = Arc::new(Mark {
            device: device.clone(),
            telemetry: telemetry.clone(),
            shared: Arc::clone(&self.shared),
            entered: AtomicU64::new(0),
            call: Mutex::new(Call { operation: "", said: Instant::now() }),
        });
        lock(&self.shared.marks).push(Arc::downgrade(&mark));
        mark
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
        }
    }
}

impl Shared {
    fn look_until_stopped(&self) {
        while !self.stopped.load(Ordering::Acquire) {
            thread::park_timeout(LOOKS_EVERY);
            self.look();
        }
    }

    fn look(&self) {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&self.marks).retain(|mark| mark.upgrade().inspect(|mark| mark.look(looks)).is_some());
    }
}

impl Mark {
    /// Runs a call, each poll of which is watched.
    pub(super) async fn watched<T>(&self, operation: &'static str, call: impl Future<Output = T>) -> T {
        self.begin(operation);
        let mut call = pin!(call);
        poll_fn(|context| {
            let _poll = self.enter();
            call.as_mut().poll(context)
        })
        .await
    }

    /// Runs a call that is no future.
    pub(super) fn watched_blocking<T>(&self, operation: &'static str, call: impl FnOnce() -> T) -> T {
        self.begin(operation);
        let _poll = self.enter();
        call()
    }

    fn begin(&self, operation: &'static str) {
        lock(&self.call).operation = operation;
    }

    fn enter(&self) -> Poll<'_> {
        self.entered.store(self.shared.looks.load(Ordering::Relaxed), Ordering::Relaxed);
        Poll(self)
    }

    /// The thread looks for the `looks`th time.
    fn look(&self, looks: u64) {
        let entered = self.entered.load(Ordering::Relaxed);
        if entered == 0 || entered & SAID != 0 || looks - entered <= PATIENCE {
            return;
        }
        let mut call = lock(&self.call);
        let exchanged = self.entered.compare_exchange(entered, entered | SAID, Ordering::Relaxed, Ordering::Relaxed);
        // Else it has returned just now.
        if exchanged.is_ok() {
            call.said = Instant::now();
            let (device, operation) = (&self.device, call.operation);
            self.telemetry.emit(DriverBlocks { device, operation, after: BLOCKS_AFTER });
        }
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        let Self(mark) = self;
        if mark.entered.swap(0, Ordering::Relaxed) & SAID != 0 {
            let call = lock(&mark.call);
            let (device, operation, took) = (&mark.device, call.operation, BLOCKS_AFTER + call.said.elapsed());
            mark.telemetry.emit(DriverUnblocked { device, operation, took });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched() -> (Watchdog, Arc<Mark>, Telemetry) {
        let telemetry = Telemetry::default();
        let watchdog = Watchdog::start(&telemetry);
        let mark = watchdog.watch(&DeviceId::new("", "a"), &telemetry);
        (watchdog, mark, telemetry)
    }

    #[tokio::test]
    async fn a_call_that_blocks_its_thread_is_noticed_while_it_does_and_counted_once() {
        let (_watchdog, mark, telemetry) = watched();
        let seen = telemetry.clone();
        let blocks = async move {
            // What a driver does that waits for its device without `await`.
            let began = Instant::now();
            while seen.stats().sessions().driver_blocks() == 0 {
                assert!(began.elapsed() < Duration::from_secs(60), "it is noticed");
                thread::sleep(Duration::from_millis(10));
            }
            thread::sleep(2 * LOOKS_EVERY);
            began.elapsed()
        };
        let blocked = mark.watched("read", blocks).await;
        assert!(blocked >= BLOCKS_AFTER, "{blocked:?}");
        assert_eq!(telemetry.stats().sessions().driver_blocks(), 1);
        assert_eq!(mark.entered.load(Ordering::Relaxed), 0, "nothing runs any more");
    }

    #[tokio::test]
    async fn a_call_that_waits_for_long_does_not_block_and_one_that_panics_leaves_nothing_behind() {
        let (watchdog, mark, telemetry) = watched();
        mark.watched("read", tokio::time::sleep(BLOCKS_AFTER + 3 * LOOKS_EVERY)).await;
        let panics = std::panic::AssertUnwindSafe(mark.watched("read", async { panic!("it panics") }));
        assert!(futures_util::FutureExt::catch_unwind(panics).await.is_err());
        for _ in 0..=2 * PATIENCE {
            watchdog.shared.look();
        }
        assert_eq!(telemetry.stats().sessions().driver_blocks(), 0);
    }

    #[test]
    fn the_thread_ends_with_the_watchdog_and_forgets_devices_that_are_gone() {
        let (mut watchdog, mark, _) = watched();
        drop(mark);
        watchdog.shared.look();
        assert!(lock(&watchdog.shared.marks).is_empty());
        let thread = watchdog.thread.take().expect("it has been started");
        thread.thread().unpark();
        drop(watchdog);
        assert!(thread.join().is_ok());
    }

    #[test]
    #[ignore = "measures: cargo test --release -p mapper-framework --lib -- --ignored --nocapture watched_poll"]
    fn what_a_watched_poll_costs() {
        const POLLS: u32 = 10_000_000;
        let (_watchdog, mark, _) = watched();
        let began = Instant::now();
        for _ in 0..POLLS {
            drop(std::hint::black_box(mark.enter()));
        }
        println!("{:?} for a poll", began.elapsed() / POLLS);
    }
}
