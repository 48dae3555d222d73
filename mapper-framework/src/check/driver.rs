//! What the driver's own types say of a device.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{DEFAULT_CURE, Mapper, Verdicts};
use crate::{
    manifest::{DeviceManifest, Fault},
    model::{Device, Doubt, Problem, Property, Resolved, StreamTwin},
};

/// What a mapper finds in the joined manifests that other rules have told already.
const TOLD: [&str; 6] = ["name", "type", "accessMode", "minimum", "maximum", "properties.name"];

pub(super) fn check(mapper: &Mapper<'_>, manifest: &DeviceManifest, resolved: &Resolved, verdicts: &mut Verdicts) {
    for problem in resolved.problems.iter().filter(|problem| !TOLD.contains(&&*problem.field)) {
        verdicts.error(fault(manifest, problem));
    }
    let device = &resolved.device;
    let config = caught("protocol.configData", None, || mapper.driver.check_config(device));
    for problem in config.err().into_iter().flatten() {
        verdicts.error(fault(manifest, &problem));
    }
    for key in caught("protocol.configData", None, || Ok(mapper.driver.unread_config(device))).unwrap_or_default() {
        verdicts.warning(unread(manifest, None, &format!("protocol.configData.{key}")));
    }
    let waits = caught("protocol.configData", None, || Ok(mapper.driver.longest_wait(device))).unwrap_or_default();
    if let Some(Doubt { field, message, cure, .. }) = Doubt::of_timeout(device.config(), waits, mapper.call_timeout) {
        verdicts.warning(Fault::new(place(manifest, None, &field), message, cure));
    }
    for property in device.properties() {
        check_property(mapper, manifest, device, property, verdicts);
    }
}

fn check_property(
    mapper: &Mapper<'_>,
    manifest: &DeviceManifest,
    device: &Device,
    property: &Property,
    verdicts: &mut Verdicts,
) {
    let name = Some(property.name());
    let bound = caught("visitors.configData", name, || bind(mapper, property));
    let is_bound = bound.is_ok();
    for problem in bound.err().into_iter().flatten() {
        verdicts.error(fault(manifest, &problem));
    }
    let is_of_a_sink = |key: &String| mapper.kinds.iter().any(|kind| kind.visitor_keys().contains(&key.as_str()));
    // The driver never sees one of the stream.
    let is_drivers = StreamTwin::of(property) == Ok(None);
    let keys = || Ok(if is_drivers { mapper.driver.unread_visitor(property) } else { Vec::new() });
    let unread_keys = caught("visitors.configData", name, keys);
    for key in unread_keys.unwrap_or_default().into_iter().filter(|key| !is_of_a_sink(key)) {
        let field = format!("visitors.configData.{key}");
        let near = Doubt::of_unread(property, &key).map(|doubt| doubted(manifest, property, doubt));
        verdicts.warning(near.unwrap_or_else(|| unread(manifest, name, &field)));
    }
    for doubt in Doubt::of_writes(property).into_iter().chain(Doubt::of_recording(property)) {
        verdicts.warning(doubted(manifest, property, doubt));
    }
    if is_drivers && is_bound {
        review(mapper, manifest, device, property, verdicts);
    }
}

/// Asks the driver what it will read of a property, and what it doubts.
fn review(
    mapper: &Mapper<'_>,
    manifest: &DeviceManifest,
    device: &Device,
    property: &Property,
    verdicts: &mut Verdicts,
) {
    const FIELD: &str = "visitors.configData";
    let review = caught(FIELD, Some(property.name()), || Ok(mapper.driver.review(device, property)));
    let review = match review {
        Ok(review) => review,
        Err(problems) => return problems.iter().for_each(|problem| verdicts.error(fault(manifest, problem))),
    };
    if let Some(reads) = review.reading() {
        verdicts.reads(property.name(), place(manifest, Some(property.name()), FIELD), reads.to_owned());
    }
    for doubt in review.doubts_of(property) {
        verdicts.warning(doubted(manifest, property, doubt));
    }
}

/// Has the driver read the property, unless it is one of the device's stream.
fn bind(mapper: &Mapper<'_>, property: &Property) -> Result<(), Vec<Problem>> {
    let problem = |misfit| Problem::of_visitor(property, misfit);
    match StreamTwin::of(property).map_err(|misfits| misfits.into_iter().map(problem).collect::<Vec<_>>())? {
        Some(_) => Ok(()),
        None => mapper.driver.bind(property).map(drop),
    }
}

fn doubted(manifest: &DeviceManifest, property: &Property, doubt: Doubt) -> Fault {
    let Doubt { field, message, cure, .. } = doubt;
    Fault::new(place(manifest, Some(property.name()), &field), message, cure).of_property(property.name())
}

/// Calls into the driver, which may panic as it would on a node.
fn caught<T>(
    field: &str,
    property: Option<&str>,
    call: impl FnOnce() -> Result<T, Vec<Problem>>,
) -> Result<T, Vec<Problem>> {
    // Nothing is shared with the call but the driver, of which nothing else is asked afterwards.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        let message = "the driver panicked while reading it";
        let problem = match property {
            Some(name) => Problem::of_property(name, field, message),
            None => Problem::of_device(field, message),
        };
        Err(vec![problem.with_cure("correct the driver")])
    })
}

fn unread(manifest: &DeviceManifest, property: Option<&str>, field: &str) -> Fault {
    let message = "the driver does not know this key, and ignores it";
    let fault = Fault::new(place(manifest, property, field), message, "correct its name, or take it out");
    property.map_or(fault.clone(), |name| fault.of_property(name))
}

fn fault(manifest: &DeviceManifest, problem: &Problem) -> Fault {
    let Problem { property, field, message, cure } = problem.clone();
    let field = place(manifest, property.as_deref(), &field);
    let cure = cure.unwrap_or_else(|| DEFAULT_CURE.to_owned());
    Fault { property, field, message, cure }
}

/// The field in the manifest of a field of a property, or of the device.
pub(super) fn place(manifest: &DeviceManifest, property: Option<&str>, field: &str) -> String {
    let index = property.and_then(|name| manifest.property_names().position(|candidate| candidate == name));
    index.map_or_else(|| format!("spec.{field}"), |index| format!("spec.properties[{index}].{field}"))
}
