//! Where samples go: every consumer gets the same one.

use std::sync::Arc;

use crate::{
    hook::Hooks,
    model::{DeviceId, DeviceState, Sample},
    sink::Sinks,
    twin::{Echo, Outbox, TwinUpdate, Urgency},
};

/// Hands samples to their consumers. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Dispatch {
    outbox: Arc<Outbox>,
    sinks: Sinks,
    hooks: Hooks,
}

impl Dispatch {
    pub(crate) fn new(outbox: Arc<Outbox>, sinks: Sinks) -> Self {
        Self { outbox, sinks, hooks: Hooks::default() }
    }

    /// Puts hooks before all consumers.
    pub(crate) fn with_hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self
    }

    /// The hooks before the consumers.
    pub(super) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// The sinks, besides edgecore.
    pub(super) fn sinks(&self) -> &Sinks {
        &self.sinks
    }

    /// Hands on what one round of reads of one device gave, each sample with what its twin says of the desired value.
    pub(super) fn samples<'a>(
        &self,
        device: &DeviceId,
        samples: impl Iterator<Item = (&'a Sample, Echo)>,
        urgency: Urgency,
    ) {
        let reported = samples.filter(|(sample, _)| sample.property.report_to_cloud());
        let twins = reported.map(|(sample, desired)| TwinUpdate {
            property: Arc::clone(&sample.property),
            value: sample.value.clone(),
            timestamp: sample.timestamp,
            desired,
        });
        self.outbox.post_twins(device, twins, urgency);
    }

    /// Hands on a device's state.
    pub(super) fn state(&self, device: &DeviceId, state: DeviceState, urgency: Urgency) {
        self.outbox.post_state(device, state, urgency);
    }

    /// The device has changed: what waits of the properties that are not to be kept is dropped.
    pub(super) fn retain(&self, device: &DeviceId, keep: impl Fn(&str) -> bool) {
        self.outbox.retain(device, keep);
    }

    /// The device is gone: nothing more is reported of it.
    pub(super) fn forget(&self, device: &DeviceId) {
        self.outbox.forget(device);
    }
}
