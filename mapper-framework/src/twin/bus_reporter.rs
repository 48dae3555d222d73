//! The task that reports over edgecore's event bus, and listens there to what edgecore has stored.
//!
//! | edgecore | what goes there |
//! | --- | --- |
//! | is away: no connection to the broker | nothing; it is connected to again and again |
//! | is silent: it has not answered yet, or answers no longer | one report at a time, after a pause that doubles |
//! | answers | up to [`WINDOW`] reports at a time, at the pace of the config |
//!
//! A report counts as accepted when edgecore has said that it is stored, and comes again otherwise, with the latest values.

mod answers;
mod silence;

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
    eventbus::{BusSettings, EventBus, TwinValue},
    model::{AccessMode, DeviceId, IllegalValues},
    telemetry::{
        Occurrence, Telemetry,
        eventbus::{BrokerLost, BrokerUnreachable},
    },
};

use super::{
    Outbox, Pacer, TwinUpdate,
    carried::Carried,
    flights::Flights,
    outbox::Content,
    receipts::{ANSWER, Receipts},
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

    fn report(&mut self, bus: &mut EventBus) {
        if self.answers {
            self.outbox.set_pace(self.pacer.rate() / self.twins_each);
        }
        let Some(mut report) = self.outbox.take() else { return };
        let event_id = self.event_ids.next();
        let mut carried = Carried::default();
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
                carried = Carried::of(rendered.iter().map(|(twin, _)| twin));
                let values = rendered.iter().map(|(twin, may_be_desired)| TwinValue {
                    property: &twin.property,
                    actual: &twin.reported,
                    // An empty one takes back what was there.
                    expected: may_be_desired.then_some(&twin.desired.value),
                });
                bus.report_twins(&report.device, &event_id, &values.collect::<Vec<_>>())
            }
        };
        carried.note_sent(&report.device, &self.telemetry);
        match sent {
            Ok(()) => self.flights.add(report, event_id, carried),
            Err(reason) => self.refused(report, &reason, true),
        }
    }
}

/// Whether a twin may have a desired value.
fn may_be_desired(twin: &TwinUpdate) -> bool {
    twin.property.access_mode() == AccessMode::ReadWrite
}
