//! What is wrong with a device as a whole.

use super::{Fleet, Mapper, Verdicts, properties::check_cycle};
use crate::manifest::{DeviceManifest, Fault, ModelManifest, Release, nearest, schema::Method};
use crate::model::{Doubt, StreamOrder};

pub(super) fn check(mapper: &Mapper<'_>, device: &DeviceManifest, fleet: &Fleet<'_>, verdicts: &mut Verdicts) {
    if device.spec.node_name.as_deref().unwrap_or_default().is_empty() {
        let message = "missing, and no edgecore gets the device";
        verdicts.warning(Fault::new("spec.nodeName", message, "write the name of the node that the mapper runs on"));
    }
    if let Some(Doubt { field, message, cure, .. }) = Doubt::of_namespace(device.id.namespace())
        && mapper.release >= Release::LOSES_NAMESPACES
        && !mapper.allows_lost_namespaces
    {
        let cure = format!("{cure}; if only sinks need the values, check with --allow-lost-namespaces");
        verdicts.error(Fault::new(field, message, cure));
    }
    check_protocol(mapper, device, verdicts);
    let model = fleet.model(&device.model());
    check_model(device, model, fleet, verdicts);
    for (index, method) in device.spec.methods.iter().enumerate() {
        check_method(method, &format!("spec.methods[{index}]"), device, model, verdicts);
    }
    for (field, report) in [("spec.stateReport", device.spec.state_report), ("status", device.status)] {
        if let Some(report) = report {
            check_cycle(report.report_cycle, Fault::new(format!("{field}.reportCycle"), "", ""), verdicts);
        }
    }
}

fn check_protocol(mapper: &Mapper<'_>, device: &DeviceManifest, verdicts: &mut Verdicts) {
    let (protocol, served) = (device.protocol(), mapper.protocol);
    if protocol != served {
        let message =
            format!("{protocol:?} is not the protocol of this mapper, which edgecore does not give the device");
        let cure = format!("write {served}, or check it with the mapper that serves it");
        verdicts.error(Fault::new("spec.protocol.protocolName", message, cure));
    }
}

/// That the model is not among the files is no fault: it may be in the cluster already.
fn check_model(device: &DeviceManifest, model: Option<&ModelManifest>, fleet: &Fleet<'_>, verdicts: &mut Verdicts) {
    const FIELD: &str = "spec.deviceModelRef.name";
    let id = device.model();
    if let Some(model) = model {
        let (theirs, ours) = (&model.spec.protocol, device.protocol());
        if !theirs.is_empty() && theirs != ours {
            let message = format!("the model {id} is of the protocol {theirs:?}, and the device of {ours:?}");
            verdicts.warning(Fault::new(FIELD, message, "name another model, or correct one of the protocols"));
        }
        return;
    }
    let mut others = fleet.models.iter().map(|(_, model)| &model.id);
    if let Some(other) = others.find(|other| other.name() == id.name()) {
        let message = format!("there is no model {id}, and a device cannot use {other}");
        return verdicts.error(Fault::new(FIELD, message, "put both into one namespace"));
    }
    let names: Vec<_> = fleet.models.iter().map(|(_, model)| model.id.name()).collect();
    let cure = nearest(id.name(), &names).map_or_else(
        || "name the file with the model, too, so that types, bounds and names are checked".to_owned(),
        |name| format!("did you mean {name}?"),
    );
    verdicts.warning(Fault::new(FIELD, format!("there is no model {id} in the files"), cure));
}

fn check_method(
    method: &Method,
    place: &str,
    device: &DeviceManifest,
    model: Option<&ModelManifest>,
    verdicts: &mut Verdicts,
) {
    if method.name.is_empty() {
        verdicts.error(Fault::new(format!("{place}.name"), "missing", "add it"));
    }
    for (index, name) in method.property_names.iter().enumerate() {
        let fault = |message: &str, cure: String| {
            Fault::new(format!("{place}.propertyNames[{index}]"), message, cure).of_property(name)
        };
        let names: Vec<_> = device.property_names().collect();
        if !names.contains(&name.as_str()) {
            let cure = nearest(name, &names)
                .map_or_else(|| "add it to the device's properties".to_owned(), |name| format!("did you mean {name}?"));
            verdicts.error(fault("the device has no such property", cure));
            continue;
        }
        let declared = model.and_then(|model| model.spec.properties.iter().find(|declared| declared.name == *name));
        let is_written = !device.records_frames(name) || !StreamOrder::is_of_files(&method.name);
        if is_written && declared.is_some_and(|declared| !declared.access_mode.eq_ignore_ascii_case("ReadWrite")) {
            let cure = "take it out, or declare it as ReadWrite in the model".to_owned();
            verdicts.error(fault("ReadOnly in its device model, so that calls are refused", cure));
        }
    }
}
