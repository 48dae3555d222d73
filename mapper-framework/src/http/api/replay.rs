//! Keeps the last events while somebody follows them, and for a while after: whoever is cut off comes back within seconds.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::runtime::Handle;

/// For how long events are kept after the last stream has ended.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// Whether events are kept.
pub(in crate::http) struct Replay {
    handle: Handle,
    streams: Mutex<Streams>,
}

#[derive(Default)]
struct Streams {
    open: usize,
    /// How many were opened at all.
    opened: u64,
    /// Whether the end of the keeping is waited for.
    is_ending: bool,
}

/// One stream, for which events are kept.
pub(super) struct Lease(Arc<Replay>);

impl Replay {
    pub(in crate::http) fn new(handle: Handle) -> Self {
        Self { handle, streams: Mutex::default() }
    }

    /// Keeps events until a while after the lease is dropped.
    pub(super) fn lease(self: &Arc<Self>) -> Lease {
        let mut streams = self.lock();
        streams.open += 1;
        streams.opened += 1;
        self.handle.keep_events(true);
        Lease(Arc::clone(self))
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut streams = self.0.lock();
        streams.open -= 1;
        if streams.open > 0 || streams.is_ending {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        streams.is_ending = true;
        runtime.spawn(end(Arc::clone(&self.0), streams.opened));
    }
}

/// Keeps events no longer, once no stream was open for a while.
async fn end(replay: Arc<Replay>, mut opened: u64) {
    loop {
        tokio::time::sleep(KEPT_FOR).await;
        let mut streams = replay.lock();
        if streams.open == 0 && streams.opened == opened {
            streams.is_ending = false;
            replay.handle.keep_events(false);
            return;
        }
        if streams.open > 0 {
            // The last of them waits for the end anew.
            streams.is_ending = false;
            return;
        }
        opened = streams.opened;
    }
}
