//! A Device with all of a model's properties.

use std::fmt::{self, Write};

use super::{
    ScaffoldError,
    model::{Model, Point, example},
    text,
};
use crate::model::{AccessMode, DataType};

/// Milliseconds from one read, and from one push to the sinks, to the next. All properties share it, so that a device costs one of
/// the calls of which edgecore takes one a second from all mappers of its node.
const CYCLE: u32 = 5000;

/// Milliseconds from one report of the device's state to the next.
const STATE_CYCLE: u32 = 10_000;

/// The Device's manifest.
pub(super) fn manifest(model: &Model) -> Result<String, ScaffoldError> {
    if model.protocol.is_empty() {
        return Err(ScaffoldError::NoProtocol(model.id.clone()));
    }
    let mut yaml = String::new();
    write_device(&mut yaml, model).expect("a string takes all that is written");
    Ok(yaml)
}

fn write_device(yaml: &mut String, model: &Model) -> fmt::Result {
    let (id, name, protocol) = (&model.id, scalar(model.id.name()), scalar(&model.protocol));
    let (device, namespace) = (scalar(&format!("{}-1", id.name())), scalar(id.namespace()));
    write!(
        yaml,
        "# A device of the model {id}, with all of its properties.
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata:
  name: {device}
  namespace: {namespace}
spec:
  deviceModelRef:
    name: {name}
  # Change this to the node that runs the mapper. A standalone mapper ignores it.
  nodeName: edge-node
  protocol:
    protocolName: {protocol}
    # What the driver's `Config` reads goes below `configData`.
  # What the driver's `Visitor` reads goes to each property, below `visitors.configData`. A desired value is written to the device
  # at once when you take away the sign before it. With `reportDeadband: 0.5` there, a number is reported when it differs by more.
  properties:
"
    )?;
    for point in &model.points {
        write_property(yaml, point, &protocol)?;
    }
    write!(
        yaml,
        "  stateReport: # since KubeEdge v1.23; for v1.19 to v1.22 replace it by the lines below, without their #
    reportToCloud: true
    reportCycle: {STATE_CYCLE}
# status:
#   reportToCloud: true
#   reportCycle: {STATE_CYCLE}
"
    )
}

fn write_property(yaml: &mut String, Point { property, .. }: &Point, protocol: &str) -> fmt::Result {
    writeln!(yaml, "    - name: {}", scalar(property.name()))?;
    let description = text::line(property.description());
    if !description.is_empty() {
        writeln!(yaml, "      # {description}")?;
    }
    if property.access_mode() == AccessMode::ReadWrite {
        writeln!(yaml, "      # desired: {{value: {}}}", quoted(&example(property)))?;
    }
    writeln!(yaml, "      collectCycle: {CYCLE}\n      reportCycle: {CYCLE}")?;
    let is_stream = property.data_type() == DataType::Stream;
    let why = if is_stream { " # a twin has no room for a stream: push it to a sink" } else { "" };
    writeln!(yaml, "      reportToCloud: {}{why}", !is_stream)?;
    if property.access_mode() == AccessMode::ReadWrite {
        writeln!(yaml, "      visitors:\n        protocolName: {protocol}\n        configData:")?;
        writeln!(yaml, "          writePolicy: onChange # or enforce, once, never: when a desired value is written")?;
    }
    Ok(())
}

/// A string as YAML has it, with quotes where it would be something else without them.
fn scalar(text: &str) -> String {
    const OTHERS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let is_word = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        && !OTHERS.iter().any(|other| other.eq_ignore_ascii_case(text));
    if is_word { text.to_owned() } else { quoted(text) }
}

/// A string in quotes. JSON's are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
