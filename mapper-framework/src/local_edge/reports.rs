//! What becomes of the twins and states that mappers report.

use super::{DropReason, StoredTwin, core::Core, event::EdgeEvent, state::EdgeState, twin::judge};
use crate::{
    dmi::generated::{Twin, TwinProperty},
    model::{DeviceId, Doubt},
};

/// The states that edgecore stores, in any case.
const STATES: [&str; 5] = ["ok", "online", "offline", "unhealthy", "unknown"];

/// A twin without a field that edgecore dereferences.
#[derive(Debug)]
pub(super) struct Unset {
    pub(super) property: String,
    pub(super) field: &'static str,
}

/// A twin with both of its sides.
struct Report<'a> {
    property: &'a str,
    observed_desired: &'a TwinProperty,
    reported: &'a TwinProperty,
}

/// Stores what edgecore would store. That the rest is dropped, only the events and the counts tell.
pub(super) fn store_twins(core: &Core, namespace: &str, name: &str, twins: &[Twin]) -> Result<(), Unset> {
    let reports: Vec<Report<'_>> = twins.iter().map(complete).collect::<Result<_, _>>()?;
    let device = known(core, namespace, name);
    for report in &reports {
        store_twin(core, &device, &format!("{namespace}/{name}"), report);
    }
    if let Ok(device) = device
        && core.quirks.updates_after_reports
    {
        // Full: the update of an earlier report is still to come, and holds this report too.
        drop(core.repeats.try_send(device));
    }
    Ok(())
}

fn complete(twin: &Twin) -> Result<Report<'_>, Unset> {
    let unset = |field| Unset { property: twin.property_name.clone(), field };
    Ok(Report {
        property: &twin.property_name,
        observed_desired: twin.observed_desired.as_ref().ok_or_else(|| unset("observedDesired"))?,
        reported: twin.reported.as_ref().ok_or_else(|| unset("reported"))?,
    })
}

/// The device, if edgecore knows it and finds its namespace again. It does not take an empty namespace for `default`.
fn known(core: &Core, namespace: &str, name: &str) -> Result<DeviceId, DropReason> {
    let device = (!namespace.is_empty()).then(|| DeviceId::new(namespace, name)).ok_or(DropReason::UnknownDevice)?;
    if !core.read(|state| state.knows(&device)) {
        return Err(DropReason::UnknownDevice);
    }
    if Doubt::of_namespace(namespace).is_some() {
        return Err(DropReason::LostNamespace);
    }
    Ok(device)
}

fn store_twin(core: &Core, device: &Result<DeviceId, DropReason>, as_named: &str, report: &Report<'_>) {
    let verdict = device
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|device| judge(report.property, report.observed_desired, report.reported).map(|()| device));
    match verdict {
        Ok(device) => {
            let twin = core.change(|state| keep_twin(state, device, report));
            core.emit(EdgeEvent::TwinStored { device: device.clone(), property: report.property.to_owned(), twin });
        }
        Err(reason) => {
            core.change(|state| state.counts.dropped_twins += 1);
            core.emit(EdgeEvent::TwinDropped {
                device: as_named.to_owned(),
                property: report.property.to_owned(),
                value: report.reported.value.clone(),
                reason,
            });
        }
    }
}

/// Stores a twin, be the property in the device's manifest or not, as edgecore does.
fn keep_twin(state: &mut EdgeState, device: &DeviceId, report: &Report<'_>) -> StoredTwin {
    state.counts.stored_twins += 1;
    let twins = state.twins.entry(device.clone()).or_default();
    let twin = StoredTwin::next(twins.get(report.property), report.observed_desired, report.reported);
    twins.insert(report.property.to_owned(), twin.clone());
    twin
}

/// Stores a device's state, or drops it silently.
pub(super) fn store_state(core: &Core, namespace: &str, name: &str, state: &str) {
    let state = state.to_lowercase();
    let verdict = match known(core, namespace, name) {
        Ok(_) if !STATES.contains(&state.as_str()) => Err(DropReason::UnknownState),
        verdict => verdict,
    };
    match verdict {
        Ok(device) => {
            core.change(|edge| {
                edge.counts.stored_states += 1;
                edge.states.insert(device.clone(), state.clone());
            });
            core.emit(EdgeEvent::StateStored { device, state });
        }
        Err(reason) => {
            core.change(|edge| edge.counts.dropped_states += 1);
            core.emit(EdgeEvent::StateDropped { device: format!("{namespace}/{name}"), state, reason });
        }
    }
}
