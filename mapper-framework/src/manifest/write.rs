//! Text of manifests, for what prints some.

use std::fmt::{self, Write};

use serde_json::Value;

use crate::model::{AccessMode, ConfigData, DataType, Device, ModelId, Property};

/// The node of a manifest that is for no particular one.
pub(crate) const NODE: &str = "edge-node";

/// A device and its model, for a run that needs no node.
/// The model has the device's name, since it has no more properties than the device.
pub(crate) fn whole(device: &Device) -> String {
    let model = ModelId::new(device.id().namespace(), device.id().name());
    let device = Device { model: model.clone(), ..device.clone() };
    let model = self::model(&model, device.protocol(), &declared(device.properties()));
    format!("{model}---\n{}", self::device(&device, NODE, ""))
}

/// A DeviceModel with these properties.
pub(crate) fn model(id: &ModelId, protocol: &str, declared: &str) -> String {
    let head = head("DeviceModel", id.namespace(), id.name());
    format!("{head}  protocol: {}\n{}", scalar(protocol), list("properties", declared))
}

/// What a model says of properties.
pub(crate) fn declared<'a>(properties: impl IntoIterator<Item = &'a Property>) -> String {
    written(|yaml| properties.into_iter().try_for_each(|property| declare(yaml, property)))
}

/// A Device, below a sentence about it. Its pushes are left out.
pub(crate) fn device(device: &Device, node: &str, description: &str) -> String {
    written(|yaml| write_device(yaml, device, node, description))
}

fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut yaml = String::new();
    write(&mut yaml).expect("a string takes all that is written");
    yaml
}

fn head(kind: &str, namespace: &str, name: &str) -> String {
    let (namespace, name) = (scalar(namespace), scalar(name));
    format!(
        "apiVersion: devices.kubeedge.io/v1beta1\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n"
    )
}

fn list(key: &str, items: &str) -> String {
    if items.is_empty() { format!("  {key}: []\n") } else { format!("  {key}:\n{items}") }
}

fn declare(yaml: &mut String, property: &Property) -> fmt::Result {
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

fn write_device(yaml: &mut String, device: &Device, node: &str, description: &str) -> fmt::Result {
    let description = line(description);
    if !description.is_empty() {
        writeln!(yaml, "# {description}")?;
    }
    yaml.push_str(&head("Device", device.id().namespace(), device.id().name()));
    writeln!(yaml, "  deviceModelRef:\n    name: {}", scalar(device.model().name()))?;
    writeln!(yaml, "  # The node that runs the mapper. A standalone mapper ignores it.")?;
    writeln!(yaml, "  nodeName: {}", scalar(node))?;
    let protocol = scalar(device.protocol());
    writeln!(yaml, "  protocol:\n    protocolName: {protocol}")?;
    write_data(yaml, 4, device.config())?;
    let properties = written(|yaml| device.properties().try_for_each(|it| write_property(yaml, it, &protocol)));
    yaml.push_str(&list("properties", &properties));
    if !device.methods().is_empty() {
        writeln!(yaml, "  methods: # since KubeEdge v1.19")?;
    }
    for method in device.methods() {
        writeln!(yaml, "    - name: {}", scalar(&method.name))?;
        writeln!(yaml, "      description: {}", quoted(&line(&method.description)))?;
        let names: Vec<_> = method.property_names.iter().map(|name| quoted(name)).collect();
        writeln!(yaml, "      propertyNames: [{}]", names.join(", "))?;
    }
    if let Some(report) = device.state_report() {
        yaml.push_str(&state_report(millis(report.cycle)));
    }
    Ok(())
}

fn write_property(yaml: &mut String, property: &Property, protocol: &str) -> fmt::Result {
    writeln!(yaml, "    - name: {}", scalar(property.name()))?;
    if let Some(desired) = property.desired() {
        writeln!(yaml, "      desired:\n        value: {}", quoted(desired))?;
    }
    writeln!(yaml, "      collectCycle: {}", millis(property.collect_cycle()))?;
    writeln!(yaml, "      reportCycle: {}", millis(property.report_cycle()))?;
    let is_stream = property.data_type() == DataType::Stream;
    let why = if is_stream { " # a twin has no room for a stream: push it to a sink" } else { "" };
    writeln!(yaml, "      reportToCloud: {}{why}", property.report_to_cloud())?;
    if property.visitor().is_empty() {
        return Ok(());
    }
    writeln!(yaml, "      visitors:\n        protocolName: {protocol}")?;
    write_data(yaml, 8, property.visitor())
}

/// `configData`, indented by so many spaces.
fn write_data(yaml: &mut String, indent: usize, data: &ConfigData) -> fmt::Result {
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

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds from one report of a device's state to the next.
pub(crate) const STATE_CYCLE: u64 = 10_000;

/// The report of a device's state each so many milliseconds, for all releases of KubeEdge.
pub(crate) fn state_report(cycle: u64) -> String {
    format!(
        "  stateReport: # since KubeEdge v1.23; for v1.19 to v1.22 replace it by the lines below, without their #
    reportToCloud: true
    reportCycle: {cycle}
# status:
#   reportToCloud: true
#   reportCycle: {cycle}
"
    )
}

/// A string as YAML has it, with quotes where it would be something else without them.
pub(crate) fn scalar(text: &str) -> String {
    const OTHERS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let is_word = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && !OTHERS.iter().any(|other| other.eq_ignore_ascii_case(text));
    if is_word { text.to_owned() } else { quoted(text) }
}

/// A string in quotes. JSON's are YAML's, but for what YAML does not take as it is.
pub(crate) fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let is_odd = |character: char| {
        matches!(character, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    let written = |character: char| match character {
        odd if is_odd(odd) => format!("\\u{:04x}", u32::from(odd)),
        other => other.to_string(),
    };
    if json.contains(is_odd) { json.chars().map(written).collect() } else { json }
}

/// Text in one line, with signs that nobody sees spelt out.
pub(crate) fn line(text: &str) -> String {
    let spelt = |character: char| match character {
        '\'' | '"' | '\\' => character.to_string(),
        _ => character.escape_debug().to_string(),
    };
    text.split_whitespace().map(|word| word.chars().map(spelt).collect()).collect::<Vec<String>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_stays_one() {
        assert_eq!(scalar("low-water"), "low-water");
        for text in ["on", "Null", "0x1F", "12:30", "", "a: b", "é", "\u{85}\u{7f}\u{feff}\t\"", "- x"] {
            let written = scalar(text);
            let read: String = serde_saphyr::from_str(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
            assert_eq!((read.as_str(), written.starts_with('"')), (text, true));
        }
    }

    #[test]
    fn a_line_stays_one() {
        assert_eq!(line(" two\n\tlines\r\nand \u{202e}a\u{7} bell \\ "), r"two lines and \u{202e}a\u{7} bell \");
    }
}
