//! The tasks of a running mapper: each is watched, and each is stopped in its turn.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle},
    time::{Instant, timeout_at},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};

use crate::{
    config::WritesConfig,
    sink::Sinks,
    telemetry::Telemetry,
    twin::{Outbox, Pacer, Way},
    writes::{AuditFile, WriteMemory},
};

use super::MapperError;

/// The tokens that end the parts, in the order in which they are cancelled.
#[derive(Debug, Default)]
pub(super) struct Stop {
    pub(super) devices: CancellationToken,
    pub(super) reports: CancellationToken,
    /// The server and the link: edgecore is needed until the last report.
    pub(super) wire: CancellationToken,
}

/// What is kept of the grace for the link and the server, at most: reports that take all the time they can get must not cost the
/// others their orderly end.
const WIRE_CLOSING: Duration = Duration::from_secs(1);

/// The tasks of a running mapper.
pub(super) struct Parts {
    /// Posts what the anomaly detection finds, until the end.
    pub(super) _findings: AbortOnDropHandle<()>,
    pub(super) server: Part,
    pub(super) manager: Part,
    pub(super) reporter: Part,
    pub(super) link: Part,
    /// The stop counts what the reporter leaves there when it is cut off.
    pub(super) outbox: Arc<Outbox>,
    /// Drained beside the reports, once the devices have stopped.
    pub(super) sinks: Sinks,
    /// Ends the sinks' tasks with the others, should the run be dropped in the middle.
    pub(super) _abort_sinks: DropGuard,
    /// Knows how much can still be reported by calls.
    pub(super) pacer: Arc<Pacer>,
    /// Whether reports go by calls.
    pub(super) way: watch::Receiver<Way>,
    /// Written out once the devices have stopped.
    pub(super) writes: KeptWrites,
    pub(super) stop: Stop,
}

/// What is kept of writes.
pub(super) struct KeptWrites {
    pub(super) memory: WriteMemory,
    pub(super) audit: AuditFile,
}

impl KeptWrites {
    pub(super) async fn open(config: &WritesConfig, telemetry: &Telemetry) -> Self {
        let memory = WriteMemory::open(config.memory.clone(), config.first_start, telemetry.clone()).await;
        let audit = AuditFile::open(&config.audit, telemetry.clone()).await;
        Self { memory, audit }
    }

    /// Waits until all of it is on the disk, or cannot be written. What cannot be said in time was said to be failing before.
    async fn close(self, deadline: Instant) {
        let closed = async { tokio::join!(self.memory.flush(), self.audit.close()) };
        if timeout_at(deadline, closed).await.is_err() {
            tracing::warn!(part = "writes", "not closed within shutdown.grace, and cut off");
        }
    }
}

impl Parts {
    /// Waits for a part to end, which none does by itself.
    pub(super) async fn any_ended(&mut self) -> MapperError {
        tokio::select! {
            ended = self.server.ended() => ended,
            ended = self.manager.ended() => ended,
            ended = self.reporter.ended() => ended,
            ended = self.link.ended() => ended,
        }
    }

    /// Ends the parts one after the other, and aborts what has not ended in its time. Returns the number of devices with unreported
    /// values.
    pub(super) async fn stop(self, grace: Duration) -> usize {
        let deadline = Instant::now() + grace;
        let last_report = deadline - WIRE_CLOSING.min(grace / 4);
        self.stop.devices.cancel();
        self.manager.join(last_report).await;
        let left = last_report.saturating_duration_since(Instant::now());
        let calls = match *self.way.borrow() {
            Way::Dmi => self.pacer.calls_within(left),
            // How much goes through in time shows only then.
            Way::Bus => 0,
        };
        self.outbox.prefer_states(calls);
        self.stop.reports.cancel();
        let reports = self.reporter.drain(last_report, &self.outbox);
        let (unreported, (), ()) = tokio::join!(reports, self.sinks.stop(last_report), self.writes.close(last_report));
        self.stop.wire.cancel();
        tokio::join!(self.link.join(deadline), self.server.join(deadline));
        unreported
    }
}

/// One task of the mapper's. Aborted when dropped.
pub(super) struct Part {
    name: &'static str,
    task: JoinHandle<()>,
}

impl Part {
    pub(super) fn spawn(name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { name, task: tokio::spawn(task) }
    }

    async fn ended(&mut self) -> MapperError {
        let reason = match (&mut self.task).await {
            Ok(()) => "it returned".to_owned(),
            Err(error) => describe(error),
        };
        MapperError::Ended { part: self.name, reason }
    }

    async fn join(mut self, deadline: Instant) {
        if !self.ends_by(deadline).await {
            tracing::warn!(part = self.name, "not stopped within shutdown.grace, and cut off");
        }
    }

    /// As [`join`](Self::join), for the reporter, which may have more to report than time: that is no defect. Returns the number of
    /// devices with unreported values.
    async fn drain(mut self, deadline: Instant, outbox: &Outbox) -> usize {
        let ended = self.ends_by(deadline).await;
        // The report of a call that was cut off is among them.
        if ended { outbox.len() } else { outbox.len().max(1) }
    }

    /// Waits for the end, and aborts the task at the deadline. What the task held is dropped when this returns. Returns whether
    /// the task has ended by itself.
    async fn ends_by(&mut self, deadline: Instant) -> bool {
        if self.task.is_finished() {
            return true;
        }
        let ended = match timeout_at(deadline, &mut self.task).await {
            Ok(ended) => ended,
            Err(_) => {
                self.task.abort();
                let ended = (&mut self.task).await;
                if ended.as_ref().is_err_and(JoinError::is_cancelled) {
                    return false;
                }
                ended
            }
        };
        if let Err(error) = ended {
            tracing::error!(part = self.name, error = describe(error), "a part died while stopping");
        }
        true
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn describe(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => crate::runtime::panic_message(&*panic).to_owned(),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::dmi::socket::Socket;

    /// Parts of which the reporter never ends, and the link and the server take this long.
    fn busy_parts(socket: Socket, closing: Duration) -> (Parts, CancellationToken, CancellationToken) {
        let stop = Stop::default();
        let (link_ended, server_ended) = (CancellationToken::new(), CancellationToken::new());
        let close = |ended: CancellationToken, socket: Option<Socket>| {
            let wire = stop.wire.clone();
            async move {
                wire.cancelled().await;
                sleep(closing).await;
                drop(socket);
                ended.cancel();
            }
        };
        let parts = Parts {
            _findings: AbortOnDropHandle::new(tokio::spawn(async {})),
            server: Part::spawn("server", close(server_ended.clone(), Some(socket))),
            manager: Part::spawn("manager", stop.devices.clone().cancelled_owned()),
            reporter: Part::spawn("reporter", std::future::pending()),
            link: Part::spawn("link", close(link_ended.clone(), None)),
            outbox: Arc::default(),
            _abort_sinks: CancellationToken::new().drop_guard(),
            sinks: Sinks::none(Telemetry::default()),
            pacer: Arc::new(Pacer::new(1.0, 90)),
            way: crate::twin::way::only(Way::Dmi),
            writes: KeptWrites { memory: WriteMemory::volatile(), audit: AuditFile::off() },
            stop,
        };
        (parts, link_ended, server_ended)
    }

    #[tokio::test(start_paused = true)]
    async fn the_link_and_the_server_have_time_to_end_after_a_reporter_that_takes_all_it_gets() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = Socket::bind(&folder.path().join("mapper.sock")).await.expect("the path is free");
        let (parts, link_ended, server_ended) = busy_parts(socket, Duration::from_millis(900));
        let started = Instant::now();
        assert_eq!(parts.stop(Duration::from_secs(10)).await, 1, "the report that was cut off counts");
        assert!(link_ended.is_cancelled() && server_ended.is_cancelled());
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn the_socket_file_goes_even_when_the_server_is_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mapper.sock");
        let socket = Socket::bind(&path).await.expect("the path is free");
        let (parts, _, server_ended) = busy_parts(socket, Duration::from_secs(3600));
        parts.stop(Duration::from_secs(2)).await;
        assert!(!server_ended.is_cancelled() && !path.exists());
    }
}
