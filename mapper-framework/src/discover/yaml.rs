//! The text of the manifests.

use std::fmt::{self, Write};

use serde_json::Value;

use super::{
    Place,
    fleet::{Cycle, Fleet, Instance, Model},
    millis,
};
use crate::{
    manifest::write::{line, quoted, scalar, state_report},
    model::{AccessMode, ConfigData, DataType, Property},
};

/// All documents, each model before the first device that needs it.
pub(super) fn documents(fleet: &Fleet, place: &Place<'_>, cycle: Cycle) -> String {
    let mut documents = Vec::new();
    let mut models = fleet.models.iter().peekable();
    for (index, device) in fleet.devices.iter().enumerate() {
        while let Some(new) = models.next_if(|it| it.before <= index) {
            documents.push(written(|yaml| model(yaml, new, place)));
        }
        documents.push(written(|yaml| instance(yaml, device, place, cycle)));
    }
    documents.join("---\n")
}

/// What a model says of its properties.
pub(super) fn model_properties(properties: &[Property]) -> String {
    written(|yaml| properties.iter().try_for_each(|property| declared(yaml, property)))
}

fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut yaml = String::new();
    write(&mut yaml).expect("a string takes all that is written");
    yaml
}

fn model(yaml: &mut String, model: &Model, place: &Place<'_>) -> fmt::Result {
    head(yaml, "DeviceModel", &model.name, place)?;
    writeln!(yaml, "  protocol: {}", scalar(place.protocol))?;
    list(yaml, "properties", &model_properties(&model.properties))
}

fn head(yaml: &mut String, kind: &str, name: &str, place: &Place<'_>) -> fmt::Result {
    writeln!(yaml, "apiVersion: devices.kubeedge.io/v1beta1\nkind: {kind}\nmetadata:\n  name: {}", scalar(name))?;
    writeln!(yaml, "  namespace: {}\nspec:", scalar(place.namespace))
}

fn list(yaml: &mut String, key: &str, items: &str) -> fmt::Result {
    if items.is_empty() { writeln!(yaml, "  {key}: []") } else { write!(yaml, "  {key}:\n{items}") }
}

fn declared(yaml: &mut String, property: &Property) -> fmt::Result {
    writeln!(yaml, "    - name: {}", scalar(property.name()))?;
    let mut text = |key: &str, text: &str| match text {
        "" => Ok(()),
        text => writeln!(yaml, "      {key}: {}", quoted(text)),
    };
    text("description", &line(property.description()))?;
    text("minimum", &property.minimum().map(ToString::to_string).unwrap_or_default())?;
    text("maximum", &property.maximum().map(ToString::to_string).unwrap_or_default())?;
    text("unit", &line(property.unit()))?;
    let access = match property.access_mode() {
        AccessMode::ReadOnly => "ReadOnly",
        AccessMode::ReadWrite => "ReadWrite",
    };
    writeln!(yaml, "      type: {}\n      accessMode: {access}", property.data_type())
}

fn instance(yaml: &mut String, device: &Instance, place: &Place<'_>, cycle: Cycle) -> fmt::Result {
    let Instance { name, model, fitted } = device;
    let description = line(&fitted.description);
    if !description.is_empty() {
        writeln!(yaml, "# {description}")?;
    }
    head(yaml, "Device", name, place)?;
    writeln!(yaml, "  deviceModelRef:\n    name: {}", scalar(model))?;
    writeln!(yaml, "  # The node that runs the mapper. A standalone mapper ignores it.")?;
    writeln!(yaml, "  nodeName: {}", scalar(place.node))?;
    let protocol = scalar(place.protocol);
    writeln!(yaml, "  protocol:\n    protocolName: {protocol}")?;
    data(yaml, 4, &fitted.config)?;
    let properties = &fitted.properties;
    list(yaml, "properties", &written(|yaml| properties.iter().try_for_each(|it| used(yaml, it, &protocol, cycle))))?;
    if !fitted.methods.is_empty() {
        writeln!(yaml, "  methods: # since KubeEdge v1.19")?;
    }
    for method in &fitted.methods {
        writeln!(yaml, "    - name: {}", scalar(&method.name))?;
        writeln!(yaml, "      description: {}", quoted(&line(&method.description)))?;
        let names: Vec<_> = method.property_names.iter().map(|name| quoted(name)).collect();
        writeln!(yaml, "      propertyNames: [{}]", names.join(", "))?;
    }
    yaml.push_str(&state_report(millis(cycle.state)));
    Ok(())
}

fn used(yaml: &mut String, property: &Property, protocol: &str, cycle: Cycle) -> fmt::Result {
    let cycle = millis(cycle.read);
    writeln!(yaml, "    - name: {}", scalar(property.name()))?;
    writeln!(yaml, "      collectCycle: {cycle}\n      reportCycle: {cycle}")?;
    let is_stream = property.data_type() == DataType::Stream;
    let why = if is_stream { " # a twin has no room for a stream: push it to a sink" } else { "" };
    writeln!(yaml, "      reportToCloud: {}{why}", !is_stream)?;
    if property.visitor().is_empty() {
        return Ok(());
    }
    writeln!(yaml, "      visitors:\n        protocolName: {protocol}")?;
    data(yaml, 8, property.visitor())
}

/// `configData`, indented by so many spaces.
fn data(yaml: &mut String, indent: usize, data: &ConfigData) -> fmt::Result {
    if data.is_empty() {
        return Ok(());
    }
    writeln!(yaml, "{:indent$}configData:", "")?;
    data.iter().try_for_each(|(key, value)| {
        let value = match value {
            Value::String(text) => scalar(text),
            other => other.to_string(),
        };
        writeln!(yaml, "{:indent$}  {}: {value}", "", scalar(key))
    })
}
