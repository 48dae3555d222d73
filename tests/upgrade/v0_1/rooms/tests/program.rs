//! The program: its flags, its subcommands and its exit codes.

use std::{
    fs, io,
    process::{Command, Output},
};

/// The manifests that the mapper brings along.
const MANIFESTS: &str = include_str!("../devices/room.yaml");

fn output(arguments: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_frozen-mapper"));
    program.args(arguments.split_whitespace()).output().expect("the program can be started")
}

fn exit_code(arguments: &str) -> Option<i32> {
    output(arguments).status.code()
}

#[test]
fn every_flag_is_known() {
    let flags = "--config-file c.yaml --standalone devices --run-for 10s --protocol p --name n --edgecore-sock /run/e.sock \
                 --socket-path /run/m.sock --http-port 0 --log-format json --v=4";
    assert_eq!(exit_code(&format!("{flags} --version")), Some(0));
    assert_eq!(exit_code(&format!("{flags} --help")), Some(0));
    assert_eq!(exit_code("-v 4 --version"), Some(0));
    assert_eq!(exit_code("--no-such-flag --version"), Some(2));
}

#[test]
fn every_subcommand_is_known() {
    for arguments in
        ["check --format json --strict devices --help", "sample --help", "scaffold --instance m.yaml --help"]
    {
        assert_eq!(exit_code(arguments), Some(0), "{arguments}");
    }
    assert_eq!(exit_code("no-such-command"), Some(2));
}

#[test]
fn what_check_has_found_is_told_by_the_exit_code() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let check = |flags: &str, manifests: &str| -> io::Result<_> {
        let file = folder.path().join("room.yaml");
        fs::write(&file, manifests)?;
        Ok(exit_code(&format!("check {flags} {}", file.display())))
    };
    let seldom = MANIFESTS.replace("Cycle: 100\n", "Cycle: 60000\n").replace("Cycle: 100}", "Cycle: 60000}");
    assert_eq!(check("--strict", &seldom)?, Some(0));
    assert_eq!(check("", &seldom.replace("type: BOOLEAN", "type: NUMBER"))?, Some(1));
    let doubtful = seldom.replace("  nodeName: edge-node\n", "");
    assert_eq!(check("", &doubtful)?, Some(0));
    assert_eq!(check("--strict", &doubtful)?, Some(1));
    assert_eq!(exit_code("check /no/such/manifests"), Some(2));
    Ok(())
}

#[test]
fn sample_prints_what_the_mapper_brings_along() {
    let output = output("sample");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout)), (Some(0), MANIFESTS.into()));
}

#[test]
fn a_wrong_config_is_told_by_the_exit_code() {
    assert_eq!(exit_code("--config-file /no/such/config.yaml"), Some(2));
    assert_eq!(exit_code("--http-port many"), Some(2));
}

#[test]
fn a_run_on_its_own_devices_ends_well() {
    let devices = concat!(env!("CARGO_MANIFEST_DIR"), "/devices");
    assert_eq!(exit_code(&format!("--standalone {devices} --run-for 1s")), Some(0));
}
