//! What edgecore does not say on the event bus.

use tokio::time::Instant;

use crate::{
    config::ReportVia,
    telemetry::eventbus::{ConfirmationsEnded, EventbusSilent, ReportUnanswered, ReportUnconfirmed},
    twin::{
        flights::Flight,
        outbox::Report,
        receipts::{ANSWER, Overdue},
        way::Way,
    },
};

use super::{BusReporter, MISSED};

impl BusReporter {
    /// Answers are overdue: of some reports, or of all.
    pub(super) fn no_answer(&mut self, is_draining: bool) {
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
    pub(super) fn no_receipt(&self) {
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
    pub(super) fn settle_all(&mut self) {
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
    pub(super) fn fall_back_to_dmi(&self) {
        if self.via != ReportVia::Eventbus {
            self.way.send_replace(Way::Dmi);
        }
    }
}
