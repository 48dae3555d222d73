//! How a worker ends: with all delivered, with what is left kept, or given up.

use tokio::time::{Instant, timeout_at};

use crate::telemetry::{sinks::SinkStopped, spool::SpoolPurged};

use super::{
    super::{Ledger, connection::Connection, monitor::Monitor},
    INBOX, Worker, ended,
};

impl Worker {
    /// Delivers what can be delivered by the deadline, without pausing for a target that is away, and keeps the rest on disk.
    pub(super) async fn stop(mut self, deadline: Instant) {
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
    pub(super) async fn retire(self) {
        self.monitor.stopped();
        self.buffer.close_for_good().await;
        part_with(self.connection, &self.monitor).await;
    }

    /// Nobody has asked for the target for too long: what waits for it is lost.
    pub(super) async fn give_up(self) {
        let Self { monitor, mut inbox, buffer, connection, .. } = self;
        inbox.close();
        let bytes = buffer.give_up(&monitor).await;
        let records = monitor.ledger().in_flight;
        monitor.count(|account| account.drop(records as usize));
        monitor.stopped();
        monitor.telemetry.emit(SpoolPurged { target: &monitor.target, records, bytes });
        part_with(connection, &monitor).await;
    }

    pub(super) async fn close(self) {
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
