//! What snapshots show that only events say: the link to edgecore, and where desired values stand.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::SystemTime,
};

use crate::model::DeviceId;

use super::{DesiredPhase, Kind, What};

/// The link to edgecore at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EdgeLink {
    /// The first attempt to connect and register has not ended yet.
    #[default]
    Connecting,
    /// edgecore has registered the mapper.
    Connected,
    /// There is no connection, or edgecore refuses the registration. The mapper keeps trying.
    #[non_exhaustive]
    Disconnected {
        /// Why.
        reason: String,
    },
}

/// A desired value of a device at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DesiredStatus {
    /// The property.
    pub property: Arc<str>,
    /// The desired value, as the manifest has it.
    pub desired: String,
    /// Where it stands.
    pub phase: DesiredPhase,
    /// Why, unless the device has it.
    pub reason: Option<String>,
}

/// The latest events of the kinds that [`holds`](Self::holds) names. Kept whether somebody watches or not, for the snapshot of whoever
/// comes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latest {
    pub(crate) edge: EdgeLink,
    /// Since when the link is so; `None` while the first attempt has not ended.
    pub(crate) edge_since: Option<SystemTime>,
    /// By device and property. Only of devices that are tracked: a task that ends may still say something of a removed one.
    desired: HashMap<DeviceId, BTreeMap<Arc<str>, DesiredStatus>>,
}

impl Latest {
    /// Whether events of a kind are kept here.
    pub(crate) fn holds(kind: Kind) -> bool {
        matches!(kind, Kind::Desired | Kind::Edge)
    }

    pub(crate) fn note(&mut self, what: &What) {
        if what.kind() == Some(Kind::Edge) {
            self.edge_since = Some(SystemTime::now());
        }
        match what {
            What::EdgeConnected => self.edge = EdgeLink::Connected,
            What::EdgeDisconnected { reason } => self.edge = EdgeLink::Disconnected { reason: reason.clone() },
            What::Desired { device, property, desired, phase, reason } => {
                let Some(properties) = self.desired.get_mut(device) else { return };
                if *phase == DesiredPhase::Withdrawn {
                    properties.remove(property);
                    return;
                }
                let (desired, reason) = (desired.clone(), reason.clone());
                let status = DesiredStatus { property: Arc::clone(property), desired, phase: *phase, reason };
                properties.insert(Arc::clone(property), status);
            }
            _ => {}
        }
    }

    /// Keeps the desired values of a device from now on, and no longer those of properties that it has lost.
    pub(crate) fn track(&mut self, device: &DeviceId, properties: &[Arc<str>]) {
        self.desired.entry(device.clone()).or_default().retain(|name, _| properties.contains(name));
    }

    pub(crate) fn forget(&mut self, device: &DeviceId) {
        self.desired.remove(device);
    }

    /// The desired values of a device, by the names of their properties.
    pub(crate) fn desired(&self, device: &DeviceId) -> Vec<DesiredStatus> {
        self.desired.get(device).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }
}
