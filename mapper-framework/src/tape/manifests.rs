//! The devices of a recording, to be served again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Tape, entry::Event};
use crate::{
    manifest::{self, Resource, write},
    model::{Device, Resolved, StateReport},
};

/// No property is read more often than this.
const SHORTEST: Duration = Duration::from_millis(20);

impl Tape {
    /// The manifests of all devices as they were first, with cycles that are `speed` times as short.
    pub(crate) fn manifests(&self, speed: f64) -> String {
        let mut first = BTreeMap::new();
        for entry in &self.entries {
            if let Event::Connect { manifests: Some(manifests), .. } = &entry.event {
                first.entry(entry.device.as_str()).or_insert(manifests.as_str());
            }
        }
        let paced: Vec<_> = first.into_values().map(|yaml| paced(yaml, speed)).collect();
        paced.join("---\n")
    }
}

/// One device and its model. What cannot be read stays as it is, and the edge says what is wrong with it.
fn paced(yaml: &str, speed: f64) -> String {
    let resources = manifest::parse(yaml, None).map(|parsed| parsed.resources).unwrap_or_default();
    match resources.as_slice() {
        [Resource::Model(model), Resource::Device(device)] => {
            let joined = device.received(model).zip(model.received());
            let joined = joined.map(|(device, model)| Device::resolve(&device, &model));
            joined.map_or_else(|| yaml.to_owned(), |Resolved { device, .. }| write::whole(&faster(device, speed)))
        }
        _ => yaml.to_owned(),
    }
}

fn faster(mut device: Device, speed: f64) -> Device {
    let shorter = |cycle: Duration| {
        Duration::try_from_secs_f64(cycle.as_secs_f64() / speed).unwrap_or(Duration::MAX).max(SHORTEST.min(cycle))
    };
    for property in &mut device.properties {
        let (collect, report) = (shorter(property.collect_cycle()), shorter(property.report_cycle()));
        *property = Arc::new(property.in_cycles(collect, report));
    }
    device.state_report = device.state_report.map(|report| StateReport { cycle: shorter(report.cycle) });
    device
}
