//! The devices beside the mapper are as it wants them.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

use std::{fs, process::Command};

const ALL_WELL: &str = "2 devices and 1 model in 2 files: nothing to complain about\n";

#[test]
fn its_own_devices_pass_the_strict_check() {
    for (folder, reads) in [
        ("devices", "property \"setpoint\": reads holding register 0 of unit 2, int16, × 0.1\n"),
        ("serial", "property \"energy\": reads input registers 72..73 of unit 1, float32 ABCD\n"),
    ] {
        let (printed, passes) = check(&[folder]);
        assert!(passes && printed.ends_with(ALL_WELL) && printed.contains(reads), "{printed}");
    }
}

#[test]
fn manifests_of_the_go_mapper_are_taken_as_they_are() {
    let (printed, passes) = check(&["tests/go-mapper.yaml"]);
    for reads in [
        "property \"temperature\": reads holding register 0 of unit 1, uint16, × 0.1",
        "property \"temperature-switch\": reads coil 0 of unit 1",
        "property \"energy\": reads input registers 2..3 of unit 2, uint32 DCBA",
        "property \"pressure\": reads input registers 1..2 of unit 2, float32 ABCD",
        "property \"alarms\": reads discrete inputs 0..7 of unit 2, one number, × 1",
    ] {
        assert!(printed.lines().any(|line| line.ends_with(reads)), "{reads}: {printed}");
    }
    let doubts: Vec<_> = printed.lines().filter(|line| !line.contains(": note: ")).collect();
    let place = "spec.properties[0].visitors.configData";
    let expected = [
        format!("{place}.min: a value below 1 is read as any other, while the mapper in Go put a warning beside it"),
        format!("{place}.max: a value above 100 is read as any other, while the mapper in Go put a warning beside it"),
        format!(
            "{place}: a value is written as it is read, while the Go mapper wrote an integer neither scaled nor swapped"
        ),
    ];
    for doubt in &expected {
        assert!(doubts.iter().any(|line| line.contains(doubt)), "{doubt}: {printed}");
    }
    assert!(!passes && doubts.len() == expected.len() + 1, "{printed}");
}

#[test]
fn older_manifests_are_taken_after_convert() {
    for (name, reads) in [
        ("modbus-tcp", "input registers 10..11 of unit 3, float32 CDAB"),
        ("modbus-rtu", "holding registers 2..3 of unit 17, uint32 CDAB, × 0.1, cut to an integer"),
    ] {
        let old = format!("../../mapper-framework/tests/convert/{name}.old.yaml");
        let new = tempfile::NamedTempFile::new().unwrap();
        let convert = Command::new(env!("CARGO_BIN_EXE_modbus")).args(["convert", &old]).output().unwrap();
        fs::write(new.path(), convert.stdout).unwrap();
        let (printed, passes) = check(&[new.path().to_str().unwrap()]);
        assert!(passes && printed.contains(reads), "{printed}");
    }
}

#[test]
fn a_timeout_that_outlasts_the_call_with_all_retries_is_doubted_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.yaml"), include_str!("../serial/model.yaml")).unwrap();
    let instance = include_str!("../serial/instance.yaml");
    let doubt = "spec.protocol.configData.timeout: connecting or another call waits for up to 12s, with all requests and repetitions, which is longer than driver.call_timeout (10s)";
    // On a line, a request is repeated once by default.
    for (keys, doubts) in [("timeout: 6000", 2), ("timeout: 5000", 0), ("timeout: 6000\n      retries: 0", 0)] {
        let instance = instance.replace("timeout: 500", keys);
        fs::write(folder.path().join("instance.yaml"), instance).unwrap();
        let (printed, passes) = check(&[folder.path().to_str().unwrap()]);
        assert_eq!((printed.matches(doubt).count(), passes), (doubts, doubts == 0), "{keys}: {printed}");
    }
}

#[test]
fn the_old_name_of_the_protocol_goes_on_working() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("model.yaml", include_str!("../devices/model.yaml")),
        ("instance.yaml", include_str!("../devices/instance.yaml")),
    ] {
        let old = text.replace("protocol: modbus", "protocol: modbus-tcp");
        let old = old.replace("protocolName: modbus", "protocolName: modbus-tcp");
        fs::write(folder.path().join(name), old).unwrap();
    }
    let config = include_str!("../config.yaml").replace("protocol: modbus", "protocol: modbus-tcp");
    let file = folder.path().join("config");
    fs::write(&file, config).unwrap();
    let devices = folder.path().to_str().unwrap();
    let (printed, passes) = check(&[devices, "--config-file", file.to_str().unwrap()]);
    assert!(passes && printed.ends_with(ALL_WELL), "{printed}");
    let (printed, passes) = check(&[devices]);
    assert!(!passes && printed.contains(r#""modbus-tcp" is not the protocol of this mapper"#), "{printed}");
}

/// What `check --strict` prints, and whether all is well.
fn check(arguments: &[&str]) -> (String, bool) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_modbus"));
    check.args(["check", "--strict"]).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAPPER_")) {
        check.env_remove(name);
    }
    let output = check.output().unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (printed, output.status.success())
}
