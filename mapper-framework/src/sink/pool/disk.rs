//! Brings each target's spool to its worker, however long it takes to open.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    spool::SpoolError,
    telemetry::{Occurrence, spool::SpoolUnavailable},
};

use super::{
    super::{disk::Disk, monitor::Monitor},
    Pool, Sinks,
};

/// The pause after a spool could not be opened, at first: the mapper before this one may still be closing it.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause between two attempts to open a spool.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Sinks {
    /// Opens a target's spool and hands it to the worker. One that cannot be opened is tried again for as long as it takes, and the
    /// worker gets `None` at once, so that it goes on in memory.
    pub(super) async fn bring_disk(
        self,
        monitor: Arc<Monitor>,
        predecessor: Option<CancellationToken>,
        disk: mpsc::Sender<Option<Box<Disk>>>,
    ) {
        if let Some(predecessor) = predecessor {
            predecessor.cancelled().await;
        }
        let mut pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        // The worker may have ended meanwhile, and needs no disk then.
        while !disk.is_closed() {
            match Disk::open(&self.0.spool, &monitor, &self.0.shelf).await {
                Ok(opened) => return drop(disk.send(Some(Box::new(opened))).await),
                Err(error) => self.0.log_disk_error(&error),
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
}

impl Pool {
    /// Logs that nothing can be kept on disk, once for each reason.
    fn log_disk_error(&self, error: &SpoolError) {
        let mut logged = self.logged_disk_error.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = error.to_string();
        let occurrence = Occurrence::first_if(logged.as_ref() != Some(&reason));
        self.telemetry.emit(SpoolUnavailable { folder: &self.spool.dir, error, occurrence });
        *logged = Some(reason);
    }
}
