//! The task that reports over edgecore's event bus, and listens there to what edgecore has stored.
//!
//! | edgecore | what goes there |
//! | --- | --- |
//! | is away: no connection to the broker | nothing; it is connected to again and again |
//! | is silent: it has not answered yet, or answers no longer | one report at a time, after a pause that doubles |
//! | answers | up to [`WINDOW`] reports at a time, at the pace of the config |
//!
//! A report counts as accepted when edgecore has said that it is stored, and comes again otherwise, with the latest values.

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
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
    eventbus::{BusSettings, EventBus, Received, TwinValue, Verdict},
    model::{AccessMode, DeviceId, IllegalValues},
    telemetry::{
        Occurrence, Telemetry,
        eventbus::{
            BrokerLost, BrokerUnreachable, ConfirmationsEnded, EventbusAnswers, EventbusSilent, MessageRefused,
            RefusedUnnamed, ReportStored, ReportUnanswered, ReportUnconfirmed, TwinRefused,
        },
        reports::{ReportAccepted, ReportsResumed, TwinReported, TwinStored},
    },
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

/// The pauses between two attempts to reach the broker. A connection that lasts longer than the longest one starts them over.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How long a connection may take to close.
const CLOSING: Duration = Duration::from_secs(1);

/// After how many reports without an answer, and none with one between them, edgecore is silent: one alone may be at fault itself.
const MISSED: usize = 2;

/// How long connecting and subscribing may take.
const CONNECT: Duration = Duration::from_secs(10);

/// The pauses between two reports that find out whether edgecore answers.
const PROBE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

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
    unsettled: HashMap<DeviceId, HashSet<Arc<str>>>,
    event_ids: EventIds,
    /// Whether edgecore answers, as far as is known.
    answers: bool,
    /// When it last answered to a report, and how many have missed their answer since then.
    answered: Option<Instant>,
    missed: usize,
    /// While it does not answer: the pauses between two reports, and the end of the present one.
    probes: Backoff,
    probe_at: Instant,
    /// How many twins a message carries, on average.
    twins_each: f64,
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
        format!("{}{}", self.prefix(), self.next)
    }

    fn prefix(&self) -> String {
        format!("{:016x}-", self.run)
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
            unsettled: HashMap::new(),
            event_ids: EventIds { run: fastrand::u64(..), next: 0 },
            answers: false,
            answered: None,
            missed: 0,
            probes: Backoff::new(PROBE.0, PROBE.1),
            probe_at: Instant::now(),
            twins_each: 1.0,
            unnamed: false,
        }
    }

    /// Reports until `drain`, and then on until nothing is left or edgecore does not answer. What is left then is up to the other way, if
    /// there is one.
    pub(crate) async fn run(mut self, drain: CancellationToken) {
        let mut pauses = Backoff::new(RECONNECT.0, RECONNECT.1);
        while let Some(mut bus) = self.connect(&mut pauses, &drain).await {
            let begun = Instant::now();
            let end = self.serve(&mut bus, &drain).await;
            self.settle_all();
            self.fall_back_to_dmi();
            if begun.elapsed() > RECONNECT.1 {
                pauses.reset();
            }
            match end {
                End::Lost(error) => {
                    let occurrence = Occurrence::first_if(pauses.attempts() == 0);
                    self.telemetry.emit(BrokerLost { broker: self.settings.address(), error: &error, occurrence });
                    // A broker that ends each connection at once is not asked without a pause.
                    drain.run_until_cancelled(sleep(pauses.next())).await;
                }
                End::Drained => {
                    drop(timeout(CLOSING, bus.close()).await);
                    break;
                }
            }
        }
        self.fall_back_to_dmi();
    }

    /// A connection, once there is one; `None` if the mapper stops.
    async fn connect(&self, pauses: &mut Backoff, drain: &CancellationToken) -> Option<EventBus> {
        let mut occurrence = Occurrence::First;
        loop {
            let connected = drain.run_until_cancelled(timeout(CONNECT, EventBus::connect(&self.settings))).await?;
            let error = match connected {
                Ok(Ok(bus)) => return Some(bus),
                Ok(Err(error)) => error,
                Err(_) => format!("it does not answer within {CONNECT:?}"),
            };
            self.telemetry.emit(BrokerUnreachable { broker: self.settings.address(), error: &error, occurrence });
            occurrence = Occurrence::Again;
            drain.run_until_cancelled(sleep(pauses.next())).await?;
        }
    }

    async fn serve(&mut self, bus: &mut EventBus, drain: &CancellationToken) -> End {
        self.probes.reset();
        self.probe_at = Instant::now();
        (self.missed, self.unnamed) = (0, false);
        for (device, twins) in std::mem::take(&mut self.unsettled) {
            self.outbox.doubt(&device, twins.iter().map(|name| &**name));
        }
        loop {
            tokio::select! {
                biased;
                received = bus.next() => match received {
                    Ok(received) => self.take_in(received),
                    Err(reason) => return End::Lost(reason),
                },
                () = self.flights.overdue(ANSWER) => self.no_answer(drain.is_cancelled()),
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
            sleep_until(self.probe_at).await;
        }
        self.outbox.filled().await;
        self.pacer.ready().await;
    }

    /// Whether nothing is left that could be reported here, or there is a better way.
    fn is_done(&self) -> bool {
        if !self.answers && self.via == ReportVia::Auto {
            return true;
        }
        let can_report = self.has_room() && (self.answers || self.probe_at <= Instant::now());
        self.flights.len() == 0 && !(can_report && self.outbox.is_due())
    }

    // ---- what goes ----

    fn report(&mut self, bus: &mut EventBus) {
        if self.answers {
            self.outbox.set_pace(self.pacer.rate() / self.twins_each);
        }
        let Some(mut report) = self.outbox.take() else { return };
        let event_id = self.event_ids.next();
        let mut carried = Vec::new();
        let sent = match &mut report.content {
            Content::State(state) => {
                self.pacer.spend();
                bus.report_state(&report.device, &event_id, *state)
            }
            Content::Twins(twins) => {
                let mut rendered = Vec::with_capacity(twins.len());
                twins.retain(|twin| {
                    let render = self.renderer.render(&report.device, twin);
                    render.map(|render| rendered.push((render, may_be_desired(twin)))).is_some()
                });
                if rendered.is_empty() {
                    return self.outbox.spare(report);
                }
                self.pacer.spend_many(rendered.len());
                self.twins_each = 0.9 * self.twins_each + 0.1 * rendered.len() as f64;
                carried.extend(rendered.iter().map(|(twin, _)| (twin.property.clone(), twin.reported.clone())));
                let values = rendered.iter().map(|(twin, may_be_desired)| TwinValue {
                    property: &twin.property,
                    actual: &twin.reported,
                    // An empty one takes back what was there.
                    expected: may_be_desired.then_some(&twin.desired.value),
                });
                bus.report_twins(&report.device, &event_id, &values.collect::<Vec<_>>())
            }
        };
        for (property, value) in &carried {
            self.telemetry.emit(TwinReported { device: &report.device, property, value });
        }
        match sent {
            Ok(()) => self.flights.add(report, event_id, carried),
            Err(reason) => self.refused(report, &reason, true),
        }
    }

    // ---- what comes ----

    fn take_in(&mut self, received: Received) {
        match received {
            Received::Twins { device, event_id, verdict } => match (self.flights.answered(&device, &event_id), verdict)
            {
                (Some(flight), Verdict::Stored(_)) => {
                    self.note_answer();
                    self.stored(flight);
                }
                (Some(flight), Verdict::Refused(refusal)) => {
                    self.note_answer();
                    self.refused(flight.report, &refusal, refusal.is_about_content());
                }
                (None, verdict) if event_id.starts_with(&self.event_ids.prefix()) => self.too_late(&device, verdict),
                (None, Verdict::Stored(twins)) => {
                    if let Some(report) = self.receipts.stored(&device, &twins) {
                        self.accepted(report);
                    }
                }
                (None, Verdict::Refused(refusal)) => self.receipts.refused(&device, refusal.to_string()),
            },
            Received::State { device, state } => {
                if let Some(flight) = self.flights.state_stored(&device, &state) {
                    self.note_answer();
                    self.stored(flight);
                }
            }
            Received::NotPublished { device, event_id, reason } => {
                if let Some(flight) = self.flights.answered(&device, &event_id) {
                    self.refused(flight.report, &reason, false);
                }
            }
            Received::Anonymous(refusal) => {
                self.flights.suspect_all();
                let occurrence = Occurrence::first_if(!std::mem::replace(&mut self.unnamed, true));
                self.telemetry.emit(RefusedUnnamed { error: &refusal, occurrence });
            }
        }
    }

    /// An answer to a report that is no longer waited for. By now a newer value may have gone over DMI, which this one has overwritten.
    fn too_late(&mut self, device: &DeviceId, verdict: Verdict) {
        if !self.answers {
            // It is there again: the next report finds out whether it answers in time.
            self.probes.reset();
            self.probe_at = Instant::now();
        }
        if let (ReportVia::Auto, Verdict::Stored(twins)) = (self.via, verdict) {
            self.outbox.doubt(device, twins.iter().map(|name| &**name));
        }
    }

    /// edgecore has answered to a report.
    fn note_answer(&mut self) {
        self.answered = Some(Instant::now());
        self.missed = 0;
        self.probes.reset();
        if !std::mem::replace(&mut self.answers, true) {
            // It takes one message after the other: what came before on this connection is answered as well, or lost.
            self.unsettled.clear();
            self.telemetry.emit(EventbusAnswers { broker: self.settings.address() });
            self.way.send_replace(Way::Bus);
        }
    }

    fn stored(&self, Flight { report, carried, .. }: Flight) {
        let device = &report.device;
        self.telemetry.emit(ReportStored { device });
        self.telemetry.emit(ReportAccepted { device, twins: report.content.twins() });
        if let Content::Twins(twins) = &report.content {
            twins.iter().for_each(|twin| self.telemetry.latencies().staleness.observe(twin.age()));
        }
        for (property, value) in &carried {
            self.telemetry.emit(TwinStored { device, property, value });
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

    /// A report was refused: for something in it, or for its device, or for what nobody knows.
    fn refused(&self, report: Report, error: &dyn Display, is_about_content: bool) {
        let (device, twins) = (report.device.clone(), report.content.twins());
        let alone = match &report.content {
            Content::Twins(twins) if twins.len() == 1 && is_about_content => twins.first().cloned(),
            _ => None,
        };
        let pause =
            if is_about_content { self.outbox.refused_for_content(report) } else { self.outbox.refused(report) };
        match alone {
            Some(twin) => {
                let (property, value) = (twin.property.name(), &*twin.value.to_string());
                self.telemetry.emit(TwinRefused { device: &device, property, value, error, pause });
            }
            None => self.telemetry.emit(MessageRefused { device: &device, twins, error, pause }),
        }
    }

    // ---- what does not come ----

    /// Answers are overdue: of some reports, or of all.
    fn no_answer(&mut self, is_draining: bool) {
        let overdue = self.flights.take_overdue(ANSWER);
        self.missed += overdue.len();
        let oldest = overdue.first().map(|flight| flight.sent);
        let has_answered_since = self.answered.zip(oldest).is_some_and(|(answered, sent)| answered > sent);
        if !has_answered_since && (!self.answers || self.missed >= MISSED || is_draining) {
            return self.fall_silent(overdue);
        }
        for Flight { report, is_suspect, .. } in overdue {
            self.note_unsettled(&report);
            if is_suspect && has_answered_since {
                self.refused(report, &"no answer, and a refusal meanwhile that names nobody", true);
            } else {
                let device = report.device.clone();
                let pause = self.outbox.refused(report);
                self.telemetry.emit(ReportUnanswered { device: &device, pause });
            }
        }
    }

    /// edgecore answers to nothing. All that is on its way comes again.
    fn fall_silent(&mut self, overdue: Vec<Flight>) {
        if std::mem::replace(&mut self.answers, false) || self.probes.attempts() == 0 {
            let next = match self.via {
                ReportVia::Auto => "reports go over DMI until it does",
                _ => "reports wait until it does",
            };
            self.telemetry.emit(EventbusSilent { broker: self.settings.address(), next });
        }
        self.probe_at = Instant::now() + self.probes.next();
        let mut is_first = true;
        for Flight { report, .. } in overdue {
            self.note_unsettled(&report);
            // The next to ask with is of another device, for this one may be at fault. With `auto` the other way takes it at once.
            if std::mem::take(&mut is_first) && self.via != ReportVia::Auto {
                self.outbox.unanswered(report);
            } else {
                self.outbox.put_back(report);
            }
        }
        self.put_all_back();
        self.fall_back_to_dmi();
    }

    /// edgecore has not said of reports over DMI that they are stored.
    fn no_receipt(&self) {
        let mut ended = false;
        for overdue in self.receipts.take_overdue() {
            match overdue {
                Overdue::Missing { report, missing, is_part, reason } => {
                    let device = report.device.clone();
                    let pause =
                        if is_part { self.outbox.refused_for_content(report) } else { self.outbox.refused(report) };
                    let missing = missing.join(", ");
                    self.telemetry.emit(ReportUnconfirmed {
                        device: &device,
                        missing: &missing,
                        reason: &reason,
                        pause,
                    });
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
            self.note_unsettled(&report);
            self.outbox.put_back(report);
        }
    }

    /// A report is no longer waited for, and may be stored all the same.
    fn note_unsettled(&mut self, report: &Report) {
        if self.via == ReportVia::Auto {
            self.unsettled.entry(report.device.clone()).or_default().extend(report.content.names());
        }
    }

    /// Lets reports go the other way, if there is one.
    fn fall_back_to_dmi(&self) {
        if self.via != ReportVia::Eventbus {
            self.way.send_replace(Way::Dmi);
        }
    }
}

/// Whether a twin may have a desired value.
fn may_be_desired(twin: &TwinUpdate) -> bool {
    twin.property.access_mode() == AccessMode::ReadWrite
}
