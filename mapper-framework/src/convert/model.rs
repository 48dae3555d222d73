//! Models of devices.

use serde_json::Value;

use super::{Fields, Library, Notes, Resource, assembled, metadata};
use crate::manifest::{Fault, yaml::Yaml};

/// The types of v1alpha2, and of v1beta1.
const TYPES: [(&str, &str); 6] = [
    ("int", "INT"),
    ("float", "FLOAT"),
    ("double", "DOUBLE"),
    ("string", "STRING"),
    ("boolean", "BOOLEAN"),
    ("bytes", "BYTES"),
];

pub(super) fn convert(resource: &Resource<'_>, library: &Library<'_>, notes: &mut Notes) -> Yaml {
    let mut model = resource.fields(notes);
    let metadata = metadata(&mut model, notes);
    let mut spec = model.section("spec", notes);
    let protocol = protocol(&mut spec, resource, library, notes);
    let visitors = spec.take("propertyVisitors");
    if visitors.is_some() && !library.is_referred_to(resource) {
        let message =
            "left out, and no device in these files refers to the model: each device has its own visitors since v1.15";
        notes.add(Fault::new("spec.propertyVisitors", message, "convert the model and its devices in one call"));
    }
    let properties: Vec<_> = spec.list("properties", notes).into_iter().map(|it| property(it, notes)).collect();
    spec.leave(notes);
    model.leave(notes);
    let spec = Yaml::map([("protocol", protocol), ("properties", Some(Yaml::List(properties)))]);
    assembled("DeviceModel", metadata, spec)
}

/// The protocol, which v1alpha1 and v1alpha2 do not have in a model: that of its devices.
fn protocol(spec: &mut Fields, resource: &Resource<'_>, library: &Library<'_>, notes: &mut Notes) -> Option<Yaml> {
    let written = spec.text("protocol");
    let devices = library.protocols_of(resource);
    let found = devices.first().copied().unwrap_or_default();
    if devices.len() > 1 {
        let message = format!("the model's devices speak {}, and it is given {found}", devices.join(", "));
        notes.add(Fault::new("spec", message, "make a model for each protocol"));
    }
    Yaml::text(&written).or_else(|| Yaml::text(found))
}

fn property(mut old: Fields, notes: &mut Notes) -> Yaml {
    let (name, description) = (old.text("name"), old.text("description"));
    let place = old.path("type");
    let mut types = old.section("type", notes);
    let found = TYPES.iter().find_map(|(key, name)| Some((*key, *name, types.take(key)?)));
    let (key, data_type, rules) = found.unwrap_or_default();
    if data_type.is_empty() {
        notes.add(Fault::new(
            &place,
            "names no type that is known",
            "write one of int, float, double, string, boolean, bytes",
        ));
    }
    let mut rules = Fields::of(&types.path(key), (!key.is_empty()).then_some(rules), notes);
    let mut access = rules.text("accessMode");
    if access.is_empty() {
        access = "ReadOnly".to_owned();
        notes.add(Fault::new(
            rules.path("accessMode"),
            "missing, and ReadOnly is written",
            "write ReadWrite if it may be written",
        ));
    }
    let new = Yaml::map([
        ("name", Yaml::text(&name)),
        ("description", Yaml::text(&description)),
        ("type", Yaml::text(data_type)),
        ("accessMode", Yaml::text(&access)),
        ("minimum", bound(&mut rules, "minimum")),
        ("maximum", bound(&mut rules, "maximum")),
        ("unit", Yaml::text(&rules.text("unit"))),
    ]);
    if let Some(value) = rules.take("defaultValue") {
        let why = "a model of v1beta1 has no default values";
        notes.left_out(
            &rules.path("defaultValue"),
            &value,
            why,
            "write it to desired.value of the device if it is to be written",
        );
    }
    rules.leave(notes);
    types.leave(notes);
    old.leave(notes);
    new
}

/// A bound, which is text in v1beta1.
fn bound(rules: &mut Fields, key: &str) -> Option<Yaml> {
    let text = rules.text(key);
    (!text.is_empty()).then_some(Yaml::Scalar(Value::String(text)))
}
