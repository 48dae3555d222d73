//! The task that reports over edgecore's event bus, and that hears there what edgecore has stored.
//!
//! | edgecore | what goes there |
//! | --- | --- |
//! | is away: no connection to the broker | nothing; it is connected to again and again |
//! | is silent: it has not answered yet, or no more | one report at a time, after a pause that doubles |
//! | answers | up to [`WINDOW`] reports at a time, at the pace of the config |
//!
//! A report counts as accepted when edgecore has said that it is stored, and comes again otherwise, with the latest values.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    config::ReportVia,
    eventbus::{BusSettings, EventBus, Received, Refusal, TwinValue, Verdict},
    model::{AccessMode, DeviceId, IllegalValues},
    telemetry::{
        Occurrence, Telemetry,
        eventbus::{
            BrokerLost, BrokerUnreachable, ConfirmationsEnded, EventbusAnswers, EventbusSilent, MessageRefused,
            RefusedUnnamed, ReportStored, ReportUnanswered, ReportUnconfirmed, TwinRefused,
        },
        reports::{ReportAccepted, ReportsResumed, TwinReported, TwinStored},
    },
    watch::Kind,
};

use super::{
    Outbox, Pacer, TwinUpdate,
    flights::{Flight, Flights},
    outbox::{Content, Report},
    receipts::{ANSWER, Overdue, Receipts},
    render::Renderer,
    way::Way,
};

/// The most reports on their way. edgecore takes one after the other, so that more of them would wait there, and be sent again after a
/// loss.
const WINDOW: usize = 16;

/// The pauses between two attempts to reach the broker.
const AWAY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How long connecting and subscribing may take.
const CONNECT: Duration = Duration::from_secs(10);

/// The pauses between two reports that find out whether edgecore answers.
const SILENT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Reports over the event bus, and listens there.
#[derive(Debug)]
pub(crate) struct BusReporter {
    settings: BusSettings,
    via: ReportVia,
    outbox: Arc<Outbox>,
    /// In twins, of which a message spends as many as it carries.
    pacer: Pacer,
    telemetry: Telemetry,
    renderer: Renderer,
    receipts: Arc<Receipts>,
    way: watch::Sender<Way>,
    flights: Flights,
    /// With `auto`: twins that were on their way when edgecore fell silent or the connection ended. What went over DMI meanwhile may be
    /// overwritten by them.
    left: HashMap<DeviceId, HashSet<Arc<str>>>,
    event_ids: EventIds,
    /// Whether edgecore answers, as far as is known.
    answers: bool,
    /// When it last answered to a report.
    answered: Option<Instant>,
    /// While it does not answer: the pauses between two reports, and the end of the present one.
    asks: Backoff,
    ask_at: Instant,
    /// Whether a refusal without a name has been logged.
    unnamed: bool,
}

/// The ids by which answers are known: other clients of the broker have others.
#[derive(Debug)]
struct EventIds {
    run: u64,
    next: u64,
}

impl EventIds {
    fn next(&mut self) -> String {
        self.next += 1;
        format!("{:016x}-{}", self.run, self.next)
    }

    /// Whether this run has made an id.
    fn are_of(&self, event_id: &str) -> bool {
        event_id.split_once('-').is_some_and(|(run, _)| run == format!("{:016x}", self.run))
    }
}

/// Why a connection is no longer used.
enum End {
    Lost(String),
    /// The mapper stops, and nothing more is to be reported here.
    Drained,
}

impl BusReporter {
    /// `way` is the one that the other reporter follows.
    pub(crate) fn new(
        settings: BusSettings,
        (via, twins_per_second): (ReportVia, f64),
        outbox: Arc<Outbox>,
        telemetry: Telemetry,
        receipts: Arc<Receipts>,
        way: watch::Sender<Way>,
        illegal: IllegalValues,
    ) -> Self {
        // Saturates; a second's worth may go at once.
        let pacer = Pacer::new(twins_per_second, twins_per_second as u32);
        let renderer = Renderer::new(telemetry.clone(), illegal);
        Self {
            settings,
            via,
            outbox,
            pacer,
            telemetry,
            renderer,
            receipts,
            way,
            flights: Flights::default(),
            left: HashMap::new(),
            event_ids: EventIds { run: fastrand::u64(..), next: 0 },
            answers: false,
            answered: None,
            asks: Backoff::new(SILENT.0, SILENT.1),
            ask_at: Instant::now(),
            unnamed: false,
        }
    }

    /// Reports until `drain`, and then on until nothing is left or edgecore does not answer. What is left then is up to the other way, if
    /// there is one.
    pub(crate) async fn run(mut self, drain: CancellationToken) {
        let mut away = Backoff::new(AWAY.0, AWAY.1);
        while let Some(mut bus) = self.connect(&mut away, &drain).await {
            let end = self.serve(&mut bus, &drain).await;
            self.settle_all();
            if self.answered.is_some() {
                away.reset();
            }
            match end {
                End::Lost(error) => {
                    self.telemetry.emit(BrokerLost { broker: self.settings.address(), error: &error });
                    self.leave();
                    // A broker that ends each connection at once is not asked without a pause.
                    drain.run_until_cancelled(sleep(away.next())).await;
                }
                End::Drained => {
                    bus.close().await;
                    break;
                }
            }
        }
        self.leave();
    }

    /// A connection, once there is one; `None` if the mapper stops.
    async fn connect(&self, away: &mut Backoff, drain: &CancellationToken) -> Option<EventBus> {
        loop {
            let connected = drain.run_until_cancelled(timeout(CONNECT, EventBus::connect(&self.settings))).await?;
            let error = match connected {
                Ok(Ok(bus)) => return Some(bus),
                Ok(Err(error)) => error,
                Err(_) => format!("it does not answer within {CONNECT:?}"),
            };
            let occurrence = Occurrence::first_if(away.attempts() == 0);
            self.telemetry.emit(BrokerUnreachable { broker: self.settings.address(), error: &error, occurrence });
            drain.run_until_cancelled(sleep(away.next())).await?;
        }
    }

    async fn serve(&mut self, bus: &mut EventBus, drain: &CancellationToken) -> End {
        self.asks.reset();
        self.ask_at = Instant::now();
        for (device, twins) in std::mem::take(&mut self.left) {
            self.outbox.doubt(&device, twins.iter().map(|name| &**name));
        }
        loop {
            tokio::select! {
                biased;
                received = bus.next() => match received {
                    Ok(received) => self.take_in(received),
                    Err(reason) => return End::Lost(reason),
                },
                () = self.flights.overdue(ANSWER) => self.no_answer(),
                () = self.receipts.overdue() => self.no_receipt(),
                () = self.turn(), if self.has_room() => self.report(bus),
                () = drain.cancelled(), if self.is_done() => return End::Drained,
            }
        }
    }

    /// Whether another report may be on its way.
    fn has_room(&self) -> bool {
        self.via != ReportVia::Dmi && self.flights.len() < if self.answers { WINDOW } else { 1 }
    }

    /// Waits until there is something to report, and it may be sent.
    async fn turn(&self) {
        if !self.answers {
            sleep_until(self.ask_at).await;
        }
        self.outbox.filled().await;
        self.pacer.ready().await;
    }

    /// Whether nothing is left that could be reported here.
    fn is_done(&self) -> bool {
        let can_report = self.has_room() && (self.answers || self.ask_at <= Instant::now());
        self.flights.len() == 0 && !(can_report && self.outbox.is_due())
    }

    // ---- what goes ----

    fn report(&mut self, bus: &EventBus) {
        if self.answers {
            self.outbox.set_pace(self.pacer.rate());
        }
        let Some(mut report) = self.outbox.take() else { return };
        let event_id = self.event_ids.next();
        let sent = match &mut report.content {
            Content::State(state) => {
                self.pacer.spend();
                bus.report_state(&report.device, &event_id, *state)
            }
            Content::Twins(twins) => {
                let mut rendered = Vec::with_capacity(twins.len());
                twins.retain(|twin| {
                    self.renderer
                        .render(&report.device, twin)
                        .map(|it| rendered.push((it, may_be_desired(twin))))
                        .is_some()
                });
                if rendered.is_empty() {
                    return self.outbox.spare(report);
                }
                let values = rendered.iter().map(|(twin, may_be_desired)| TwinValue {
                    property: &twin.property,
                    actual: &twin.reported,
                    // An empty one takes back what was there.
                    expected: may_be_desired.then_some(&twin.desired.value),
                });
                self.pacer.spend_many(rendered.len());
                if self.telemetry.is_watched(Kind::Twin) {
                    for (twin, _) in &rendered {
                        let (property, value) = (&twin.property, &twin.reported);
                        self.telemetry.emit(TwinReported { device: &report.device, property, value });
                    }
                }
                bus.report_twins(&report.device, &event_id, &values.collect::<Vec<_>>())
            }
        };
        match sent {
            Ok(()) => self.flights.add(report, event_id),
            Err(reason) => self.refused(report, &Refusal { code: 400, reason }),
        }
    }

    // ---- what comes ----

    fn take_in(&mut self, received: Received) {
        match received {
            Received::Twins { device, event_id, verdict } => match (self.flights.answered(&device, &event_id), verdict)
            {
                (Some(flight), Verdict::Stored(_)) => {
                    self.heard_of(&flight);
                    self.stored(flight.report);
                }
                (Some(flight), Verdict::Refused(refusal)) => {
                    self.heard_of(&flight);
                    self.refused(flight.report, &refusal);
                }
                (None, Verdict::Stored(twins)) if self.event_ids.are_of(&event_id) => {
                    // Too late: by now a newer value may have gone over DMI, which this one has overwritten.
                    if self.via == ReportVia::Auto {
                        self.outbox.doubt(&device, twins.iter().map(|name| &**name));
                    }
                }
                (None, Verdict::Stored(twins)) => {
                    if let Some(report) = self.receipts.stored(&device, &twins) {
                        self.accepted(report);
                    }
                }
                (None, Verdict::Refused(_)) => {}
            },
            Received::State { device, state } => {
                if let Some(flight) = self.flights.state_stored(&device, &state) {
                    self.heard_of(&flight);
                    self.stored(flight.report);
                }
            }
            Received::Unnamed(refusal) => {
                self.flights.suspect_all();
                let occurrence = Occurrence::first_if(!std::mem::replace(&mut self.unnamed, true));
                self.telemetry.emit(RefusedUnnamed { error: &refusal, occurrence });
            }
        }
    }

    /// edgecore has answered to a report.
    fn heard_of(&mut self, _: &Flight) {
        self.answered = Some(Instant::now());
        self.asks.reset();
        if !std::mem::replace(&mut self.answers, true) {
            // It takes one message after the other: what came before on this connection is answered as well, or lost.
            self.left.clear();
            self.telemetry.emit(EventbusAnswers { broker: self.settings.address() });
            self.way.send_replace(Way::Bus);
        }
    }

    fn stored(&self, report: Report) {
        let device = &report.device;
        self.telemetry.emit(ReportStored { device });
        let twins = match &report.content {
            Content::Twins(twins) => twins.len(),
            Content::State(_) => 0,
        };
        self.telemetry.emit(ReportAccepted { device, twins });
        if let Content::Twins(twins) = &report.content
            && self.telemetry.is_watched(Kind::Twin)
        {
            for twin in twins {
                let (property, value) = (twin.property.name(), &*twin.value.to_string());
                self.telemetry.emit(TwinStored { device, property, value });
            }
        }
        self.accepted(report);
    }

    /// A report is done with.
    fn accepted(&self, report: Report) {
        let device = report.device.clone();
        if self.outbox.accepted(report) {
            self.telemetry.emit(ReportsResumed { device: &device });
        }
    }

    fn refused(&self, report: Report, refusal: &Refusal) {
        let device = report.device.clone();
        let twins = match &report.content {
            Content::Twins(twins) => twins.len(),
            Content::State(_) => 0,
        };
        let alone = match &report.content {
            Content::Twins(twins) if twins.len() == 1 && refusal.is_about_content() => twins.first().cloned(),
            _ => None,
        };
        let pause = if refusal.is_about_content() {
            self.outbox.refused_for_content(report)
        } else {
            self.outbox.refused(report)
        };
        match alone {
            Some(twin) => {
                let (property, value) = (twin.property.name(), &*twin.value.to_string());
                self.telemetry.emit(TwinRefused { device: &device, property, value, error: refusal, pause });
            }
            None => self.telemetry.emit(MessageRefused { device: &device, twins, error: refusal, pause }),
        }
    }

    // ---- what does not come ----

    /// Answers are overdue: of some reports, or of all.
    fn no_answer(&mut self) {
        let mut is_silent = false;
        for Flight { report, sent, is_suspect, .. } in self.flights.take_overdue(ANSWER) {
            let device = report.device.clone();
            self.leave_behind(&report);
            if is_suspect {
                let refusal =
                    Refusal { code: 400, reason: "it does not answer, and refused a message meanwhile".to_owned() };
                self.refused(report, &refusal);
                continue;
            }
            if self.answered.is_some_and(|answered| answered > sent) {
                let pause = self.outbox.refused(report);
                self.telemetry.emit(ReportUnanswered { device: &device, pause });
                continue;
            }
            is_silent = true;
            match self.via {
                // The other way takes it now. A rest would hold it up, and end when this way asks again.
                ReportVia::Auto => self.outbox.put_back(report),
                // The next one to ask with is of another device, for this one may be at fault.
                _ => drop(self.outbox.refused(report)),
            }
        }
        // Once for all of them, since it makes the pause longer.
        if is_silent {
            self.fall_silent();
        }
    }

    /// edgecore answers to nothing. The others that are on their way come again as well.
    fn fall_silent(&mut self) {
        if std::mem::replace(&mut self.answers, false) || self.asks.attempts() == 0 {
            let next = match self.via {
                ReportVia::Auto => "reports go over DMI until it does",
                _ => "reports wait until it does",
            };
            self.telemetry.emit(EventbusSilent { broker: self.settings.address(), next });
        }
        self.ask_at = Instant::now() + self.asks.next();
        self.put_all_back();
        self.leave();
    }

    /// edgecore has not said of reports over DMI that they are stored.
    fn no_receipt(&self) {
        let mut ended = false;
        for overdue in self.receipts.take_overdue() {
            match overdue {
                Overdue::Missing(report, missing) => {
                    let device = report.device.clone();
                    let pause = self.outbox.refused(report);
                    let missing = missing.join(", ");
                    self.telemetry.emit(ReportUnconfirmed { device: &device, missing: &missing, pause });
                }
                Overdue::Unknown(report) => {
                    ended = true;
                    self.accepted(report);
                }
            }
        }
        if ended {
            self.telemetry.emit(ConfirmationsEnded {});
        }
    }

    /// The connection is no more: what was on its way comes again, and what edgecore has accepted over DMI is taken for stored.
    fn settle_all(&mut self) {
        self.answers = false;
        self.put_all_back();
        self.receipts.end().into_iter().for_each(|report| self.accepted(report));
    }

    fn put_all_back(&mut self) {
        for Flight { report, .. } in self.flights.take_all() {
            self.leave_behind(&report);
            self.outbox.put_back(report);
        }
    }

    /// A report is no longer waited for, and may be stored all the same.
    fn leave_behind(&mut self, report: &Report) {
        if self.via == ReportVia::Auto {
            self.left.entry(report.device.clone()).or_default().extend(report.content.names());
        }
    }

    /// Lets reports go the other way, if there is one.
    fn leave(&self) {
        if self.via != ReportVia::Eventbus {
            self.way.send_replace(Way::Dmi);
        }
    }
}

/// Whether a twin may have a desired value.
fn may_be_desired(twin: &TwinUpdate) -> bool {
    twin.property.access_mode() == AccessMode::ReadWrite
}
