//! Manifests from a camera, on a fake.

use std::{fs, path::Path, process::Command};

use mapper_framework::{Discovery, Driver};
use usb_camera::{UsbCamera, scaffold::manifests};

use crate::{
    bed::{on, twin},
    fake::{FakeCamera, FakeMachine},
};

#[tokio::test]
async fn manifests_from_a_camera_pass_the_strict_check_and_serve_it() {
    let (machine, camera) = (FakeMachine::new(), FakeCamera::new("A1"));
    machine.plug(&camera, 3);
    let yaml = manifests(&machine.machine(), Path::new("/dev/video3")).unwrap();
    for line in [
        "      device: \"/dev/v4l/by-id/usb-Fake_A1-video-index0\"",
        "      width: 640",
        "      frameRate: 30",
        "    - name: \"Brightness\"",
        "          control: \"Brightness\"",
        "    - name: \"WhiteBalanceTemperature\"",
        "      minimum: \"2800\"",
        "      maximum: \"6500\"",
        "      description: \"Power Line Frequency: one of Disabled, 50_Hz, 60_Hz; at first 50_Hz\"",
        "          writePolicy: once",
        "          stream: file",
        "          recordMode: onDemand",
        "    - name: snapshot",
        "    - name: record",
    ] {
        assert!(yaml.lines().any(|it| it == line), "{line}\nis not in\n{yaml}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("camera.yaml"), &yaml).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_usb-camera"));
    let output = check.args(["check", "--strict"]).arg(folder.path()).output().unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{printed}\n{yaml}");
    let (bed, _) = on(&machine).await;
    bed.edge().apply(&yaml).await.unwrap();
    twin(&bed, "fake-cam-a1-1", "state", "streaming").await;
    twin(&bed, "fake-cam-a1-1", "PowerLineFrequency", "50_Hz").await;
    twin(&bed, "fake-cam-a1-1", "ZoomAbsolute", "100").await;
    bed.handle().write(&crate::bed::id("fake-cam-a1-1"), "PanReset", "true").await.unwrap();
    assert_eq!(camera.value("Pan, Reset"), 1);
    bed.stop().await.unwrap();
}

#[tokio::test]
async fn a_search_finds_each_camera_with_what_a_scaffold_has() {
    let (machine, cameras) = (FakeMachine::new(), [FakeCamera::new("A1"), FakeCamera::new("B2")]);
    machine.plug(&cameras[0], 3);
    machine.plug(&cameras[1], 10);
    let discovery = Discovery::new::<&str, &str>([]);
    UsbCamera::on(machine.machine()).discover(&discovery).await.unwrap();
    let found = discovery.found();
    let devices: Vec<_> = found.iter().map(|it| it.get_config()["device"].as_str().unwrap()).collect();
    assert_eq!(devices, ["/dev/v4l/by-id/usb-Fake_A1-video-index0", "/dev/v4l/by-id/usb-Fake_B2-video-index0"]);
    let scaffold = manifests(&machine.machine(), Path::new("/dev/video3")).unwrap();
    for property in found[0].properties() {
        assert!(scaffold.contains(&format!("    - name: \"{}\"\n", property.name())), "{}", property.name());
    }
    assert!(found[0].faults().is_empty() && found[0].methods().len() == 4);
}

#[tokio::test]
async fn a_camera_at_which_the_search_panics_hides_no_other() {
    let (machine, cameras) = (FakeMachine::new(), [FakeCamera::new("A1"), FakeCamera::new("B2")]);
    machine.plug(&cameras[0], 0);
    machine.plug(&cameras[1], 2);
    cameras[0].panics();
    let discovery = Discovery::new::<&str, &str>([]);
    UsbCamera::on(machine.machine()).discover(&discovery).await.unwrap();
    let found = discovery.found();
    let devices: Vec<_> = found.iter().map(|it| it.get_config()["device"].as_str().unwrap()).collect();
    assert_eq!(devices, ["/dev/v4l/by-id/usb-Fake_B2-video-index0"]);
}

#[test]
fn a_file_that_is_no_camera_is_an_error_of_the_program_with_its_name() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_usb-camera"));
    let output = program.args(["scaffold", "--from-device", "/nowhere/video0"]).output().unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.starts_with("error: /nowhere/video0: ") && output.stdout.is_empty(), "{printed}");
}
