//! The task that reports to edgecore by calls of DMI.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    dmi::client::{EdgeClient, EdgeError},
    model::{DeviceId, DeviceState, IllegalValues},
    telemetry::{
        Telemetry,
        reports::{ReportLimited, ReportRefused, ReportsResumed, StatesUnimplemented},
    },
};

use super::{
    Outbox, Pacer, Receipts, TwinUpdate, Way,
    carried::Carried,
    outbox::{Content, Report},
    render::Renderer,
    way,
};

/// The pause after a call that failed although the connection holds.
const RETRY: Duration = Duration::from_secs(1);

/// Empties the [`Outbox`] at the pace that edgecore takes.
#[derive(Debug)]
pub(crate) struct Reporter {
    outbox: Arc<Outbox>,
    pacer: Arc<Pacer>,
    telemetry: Telemetry,
    /// The registered connection; `None` while edgecore is away.
    edge: watch::Receiver<Option<EdgeClient>>,
    /// Whether reports go by calls at present.
    way: watch::Receiver<Way>,
    /// Where edgecore's word is waited for that a report is stored.
    receipts: Arc<Receipts>,
    renderer: Renderer,
}

/// What came of a report that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// edgecore has accepted it.
    Accepted,
    /// There was nothing to send that edgecore would store.
    Nothing,
}

/// What the reporter does next.
enum Next {
    /// There is something to report, and the pace allows it.
    Report,
    /// There is another connection, or none, or another way.
    Switched,
    /// All is reported, and nothing more comes.
    Done,
}

impl Reporter {
    pub(crate) fn new(
        outbox: Arc<Outbox>,
        pacer: Arc<Pacer>,
        telemetry: Telemetry,
        edge: watch::Receiver<Option<EdgeClient>>,
        way: watch::Receiver<Way>,
        receipts: Arc<Receipts>,
        illegal: IllegalValues,
    ) -> Self {
        outbox.set_pace(pacer.rate());
        let renderer = Renderer::new(telemetry.clone(), illegal);
        Self { outbox, pacer, telemetry, edge, way, receipts, renderer }
    }

    /// Reports until `drain`, and then on until nothing is left or edgecore is away.
    ///
    /// Who drains asks the outbox before to [prefer states](Outbox::prefer_states) if time is short. When edgecore's limiter refuses
    /// a call while draining, it takes fewer than was reckoned with, and the states go first in any case.
    pub(crate) async fn run(mut self, drain: CancellationToken) {
        while let Some(client) = self.connected(&drain).await {
            match self.next(&drain).await {
                Next::Report => self.report_next(client, &drain).await,
                Next::Switched => {}
                Next::Done => return,
            }
        }
    }

    /// The connection, once there is one and reports go there; `None` if there will be none.
    async fn connected(&mut self, drain: &CancellationToken) -> Option<EdgeClient> {
        if *self.way.borrow() != Way::Dmi {
            // While the mapper stops as well: what the other way leaves is to be reported here.
            drop(self.way.wait_for(|way| *way == Way::Dmi).await);
            self.outbox.set_pace(self.pacer.rate());
            if drain.is_cancelled() {
                self.outbox.prefer_states(self.pacer.calls_within(Duration::ZERO));
            }
        }
        tokio::select! {
            biased;
            client = self.edge.wait_for(Option::is_some) => client.ok()?.clone(),
            () = drain.cancelled() => None,
        }
    }

    /// Waits until there is something to report and the pace allows it.
    async fn next(&mut self, drain: &CancellationToken) -> Next {
        let others = self.way.clone();
        tokio::select! {
            biased;
            () = way::changed(&mut self.way) => return Next::Switched,
            () = self.outbox.filled() => {}
            // What is on the other way may come back for as long as there is one.
            () = async { drain.cancelled().await; way::ended(others).await } => return Next::Done,
        }
        tokio::select! {
            biased;
            () = switched(&mut self.edge) => Next::Switched,
            () = way::changed(&mut self.way) => Next::Switched,
            () = self.pacer.ready() => Next::Report,
        }
    }

    /// Makes one call, if there still is something to say.
    async fn report_next(&mut self, client: EdgeClient, drain: &CancellationToken) {
        self.outbox.set_pace(self.pacer.rate());
        let Some(mut report) = self.outbox.take() else { return };
        let device = report.device.clone();
        let sent = match &mut report.content {
            Content::State(state) => self.report_state(client, &device, *state).await,
            Content::Twins(twins) => self.report_twins(client, &device, twins).await,
        };
        match sent {
            Ok(Sent::Nothing) => self.outbox.spare(report),
            Ok(Sent::Accepted) => {
                if let Some(report) = self.receipts.accepted(report)
                    && self.outbox.accepted(report)
                {
                    self.telemetry.emit(ReportsResumed { device: &device });
                }
            }
            Err(error) => {
                self.receipts.withdraw(&device);
                self.not_taken(report, error, drain).await;
            }
        }
    }

    /// edgecore did not take a report.
    async fn not_taken(&mut self, report: Report, error: EdgeError, drain: &CancellationToken) {
        match error {
            EdgeError::TooManyRequests => {
                self.pacer.refused();
                self.telemetry.emit(ReportLimited {});
                self.outbox.put_back(report);
                if drain.is_cancelled() {
                    self.outbox.prefer_states(0);
                }
            }
            EdgeError::Unimplemented if matches!(report.content, Content::State(_)) => {
                self.telemetry.emit(StatesUnimplemented {});
                self.outbox.spare(report);
            }
            EdgeError::Gone(_) => self.await_reconnect(report, &error).await,
            // That it has no call for twins is said by no edgecore, but perhaps by what stands before one: the twins are kept.
            EdgeError::Unimplemented | EdgeError::Refused(_) => self.give_back(report, &error),
        }
    }

    async fn report_state(
        &self,
        mut client: EdgeClient,
        device: &DeviceId,
        state: DeviceState,
    ) -> Result<Sent, EdgeError> {
        if !client.takes_states() {
            return Ok(Sent::Nothing);
        }
        // There can be one of a device only that was removed meanwhile.
        self.receipts.withdraw(device);
        self.pacer.spend();
        client.report_state(device, state).await?;
        self.pacer.accepted();
        Carried::default().note_accepted(device, &[], &self.telemetry);
        Ok(Sent::Accepted)
    }

    /// Reports twins, and leaves out of them what edgecore would drop.
    async fn report_twins(
        &mut self,
        mut client: EdgeClient,
        device: &DeviceId,
        twins: &mut Vec<TwinUpdate>,
    ) -> Result<Sent, EdgeError> {
        let mut legal = Vec::with_capacity(twins.len());
        twins.retain(|twin| self.renderer.render(device, twin).map(|twin| legal.push(twin)).is_some());
        if legal.is_empty() {
            return Ok(Sent::Nothing);
        }
        let carried = Carried::of(&legal);
        self.pacer.spend();
        carried.note_sent(device, &self.telemetry);
        self.receipts.expect(device, legal.iter().map(|twin| twin.property.clone()));
        client.report_twins(device, legal).await?;
        self.pacer.accepted();
        carried.note_accepted(device, twins, &self.telemetry);
        Ok(Sent::Accepted)
    }

    /// The connection ended under a call: the report waits for the next one. A call can also fail on a connection that is sound: then its
    /// device rests, and the others go on.
    async fn await_reconnect(&mut self, report: Report, error: &EdgeError) {
        let pause = tokio::time::sleep(RETRY);
        tokio::select! {
            biased;
            () = switched(&mut self.edge) => self.outbox.put_back(report),
            () = pause => self.give_back(report, error),
        }
    }

    /// edgecore refused a report for what it is, or did not answer it: it may take it later.
    fn give_back(&self, report: Report, error: &EdgeError) {
        let device = report.device.clone();
        let pause = self.outbox.refused(report);
        self.telemetry.emit(ReportRefused { device: &device, error, pause });
    }
}

/// Waits for another connection, or for the end of the present one. Once the link has ended there will be none, and the wait does
/// not end.
async fn switched(edge: &mut watch::Receiver<Option<EdgeClient>>) {
    if edge.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{DataType, Property},
        twin::Urgency,
    };

    fn reporter() -> Reporter {
        let (_, edge) = watch::channel(None);
        let pacer = Arc::new(Pacer::new(1.0, 90));
        let (way, receipts) = (way::only(Way::Dmi), Arc::default());
        Reporter::new(Arc::default(), pacer, Telemetry::default(), edge, way, receipts, IllegalValues::Hold)
    }

    fn twin(value: &str) -> TwinUpdate {
        TwinUpdate {
            property: Arc::new(Property::builder("name", DataType::String).build()),
            value: value.into(),
            timestamp: std::time::SystemTime::UNIX_EPOCH,
            desired: crate::twin::Echo::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_has_ended_does_not_undo_the_pace() {
        let mut reporter = reporter();
        reporter.outbox.post_twins(&DeviceId::new("", "a"), [twin("21")], Urgency::Ordinary);
        for _ in 0..90 {
            reporter.pacer.spend();
        }
        let drain = CancellationToken::new();
        let work = tokio::time::timeout(Duration::from_millis(900), reporter.next(&drain));
        assert!(work.await.is_err(), "there is a call to spend in a second only");
    }

    #[tokio::test]
    async fn unimplemented_ends_states_and_never_costs_twins() {
        let (mut reporter, drain, device) = (reporter(), CancellationToken::new(), DeviceId::new("", "a"));
        reporter.outbox.post_state(&device, DeviceState::Online, Urgency::Urgent);
        let report = reporter.outbox.take().expect("the state");
        reporter.not_taken(report, EdgeError::Unimplemented, &drain).await;
        reporter.outbox.post_twins(&device, [twin("21")], Urgency::Ordinary);
        let report = reporter.outbox.take().expect("the twins");
        reporter.not_taken(report, EdgeError::Unimplemented, &drain).await;
        assert_eq!(reporter.telemetry.stats().reports().refused(), 1);
        assert_eq!(reporter.outbox.pending_state(&device), None);
        assert!(reporter.outbox.pending(&device, "name").is_some());
    }

    #[tokio::test]
    async fn a_refusal_while_draining_puts_the_states_first() {
        let (mut reporter, drain, device) = (reporter(), CancellationToken::new(), DeviceId::new("", "a"));
        reporter.outbox.post_twins(&device, [twin("21")], Urgency::Ordinary);
        reporter.outbox.post_state(&device, DeviceState::Offline, Urgency::Ordinary);
        drain.cancel();
        let report = reporter.outbox.take().expect("the twins");
        reporter.not_taken(report, EdgeError::TooManyRequests, &drain).await;
        let first = reporter.outbox.take().expect("both are still pending");
        assert!(matches!(first.content, Content::State(DeviceState::Offline)));
    }
}
