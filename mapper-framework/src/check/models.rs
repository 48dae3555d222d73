//! What is wrong with a model.

use std::collections::HashSet;

use super::Verdicts;
use crate::{
    local_edge::manifest::{Fault, ModelManifest, schema::ModelProperty},
    model::{DataType, Value},
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
    let mut bound = |field: &str, text: &str| {
        if text.is_empty() {
            return None;
        }
        if !data_type.is_numeric() {
            verdicts.warning(fault(field, &format!("means nothing for the type {data_type}"), "take it out"));
            return None;
        }
        let number = Value::parse(text, DataType::Double).ok().and_then(|value| value.as_f64());
        if number.is_none() {
            verdicts.error(fault(
                field,
                &format!("{text:?} is no number"),
                "write digits, such as \"-40\" or \"12.5\"",
            ));
        }
        number
    };
    let (minimum, maximum) = (bound("minimum", &property.minimum), bound("maximum", &property.maximum));
    if let (Some(minimum), Some(maximum)) = (minimum, maximum)
        && minimum > maximum
    {
        let message = format!("{minimum} is greater than the maximum, {maximum}");
        verdicts.error(fault("minimum", &message, "exchange them, or correct one"));
    }
}
