//! What has last become of each twin on its way to edgecore.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::SystemTime,
};

use crate::model::DeviceId;

use super::{Kind, What};

/// The twins of one device, by the names of their properties.
pub(crate) type Traces = HashMap<Arc<str>, Trace>;

/// What has last become of one twin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    /// When a call carried it last.
    pub(crate) reported: Option<SystemTime>,
    /// The last value that edgecore has accepted, and when.
    pub(crate) stored: Option<(String, SystemTime)>,
    /// Why its last value was held back, and when.
    pub(crate) held_back: Option<(String, SystemTime)>,
}

/// Twins of all devices that are tracked: a task that ends may still say something of a removed one.
#[derive(Debug, Default)]
pub(crate) struct TwinTraces(HashMap<DeviceId, Traces>);

impl TwinTraces {
    /// Whether events of a kind leave a trace.
    pub(crate) fn follows(kind: Kind) -> bool {
        kind == Kind::Twin
    }

    pub(crate) fn note(&mut self, what: &What) {
        let (Some(device), Some(property)) = (what.device(), what.property()) else { return };
        let Some(traces) = self.0.get_mut(device) else { return };
        let now = SystemTime::now();
        let mut change = |change: &dyn Fn(&mut Trace)| match traces.get_mut(property) {
            Some(trace) => change(trace),
            None => change(traces.entry(property.into()).or_default()),
        };
        match what {
            What::TwinReported { .. } => change(&|trace| trace.reported = Some(now)),
            What::TwinStored { value, .. } => change(&|trace| {
                trace.stored = Some((value.clone(), now));
                // One that was held back after this report went out is still held back.
                let is_older = |at: SystemTime| trace.reported.is_some_and(|reported| at <= reported);
                trace.held_back.take_if(|(_, at)| is_older(*at));
            }),
            What::TwinHeldBack { reason, .. } => change(&|trace| trace.held_back = Some((reason.clone(), now))),
            _ => {}
        }
    }

    /// Follows the twins of a device from now on, and no longer those of properties that it has lost.
    pub(crate) fn track(&mut self, device: &DeviceId, properties: &[Arc<str>]) {
        let kept: HashSet<_> = properties.iter().collect();
        self.0.entry(device.clone()).or_default().retain(|name, _| kept.contains(name));
    }

    pub(crate) fn forget(&mut self, device: &DeviceId) {
        self.0.remove(device);
    }

    pub(crate) fn of(&self, device: &DeviceId) -> Traces {
        self.0.get(device).cloned().unwrap_or_default()
    }
}
