//! A model and a device from a camera: `usb-camera scaffold --from-device /dev/video0` for one of them, with comments to edit, and
//! `usb-camera discover` for all that are there.

mod found;
mod yaml;

use std::{
    ffi::OsString,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
};

use mapper_framework::{Discovery, DriverError};

use crate::{
    choice::{self, rate},
    control,
    fourcc::FourCc,
    machine::Machine,
    v4l2::{Control, Identity, Node},
};

/// The size and rate that are asked for, of what the camera offers the nearest.
const SIZE: (u32, u32) = (1280, 720);
const RATE: f64 = 30.0;

/// What is known of a camera.
struct Camera {
    identity: Identity,
    /// As a device names it.
    device: PathBuf,
    format: FourCc,
    size: (u32, u32),
    rate: f64,
    /// With the names of their properties.
    controls: Vec<(String, Control)>,
}

/// The camera that a command line asks for; none if it asks for something else, which is the framework's to answer.
///
/// # Errors
///
/// The command line is wrong.
pub fn asked_for(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<PathBuf>, String> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next().is_none_or(|command| command != "scaffold") {
        return Ok(None);
    }
    let rest: Vec<OsString> = arguments.collect();
    let usage = "write `scaffold --from-device /dev/video0`";
    match rest.as_slice() {
        [flag] if flag.to_str().is_some_and(|flag| flag.starts_with("--from-device=/")) => {
            Ok(flag.to_str().and_then(|flag| flag.split_once('=')).map(|(_, path)| path.into()))
        }
        [flag, path] if flag == "--from-device" => Ok(Some(path.into())),
        rest if rest.iter().any(|argument| argument.to_string_lossy().starts_with("--from-device")) => {
            Err(format!("--from-device takes a camera's file, and nothing beside it: {usage}"))
        }
        _ => Ok(None),
    }
}

/// Prints the manifests of a camera.
pub fn run(machine: &Machine, device: &Path) -> ExitCode {
    let printed = manifests(machine, device).map_err(|error| format!("{}: {error}", device.display()));
    let printed = printed
        .and_then(|yaml| io::stdout().write_all(yaml.as_bytes()).map_err(|error| format!("cannot print: {error}")));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The manifests of a camera: a DeviceModel and a Device.
///
/// # Errors
///
/// The camera cannot be opened, or has no format that this mapper takes.
pub fn manifests(machine: &Machine, device: &Path) -> Result<String, DriverError> {
    let camera = camera_at(machine, device)?;
    Ok(yaml::model(&camera) + "---\n" + &yaml::device(&camera))
}

/// Finds all cameras of the machine. A file that is no camera, or belongs to one that has another file, is passed over. Blocks.
pub(crate) fn search(machine: &Machine, discovery: &Discovery) {
    for file in machine.files() {
        discovery.progress(file.display());
        // What one camera answers must not hide the others. All that is looked at is this camera's own.
        let looked = catch_unwind(AssertUnwindSafe(|| camera_at(machine, &file)));
        match looked {
            Ok(Ok(camera)) => discovery.add(found::found(&camera)),
            Ok(Err(error)) => tracing::debug!(file = %file.display(), %error, "no camera is there"),
            Err(_) => tracing::warn!(file = %file.display(), "a camera is left out, since looking at it panicked"),
        }
    }
}

fn camera_at(machine: &Machine, file: &Path) -> Result<Camera, DriverError> {
    let place = machine.file(file)?;
    let mut node = machine.kernel().open(&place)?;
    let device = machine.link_to(&place).unwrap_or_else(|| file.to_owned());
    look_at(&mut *node, device)
}

fn look_at(node: &mut dyn Node, device: PathBuf) -> Result<Camera, DriverError> {
    let identity = node.identity()?;
    let offered = node.formats()?;
    let format = choice::format(&offered, FourCc::Mjpg).ok_or_else(|| {
        DriverError::refused(format_args!(
            "it offers {}, and this mapper takes MJPG, JPEG, YUYV and NV12",
            offered.join(", ")
        ))
    })?;
    let size = node.sizes(format).ok().and_then(|sizes| choice::size(&sizes, SIZE)).unwrap_or(SIZE);
    let intervals = node.intervals(format, size).ok();
    let rate = intervals.and_then(|intervals| choice::interval_of(&intervals, RATE)).map_or(RATE, rate);
    let mut controls: Vec<(String, Control)> = Vec::new();
    for control in node.controls()? {
        let name = control::name(&control);
        // Of two that are called alike, only the first one can be named.
        if !name.is_empty() && controls.iter().all(|(known, _)| !known.eq_ignore_ascii_case(&name)) {
            controls.push((name, control));
        }
    }
    Ok(Camera { identity, device, format, size, rate, controls })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_scaffold_from_a_device_is_taken_from_the_framework() {
        let asked = |line: &str| asked_for(line.split(' ').map(OsString::from));
        let path = Ok(Some(PathBuf::from("/dev/video0")));
        assert_eq!(asked("usb-camera scaffold --from-device /dev/video0"), path);
        assert_eq!(asked("usb-camera scaffold --from-device=/dev/video0"), path);
        for other in
            ["usb-camera", "usb-camera check a", "usb-camera scaffold model.yaml --instance", "usb-camera scaffold"]
        {
            assert_eq!(asked(other), Ok(None), "{other}");
        }
        for wrong in ["usb-camera scaffold --from-device", "usb-camera scaffold m.yaml --from-device /dev/video0"] {
            assert!(
                asked(wrong).is_err_and(|error| error.contains("write `scaffold --from-device /dev/video0`")),
                "{wrong}"
            );
        }
    }
}
