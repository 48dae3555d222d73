//! All that was found: devices with their models.

use std::{collections::HashMap, time::Duration};

use super::{Place, fit::Fitted, names::Taken};
use crate::{
    manifest::write::{STATE_CYCLE, declared},
    model::Strategy,
};

/// From one read of a property to the next, where edgecore takes all the reports.
const CYCLE: Duration = Duration::from_secs(5);

/// Devices and models, each with a name of its own, in the order in which they were found.
#[derive(Default)]
pub(super) struct Fleet {
    pub(super) models: Vec<Model>,
    pub(super) devices: Vec<Instance>,
    /// The model of each set of properties, by their text.
    known: HashMap<String, String>,
    model_names: Taken,
    device_names: Taken,
}

/// A model, and how many devices came before it.
pub(super) struct Model {
    pub(super) name: String,
    /// What it says of its properties.
    pub(super) declared: String,
    pub(super) before: usize,
}

pub(super) struct Instance {
    pub(super) name: String,
    pub(super) model: String,
    pub(super) fitted: Fitted,
}

impl Fleet {
    /// Adds a device, and its model unless another device has the same properties.
    pub(super) fn add(&mut self, fitted: Fitted) {
        let declared = declared(&fitted.properties);
        let model = match self.known.get(&declared) {
            Some(model) => model.clone(),
            None => self.add_model(&fitted, declared),
        };
        let name = self.device_names.free_resource(&fitted.name);
        self.devices.push(Instance { name, model, fitted });
    }

    fn add_model(&mut self, fitted: &Fitted, declared: String) -> String {
        let name = self.model_names.free_resource(&fitted.model);
        self.known.insert(declared.clone(), name.clone());
        self.models.push(Model { name: name.clone(), declared, before: self.devices.len() });
        name
    }

    /// How often properties are read and states are reported, so that edgecore takes all of it: each device costs a call for its twins and
    /// one for its state.
    pub(super) fn cycle(&self, place: &Place<'_>) -> Cycle {
        let seconds = 2.0 * self.devices.len() as f64 / place.budget;
        // In tens of seconds, and never exactly all that there is.
        let share = Duration::from_secs(((seconds / 10.0) as u64 + 1).saturating_mul(10));
        let quiet = match place.twins.strategy {
            Strategy::Always => CYCLE,
            _ => place.twins.max_silence.unwrap_or(Duration::MAX),
        };
        let read = if quiet >= share { CYCLE } else { CYCLE.max(share) };
        Cycle { read, state: share.max(Duration::from_millis(STATE_CYCLE)) }
    }
}

/// How often something is done.
#[derive(Clone, Copy)]
pub(super) struct Cycle {
    pub(super) read: Duration,
    pub(super) state: Duration,
}
