//! A Device with all of a model's properties.

use std::fmt::{self, Write};

use super::{
    ScaffoldError,
    model::{Model, Point, example},
};
use crate::{
    manifest::write::{STATE_CYCLE, line, quoted, scalar, state_report},
    model::{AccessMode, DataType},
};

/// Milliseconds from one read, and from one push to the sinks, to the next. All properties share it, so that a device costs one of
/// the calls of which edgecore takes one a second from all mappers of its node.
const CYCLE: u32 = 5000;

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
    yaml.push_str(&state_report(STATE_CYCLE));
    Ok(())
}

fn write_property(yaml: &mut String, Point { property, .. }: &Point, protocol: &str) -> fmt::Result {
    writeln!(yaml, "    - name: {}", scalar(property.name()))?;
    let description = line(property.description());
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
