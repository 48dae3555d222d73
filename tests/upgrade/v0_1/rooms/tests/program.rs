//! The program: its flags, its subcommands and its exit codes.

use std::process::Command;

fn exit_code(arguments: &str) -> Option<i32> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_frozen-mapper"));
    program.args(arguments.split_whitespace()).output().expect("the program can be started").status.code()
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
    for arguments in ["check --format json --strict devices --help", "sample --help", "scaffold --instance m.yaml --help"]
    {
        assert_eq!(exit_code(arguments), Some(0), "{arguments}");
    }
    assert_eq!(exit_code("no-such-command"), Some(2));
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
