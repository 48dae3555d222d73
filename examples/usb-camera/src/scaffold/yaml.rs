//! The manifests' text.

use std::fmt::{self, Write};

use super::Camera;
use crate::{
    control::twin_text,
    v4l2::{Control, ControlKind, Range},
};

/// The longest name of a model, so that that of its device has room behind it.
const LONGEST_NAME: usize = 50;

/// What the mapper shows of each camera besides its settings: name, description, type, and the keys of the visitor.
pub(super) const ALWAYS: [(&str, &str, &str, &str); 5] = [
    ("state", "Whether frames come", "STRING", "stream: state"),
    ("format", "The format and size that the camera has granted", "STRING", "stream: format"),
    ("framesPerSecond", "How many frames come", "DOUBLE", "stream: framesPerSecond"),
    ("clip", "Where the last recorded file is", "STRING", "stream: file\n          recordMode: onDemand"),
    ("BusInfo", "Where the camera is attached", "STRING", "control: BusInfo"),
];

/// What can be done with a camera: name and description.
pub(super) const METHODS: [(&str, &str); 4] = [
    ("start", "Starts the stream"),
    ("stop", "Stops the stream until it is started again"),
    ("snapshot", "Keeps the next picture"),
    ("record", "Records a video of ten seconds"),
];

/// The DeviceModel.
pub(super) fn model(camera: &Camera) -> String {
    written(|yaml| {
        let name = slug(&camera.identity.card);
        write!(
            yaml,
            "# What the camera {} offers, as its driver {} says.
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata:
  name: {name}
  namespace: default
spec:
  protocol: usb-camera
  properties:
",
            line(&camera.identity.card),
            line(&camera.identity.driver)
        )?;
        for (name, description, data_type, _) in ALWAYS {
            property(yaml, name, description, data_type, "ReadOnly")?;
        }
        property(
            yaml,
            "Framerate",
            "How many frames are asked for; it shows how many are granted",
            "DOUBLE",
            "ReadWrite",
        )?;
        for (name, control) in &camera.controls {
            let access = if control.writable { "ReadWrite" } else { "ReadOnly" };
            property(yaml, name, &description(control), data_type(control), access)?;
            if let (ControlKind::Integer, Some(Range { minimum, maximum, .. })) = (control.kind, control.range) {
                writeln!(yaml, "      minimum: \"{minimum}\"\n      maximum: \"{maximum}\"")?;
            }
        }
        Ok(())
    })
}

/// The Device.
pub(super) fn device(camera: &Camera) -> String {
    written(|yaml| {
        let name = slug(&camera.identity.card);
        let Camera { device, format, size: (width, height), rate, .. } = camera;
        write!(
            yaml,
            "apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata:
  name: {name}-1
  namespace: default
spec:
  deviceModelRef:
    name: {name}
  # Change this to the node that runs the mapper. A standalone mapper ignores it.
  nodeName: edge-node
  protocol:
    protocolName: usb-camera
    configData:
      source: v4l2
      device: {}
      format: {format}
      width: {width}
      height: {height}
      frameRate: {rate}
  properties:
",
            quoted(&device.to_string_lossy())
        )?;
        for (name, _, _, keys) in ALWAYS {
            visited(yaml, name, keys)?;
        }
        visited(yaml, "Framerate", "control: Framerate")?;
        for (name, control) in &camera.controls {
            let once = if control.kind == ControlKind::Button { "\n          writePolicy: once" } else { "" };
            visited(yaml, name, &format!("control: {}{once}", quoted(name)))?;
        }
        writeln!(yaml, "  methods: # since KubeEdge v1.19")?;
        for (name, description) in METHODS {
            writeln!(yaml, "    - name: {name}\n      description: {description}\n      propertyNames: []")?;
        }
        write!(
            yaml,
            "  stateReport: # since KubeEdge v1.23; for v1.19 to v1.22 replace it by the lines below, without their #
    reportToCloud: true
    reportCycle: 10000
# status:
#   reportToCloud: true
#   reportCycle: 10000
"
        )
    })
}

fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut yaml = String::new();
    write(&mut yaml).expect("a string takes all that is written");
    yaml
}

fn property(yaml: &mut String, name: &str, description: &str, data_type: &str, access: &str) -> fmt::Result {
    let (name, description) = (quoted(name), quoted(description));
    writeln!(yaml, "    - name: {name}\n      description: {description}")?;
    writeln!(yaml, "      type: {data_type}\n      accessMode: {access}")
}

fn visited(yaml: &mut String, name: &str, keys: &str) -> fmt::Result {
    writeln!(yaml, "    - name: {}\n      collectCycle: 5000\n      reportCycle: 5000", quoted(name))?;
    writeln!(yaml, "      reportToCloud: true\n      visitors:\n        protocolName: usb-camera")?;
    writeln!(yaml, "        configData:\n          {keys}")
}

pub(super) fn data_type(control: &Control) -> &'static str {
    match control.kind {
        ControlKind::Boolean | ControlKind::Button => "BOOLEAN",
        ControlKind::Menu => "STRING",
        ControlKind::Integer | ControlKind::IntegerMenu | ControlKind::Bitmask => "INT",
    }
}

pub(super) fn description(control: &Control) -> String {
    let name = line(&control.name);
    let entry = |number: i32| control.menu.iter().find(|(it, _)| *it == number).map(|(_, name)| name.clone());
    let Some(Range { step, default, .. }) = control.range else { return name };
    let default = entry(default).unwrap_or_else(|| default.to_string());
    match control.kind {
        ControlKind::Menu => {
            let entries: Vec<_> = control.menu.iter().map(|(_, name)| twin_text(name)).collect();
            format!("{name}: one of {}; at first {}", entries.join(", "), twin_text(&default))
        }
        ControlKind::Integer if step > 1 => format!("{name}, in steps of {step}; at first {default}"),
        ControlKind::Button => format!("{name}: happens when it is written"),
        _ => format!("{name}; at first {default}"),
    }
}

/// A text that stays in its line.
fn line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect::<String>().trim().to_owned()
}

/// A name as Kubernetes takes it.
fn slug(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined: String = words.collect::<Vec<_>>().join("-").chars().take(LONGEST_NAME).collect();
    let name = joined.trim_matches('-');
    // A name begins with a letter, as names of devices in topics do.
    if name.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        name.to_owned()
    } else {
        format!("camera-{name}").trim_end_matches('-').to_owned()
    }
}

/// A string in quotes. JSON's are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_kubernetes_takes() {
        assert_eq!(slug("HD Pro Webcam C920"), "hd-pro-webcam-c920");
        assert_eq!(slug("2K: \u{e9}Cam!"), "camera-2k-cam");
        assert_eq!(slug(" \u{6444} "), "camera");
        assert!(slug(&"long ".repeat(30)).len() <= LONGEST_NAME && !slug(&"long ".repeat(30)).ends_with('-'));
    }
}
