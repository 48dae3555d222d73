//! What edgecore says on the event bus.

use std::fmt::Display;

use tokio::time::Instant;

use crate::{
    config::ReportVia,
    eventbus::{Received, Verdict},
    model::DeviceId,
    telemetry::{
        Occurrence,
        eventbus::{EventbusAnswers, MessageRefused, RefusedUnnamed, ReportStored, TwinRefused},
        reports::ReportsResumed,
    },
    twin::{
        flights::Flight,
        outbox::{Content, Report},
        way::Way,
    },
};

use super::BusReporter;

impl BusReporter {
    pub(super) fn take_in(&mut self, received: Received) {
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
        self.telemetry.emit(ReportStored { device: &report.device });
        carried.note_accepted(&report.device, report.content.twins(), &self.telemetry);
        self.accepted(report);
    }

    /// A report is done with.
    pub(super) fn accepted(&self, report: Report) {
        let device = report.device.clone();
        if self.outbox.accepted(report) {
            self.telemetry.emit(ReportsResumed { device: &device });
        }
    }

    /// A report was refused: for something in it, or for its device, or for what nobody knows.
    pub(super) fn refused(&self, report: Report, error: &dyn Display, is_about_content: bool) {
        let (device, twins) = (report.device.clone(), report.content.twins().len());
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
}
