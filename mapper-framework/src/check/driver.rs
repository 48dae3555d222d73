//! What the driver's own types say of a device.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Mapper, Verdicts, cure};
use crate::{
    local_edge::manifest::{DeviceManifest, Fault},
    model::{Problem, Property, Resolved},
};

/// What a mapper finds in the joined manifests that other rules have told already.
const TOLD: [&str; 6] = ["name", "type", "accessMode", "minimum", "maximum", "properties.name"];

pub(super) fn check(mapper: &Mapper<'_>, manifest: &DeviceManifest, resolved: &Resolved, verdicts: &mut Verdicts) {
    for problem in resolved.problems.iter().filter(|problem| !TOLD.contains(&&*problem.field)) {
        verdicts.error(fault(manifest, problem));
    }
    let device = &resolved.device;
    if let Err(problem) = caught("protocol.configData", None, || mapper.driver.check_config(device)) {
        verdicts.error(fault(manifest, &problem));
    }
    for key in caught("protocol.configData", None, || Ok(mapper.driver.unread_config(device))).unwrap_or_default() {
        verdicts.warning(unread(manifest, None, &format!("protocol.configData.{key}")));
    }
    for property in device.properties() {
        check_property(mapper, manifest, property, verdicts);
    }
}

fn check_property(mapper: &Mapper<'_>, manifest: &DeviceManifest, property: &Property, verdicts: &mut Verdicts) {
    let name = Some(property.name());
    if let Err(problem) = caught("visitors.configData", name, || mapper.driver.bind(property).map(drop)) {
        verdicts.error(fault(manifest, &problem));
    }
    // A sink of the mapper's own may be what reads the others.
    if mapper.has_own_sinks {
        return;
    }
    for key in caught("visitors.configData", name, || Ok(mapper.driver.unread_visitor(property))).unwrap_or_default() {
        verdicts.warning(unread(manifest, name, &format!("visitors.configData.{key}")));
    }
}

/// Calls into the driver, which may panic as it would on a node.
fn caught<T>(field: &str, property: Option<&str>, call: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    // Nothing is shared with the call but the driver, of which nothing else is asked afterwards.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        let message = "the driver panicked while reading it: correct the driver";
        Err(match property {
            Some(name) => Problem::of_property(name, field, message),
            None => Problem::of_device(field, message),
        })
    })
}

fn unread(manifest: &DeviceManifest, property: Option<&str>, field: &str) -> Fault {
    let message = "the driver does not know this key, and ignores it";
    let fault = Fault::new(place(manifest, property, field), message, "correct its name, or take it out");
    property.map_or(fault.clone(), |name| fault.of_property(name))
}

fn fault(manifest: &DeviceManifest, problem: &Problem) -> Fault {
    let (message, cure) = cure::split(&problem.message);
    let property = problem.property.as_deref();
    Fault { property: problem.property.clone(), field: place(manifest, property, &problem.field), message, cure }
}

/// The field in the manifest of a field of a property, or of the device.
pub(super) fn place(manifest: &DeviceManifest, property: Option<&str>, field: &str) -> String {
    let index = property.and_then(|name| manifest.property_names().position(|candidate| candidate == name));
    index.map_or_else(|| format!("spec.{field}"), |index| format!("spec.properties[{index}].{field}"))
}
