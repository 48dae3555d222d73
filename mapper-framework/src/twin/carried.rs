//! What a report carries to edgecore.

use crate::{
    dmi::client::TwinReport,
    model::DeviceId,
    telemetry::{
        Telemetry,
        reports::{ReportAccepted, TwinReported, TwinStored},
    },
};

use super::TwinUpdate;

/// The names and values of a report's twins, as edgecore gets them. That of a state has none.
#[derive(Debug, Default)]
pub(super) struct Carried(Vec<(String, String)>);

impl Carried {
    pub(super) fn of<'a>(twins: impl IntoIterator<Item = &'a TwinReport>) -> Self {
        Self(twins.into_iter().map(|twin| (twin.property.clone(), twin.reported.clone())).collect())
    }

    /// Reports that they are on their way.
    pub(super) fn note_sent(&self, device: &DeviceId, telemetry: &Telemetry) {
        for (property, value) in &self.0 {
            telemetry.emit(TwinReported { device, property, value });
        }
    }

    /// Reports that edgecore has them, and how old they are.
    pub(super) fn note_accepted(&self, device: &DeviceId, twins: &[TwinUpdate], telemetry: &Telemetry) {
        telemetry.emit(ReportAccepted { device, twins: twins.len() });
        twins.iter().for_each(|twin| telemetry.latencies().staleness.observe(twin.age()));
        for (property, value) in &self.0 {
            telemetry.emit(TwinStored { device, property, value });
        }
    }
}
