//! The devices beside the mapper are as it wants them.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

use std::{fs, process::Command};

const ALL_WELL: &str = "2 devices and 1 model in 2 files: nothing to complain about\n";

#[test]
fn its_own_devices_pass_the_strict_check() {
    assert_eq!(check(&["devices"]), (ALL_WELL.to_owned(), true));
    assert_eq!(check(&["serial"]), (ALL_WELL.to_owned(), true));
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
    assert_eq!(check(&[devices, "--config-file", file.to_str().unwrap()]), (ALL_WELL.to_owned(), true));
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
