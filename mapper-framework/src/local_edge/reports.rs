//! What becomes of the twins and states that mappers report.

use super::{DropReason, StoredTwin, core::Core, event::EdgeEvent, twin::judge};
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

/// The device of a report, or why it cannot be stored.
pub(super) type Device = Result<DeviceId, DropReason>;

/// A twin as it has arrived, by DMI or over the event bus. A side that is `None` stays as it is stored.
#[derive(Debug)]
pub(super) struct Report {
    property: String,
    observed_desired: Option<TwinProperty>,
    reported: Option<TwinProperty>,
}

impl Report {
    /// A twin that came by DMI, where both sides have to be set.
    fn of_proto(twin: &Twin) -> Result<Self, Unset> {
        let unset = |field| Unset { property: twin.property_name.clone(), field };
        let observed_desired = twin.observed_desired.clone().ok_or_else(|| unset("observedDesired"))?;
        let reported = twin.reported.clone().ok_or_else(|| unset("reported"))?;
        Ok(Self::new(&twin.property_name, Some(observed_desired), Some(reported)))
    }

    pub(super) fn new(property: &str, observed_desired: Option<TwinProperty>, reported: Option<TwinProperty>) -> Self {
        Self { property: property.to_owned(), observed_desired, reported }
    }

    /// Why edgecore would not store the twin, whatever its device.
    pub(super) fn judge(&self) -> Result<(), DropReason> {
        judge(&self.property, self.observed_desired.as_ref(), self.reported.as_ref())
    }
}

/// Stores what edgecore would store of a DMI report, twin by twin. That the rest is dropped, only the events, the counts and
/// the event bus say.
pub(super) fn store_twins(core: &Core, namespace: &str, name: &str, twins: &[Twin]) -> Result<(), Unset> {
    let reports: Vec<Report> = twins.iter().map(Report::of_proto).collect::<Result<_, _>>()?;
    let device = known(core, namespace, name);
    let as_named = format!("{namespace}/{name}");
    for report in reports {
        store_or_drop(core, &device, &as_named, report);
    }
    if let Ok(device) = device {
        repeat(core, device);
    }
    Ok(())
}

/// Has the device sent once more, where edgecore does so after each report.
pub(super) fn repeat(core: &Core, device: DeviceId) {
    if core.quirks.updates_after_reports {
        // Full: the update of an earlier report is still to come, and holds this report too.
        drop(core.repeats.try_send(device));
    }
}

/// The device, if edgecore knows it and finds its namespace again. It does not take an empty namespace for `default`.
pub(super) fn known(core: &Core, namespace: &str, name: &str) -> Device {
    let device = (!namespace.is_empty()).then(|| DeviceId::new(namespace, name)).ok_or(DropReason::UnknownDevice)?;
    if !core.read(|state| state.knows(&device)) {
        return Err(DropReason::UnknownDevice);
    }
    if Doubt::of_namespace(namespace).is_some() {
        return Err(DropReason::LostNamespace);
    }
    Ok(device)
}

fn store_or_drop(core: &Core, device: &Device, as_named: &str, report: Report) {
    let verdict = device.as_ref().map_err(Clone::clone).and_then(|device| report.judge().map(|()| device));
    match verdict {
        Ok(device) => {
            let (property, twin) = store(core, device, report);
            core.answer_twin(as_named, &property, Ok(&twin));
        }
        Err(reason) => {
            drop_twin(core, as_named, &report, &reason);
            core.answer_twin(as_named, &report.property, Err(&reason));
        }
    }
}

/// Stores a twin, be the property in the device's manifest or not, as edgecore does. Returns the property and the twin.
pub(super) fn store(core: &Core, device: &DeviceId, report: Report) -> (String, StoredTwin) {
    let Report { property, observed_desired, reported } = report;
    let twin = core.change(|state| {
        state.counts.stored_twins += 1;
        let twins = state.twins.entry(device.clone()).or_default();
        let twin = StoredTwin::next(twins.get(&property), observed_desired.as_ref(), reported.as_ref());
        twins.insert(property.clone(), twin.clone());
        twin
    });
    core.emit(EdgeEvent::TwinStored { device: device.clone(), property: property.clone(), twin: twin.clone() });
    (property, twin)
}

/// Counts and reports a twin that is not stored.
pub(super) fn drop_twin(core: &Core, device: &str, report: &Report, reason: &DropReason) {
    core.change(|state| state.counts.dropped_twins += 1);
    core.emit(EdgeEvent::TwinDropped {
        device: device.to_owned(),
        property: report.property.clone(),
        value: report.reported.as_ref().map(|reported| reported.value.clone()).unwrap_or_default(),
        reason: reason.clone(),
    });
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
            core.answer_state(&device, &state);
            core.emit(EdgeEvent::StateStored { device, state });
        }
        Err(reason) => {
            core.change(|edge| edge.counts.dropped_states += 1);
            core.emit(EdgeEvent::StateDropped { device: format!("{namespace}/{name}"), state, reason });
        }
    }
}
