//! Where samples go: every consumer gets the same one.

use std::sync::Arc;

use crate::{
    model::{DeviceId, DeviceState, Sample},
    sink::Sinks,
    telemetry::Telemetry,
    twin::{Outbox, Phase, TwinUpdate},
};

/// Hands samples to their consumers. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Dispatch {
    outbox: Arc<Outbox>,
    sinks: Sinks,
    telemetry: Telemetry,
}

impl Dispatch {
    pub(crate) fn new(outbox: Arc<Outbox>, sinks: Sinks, telemetry: Telemetry) -> Self {
        Self { outbox, sinks, telemetry }
    }

    /// The sinks, besides edgecore.
    pub(super) fn sinks(&self) -> &Sinks {
        &self.sinks
    }

    /// Hands on what one round of reads of one device gave, each sample with the phase of its property's desired value.
    /// `urgent` brings the device's report ahead.
    pub(super) fn samples<'a>(
        &self,
        device: &DeviceId,
        samples: impl ExactSizeIterator<Item = (&'a Sample, Option<Phase>)>,
        urgent: bool,
    ) {
        self.telemetry.samples(samples.len());
        let reported = samples.filter(|(sample, _)| sample.property.report_to_cloud());
        let twins = reported.map(|(sample, phase)| TwinUpdate {
            property: Arc::clone(&sample.property),
            value: sample.value.clone(),
            timestamp: sample.timestamp,
            phase,
        });
        self.outbox.post_twins(device, twins, urgent);
    }

    /// Hands on a device's state.
    pub(super) fn state(&self, device: &DeviceId, state: DeviceState, urgent: bool) {
        self.outbox.post_state(device, state, urgent);
    }

    /// The device is gone: nothing more is to be told of it.
    pub(super) fn forget(&self, device: &DeviceId) {
        self.outbox.forget(device);
    }
}
