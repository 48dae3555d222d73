//! What is wrong with a model.

use std::collections::HashSet;

use super::Verdicts;
use crate::{
    manifest::{Fault, ModelManifest, schema::ModelProperty},
    model::{BadBound, Bounds, DataType},
};

pub(super) fn check(model: &ModelManifest, verdicts: &mut Verdicts) {
    let mut seen = HashSet::new();
    for (index, property) in model.spec.properties.iter().enumerate() {
        let fault = |field: &str, message: &str, cure: &str| {
            Fault::new(format!("spec.properties[{index}].{field}"), message, cure).of_property(&property.name)
        };
        if !property.name.is_empty() && !seen.insert(&property.name) {
            verdicts.error(fault(
                "name",
                "stands twice, and the first one counts",
                "take one out, or name it otherwise",
            ));
        }
        if property.data_type.is_empty() {
            let cure = "write one of INT, FLOAT, DOUBLE, STRING, BOOLEAN, BYTES and STREAM";
            verdicts.error(fault("type", "missing, and the mapper leaves the property out", cure));
        }
        if property.access_mode.is_empty() {
            verdicts.warning(fault("accessMode", "missing, and taken for ReadOnly", "write ReadOnly or ReadWrite"));
        }
        check_bounds(property, &fault, verdicts);
    }
}

/// Both bounds, as far as the type is known.
fn check_bounds(property: &ModelProperty, fault: &impl Fn(&str, &str, &str) -> Fault, verdicts: &mut Verdicts) {
    let Ok(data_type) = property.data_type.parse::<DataType>() else { return };
    let bounds = [("minimum", &property.minimum), ("maximum", &property.maximum)];
    if !data_type.is_numeric() {
        for (field, _) in bounds.iter().filter(|(_, text)| !text.is_empty()) {
            verdicts.warning(fault(field, &format!("means nothing for the type {data_type}"), "take it out"));
        }
    }
    // Each by itself, so that one that is wrong does not hide the other; then both.
    let each = [(property.minimum.as_str(), ""), ("", property.maximum.as_str())];
    let wrong: Vec<BadBound> =
        each.iter().filter_map(|(low, high)| Bounds::parse(low, high, data_type).err()).collect();
    let both = Bounds::parse(&property.minimum, &property.maximum, data_type).err().filter(|_| wrong.is_empty());
    for BadBound { field, message, cure } in wrong.into_iter().chain(both) {
        verdicts.error(fault(field, &message, cure));
    }
}
