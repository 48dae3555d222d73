//! What the mapper knows of its devices, for whoever looks into it from outside.

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use tokio::time::Instant;

use crate::{
    model::{Device, DeviceId, DeviceModel, DeviceState, Doubt, ModelId, Problem, Property, ReportRules, Sample},
    stream::FrameReader,
    telemetry::Telemetry,
    watch::DesiredStatus,
};

use super::{
    handle::ReadFailure,
    manager::Entry,
    status::{Polled, Status},
};

/// A device in one line.
#[derive(Clone, Debug)]
pub(crate) struct DeviceSummary {
    pub(crate) id: DeviceId,
    pub(crate) model: ModelId,
    pub(crate) protocol: String,
    pub(crate) state: DeviceState,
    pub(crate) reason: Option<String>,
    /// Since when it is in this state; `None` while its model is not known.
    pub(crate) since: Option<SystemTime>,
    pub(crate) last_sample: Option<SystemTime>,
    pub(crate) properties: usize,
    /// How many of them could not be read the last time.
    pub(crate) failing: usize,
    /// How much is wrong with its manifest.
    pub(crate) problems: usize,
}

/// All that is known of one device.
#[derive(Clone, Debug)]
pub(crate) struct Inspection {
    pub(crate) summary: DeviceSummary,
    /// `None` while its model is not known.
    pub(crate) device: Option<Arc<Device>>,
    /// The names of the properties in its manifest, those that are left out included.
    pub(crate) named: Vec<String>,
    pub(crate) properties: Vec<InspectedProperty>,
    /// Whether its config does not fit the driver, so that it cannot be connected to.
    pub(crate) has_wrong_config: bool,
    pub(crate) problems: Vec<Problem>,
    /// Why nothing of it will reach the cloud, if so.
    pub(crate) lost: Option<Problem>,
    pub(crate) doubts: Vec<Doubt>,
}

/// All that is known of one property.
#[derive(Clone, Debug)]
pub(crate) struct InspectedProperty {
    pub(crate) property: Arc<Property>,
    pub(crate) sample: Option<Sample>,
    pub(crate) failure: Option<ReadFailure>,
    pub(crate) desired: Option<DesiredStatus>,
    /// When it is read by the clock; `None` while there is no session, and where it is not polled.
    pub(crate) next_read: Option<Instant>,
    /// Which samples its twin gets.
    pub(crate) twin: ReportRules,
    /// The names of the targets of its samples.
    pub(crate) targets: Vec<String>,
}

/// A model, and how many devices refer to it.
#[derive(Clone, Debug)]
pub(crate) struct InspectedModel {
    pub(crate) model: Arc<DeviceModel>,
    pub(crate) devices: usize,
}

impl Entry {
    /// The frames of the device; `None` if it has no stream.
    pub(super) fn frames(&self) -> Option<FrameReader> {
        let running = self.running.as_ref()?;
        running.target.borrow().has_stream().then(|| running.frames.reader())
    }

    /// The device in one line.
    pub(super) fn summary(&self) -> DeviceSummary {
        let (id, model, protocol) =
            (self.instance.id.clone(), self.instance.model.clone(), self.instance.protocol.clone());
        let Some(running) = &self.running else {
            return DeviceSummary {
                reason: Some(self.waits_for_model()),
                id,
                model,
                protocol,
                state: DeviceState::Unknown,
                since: None,
                last_sample: None,
                properties: self.instance.properties.len(),
                failing: 0,
                problems: 0,
            };
        };
        let bound = Arc::clone(&running.target.borrow());
        running.status.look(|status| DeviceSummary {
            id,
            model,
            protocol,
            state: status.state,
            reason: status.reason.clone(),
            since: Some(status.since),
            last_sample: status.samples.values().map(|sample| sample.timestamp).max(),
            properties: bound.properties.len(),
            failing: status.failures.len(),
            problems: bound.problems.len() + usize::from(bound.lost.is_some()),
        })
    }

    /// All that is known of the device.
    pub(super) fn inspect(&self, telemetry: &Telemetry) -> Inspection {
        let summary = self.summary();
        let named = self.instance.properties.iter().map(|property| property.name.clone()).collect();
        let Some(running) = &self.running else {
            return Inspection {
                summary,
                device: None,
                named,
                properties: Vec::new(),
                has_wrong_config: false,
                problems: self.instance.problems.clone(),
                lost: None,
                doubts: Vec::new(),
            };
        };
        let bound = Arc::clone(&running.target.borrow());
        let desired = telemetry.desired(&self.instance.id);
        let mut desired: HashMap<_, _> = desired.into_iter().map(|it| (Arc::clone(&it.property), it)).collect();
        let properties = running.status.look(|status| {
            let inspect = |it: &super::bound::BoundProperty| {
                let name = it.property.shared_name();
                InspectedProperty {
                    sample: status.samples.get(&name).cloned(),
                    failure: status.failures.get(&name).cloned(),
                    desired: it.property.desired().and_then(|_| desired.remove(&name)),
                    next_read: next_read(status, &it.property),
                    property: Arc::clone(&it.property),
                    twin: it.twin.clone(),
                    targets: it.feeds.iter().map(|feed| feed.series().target().to_string()).collect(),
                }
            };
            bound.properties.iter().map(inspect).collect()
        });
        Inspection {
            summary,
            device: Some(Arc::clone(&bound.device)),
            named,
            properties,
            has_wrong_config: bound.has_wrong_config,
            problems: bound.problems.clone(),
            lost: bound.lost.clone(),
            doubts: bound.doubts.clone(),
        }
    }
}

fn next_read(status: &Status, property: &Property) -> Option<Instant> {
    let Polled { grid, properties } = status.polled.as_ref()?;
    let is_polled = properties.contains(property.name());
    is_polled.then(|| grid.point_after(property.collect_cycle(), Instant::now()))
}
