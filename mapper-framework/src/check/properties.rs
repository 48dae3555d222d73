//! What is wrong with the properties of a device.

use std::{collections::HashSet, time::Duration};

use super::{Mapper, Verdicts};
use crate::{
    manifest::{DeviceManifest, Fault, ModelManifest, nearest, schema::Property},
    model::{Doubt, IllegalValues, Resolved},
    twin::{self, legality},
};

/// Shorter cycles, in milliseconds, were probably meant as seconds.
const SHORTEST: i64 = 20;

pub(super) fn check(
    mapper: &Mapper<'_>,
    device: &DeviceManifest,
    model: Option<&ModelManifest>,
    resolved: Option<&Resolved>,
    verdicts: &mut Verdicts,
) {
    let mut seen = HashSet::new();
    for (index, property) in device.spec.properties.iter().enumerate() {
        if property.name.is_empty() {
            continue;
        }
        let fault = |field: &str, message: &str, cure: &str| {
            Fault::new(format!("spec.properties[{index}].{field}"), message, cure).of_property(&property.name)
        };
        if !seen.insert(&property.name) {
            verdicts.error(fault(
                "name",
                "stands twice, and the first one counts",
                "take one out, or name it otherwise",
            ));
        }
        if let Some(model) = model {
            check_declared(property, model, &fault, verdicts);
        }
        check_twin(mapper, property, resolved, &fault, verdicts);
        check_cycle(property.collect_cycle, fault("collectCycle", "", ""), verdicts);
        check_cycle(property.report_cycle, fault("reportCycle", "", ""), verdicts);
    }
}

fn check_declared(
    property: &Property,
    model: &ModelManifest,
    fault: &impl Fn(&str, &str, &str) -> Fault,
    verdicts: &mut Verdicts,
) {
    let names: Vec<_> = model.spec.properties.iter().map(|declared| declared.name.as_str()).collect();
    if !names.contains(&property.name.as_str()) {
        let cure = nearest(&property.name, &names)
            .map_or_else(|| "add it there, or correct the name".to_owned(), |name| format!("did you mean {name}?"));
        verdicts.error(fault("name", &format!("the device model {} has no such property", model.id), &cure));
    }
}

/// What edgecore drops without a word, and what the device's task does not write.
fn check_twin(
    mapper: &Mapper<'_>,
    property: &Property,
    resolved: Option<&Resolved>,
    fault: &impl Fn(&str, &str, &str) -> Fault,
    verdicts: &mut Verdicts,
) {
    let desired = property.desired.as_ref().map_or("", |desired| &desired.value);
    if (property.report_to_cloud || !desired.is_empty())
        && let Err(illegal) = legality::check(&property.name, "")
    {
        verdicts.error(fault("name", &illegal.message(), illegal.cure()));
    }
    if desired.is_empty() {
        return;
    }
    let declared = resolved.and_then(|resolved| resolved.device.property(&property.name));
    let rule = declared.map_or(IllegalValues::Hold, |declared| IllegalValues::of(declared, mapper.illegal));
    if let Err(illegal) = twin::illegal::written(desired, rule) {
        verdicts.error(fault(
            "desired.value",
            &illegal.message(),
            "write a value of these, set reportIllegal for a text, or give the property another type",
        ));
    }
    if let Some(Err(message)) = declared.map(|declared| twin::check(declared, desired)) {
        let cure = "correct it, take it out, or change the property in the model";
        verdicts.error(fault("desired.value", &message, cure));
    }
}

/// A cycle in milliseconds, at the place of a fault.
pub(super) fn check_cycle(millis: i64, at: Fault, verdicts: &mut Verdicts) {
    let fault = |message: String, cure: &str| Fault { message, cure: cure.to_owned(), ..at };
    if millis < 0 {
        verdicts.error(fault(format!("{millis} ms is negative"), "write 0 for the default of 1000 ms, or more"));
    } else if (1..SHORTEST).contains(&millis) {
        let cure = "write milliseconds, such as 5000 for 5 s";
        verdicts.warning(fault(format!("{millis} ms is very short"), cure));
    } else if let Some(doubt) = Doubt::of_cycle("", Duration::from_millis(millis.unsigned_abs())) {
        verdicts.warning(fault(doubt.message, &doubt.cure));
    }
}
