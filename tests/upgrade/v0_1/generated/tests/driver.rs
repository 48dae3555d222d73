//! What this mapper has to do: the framework's suite for drivers on the devices in `devices/`, and
//! the program itself.

#[path = "../src/driver.rs"]
mod driver;

use std::process::Command;

use mapper_framework::testing::driver_contract;

/// Runs the program in the project's folder, and gives what it printed. It must end well.
fn mapper(arguments: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_generated"));
    let output = program.args(arguments).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8(printed).unwrap();
    assert!(output.status.success(), "{}: {printed}", output.status);
    printed
}

// REAL: this needs the devices, or what stands in for them, such as a server that you start here.
#[tokio::test]
async fn the_driver_keeps_the_contract() {
    driver_contract::check(driver::Simulator, "devices").await;
}

#[test]
fn a_standalone_run_shows_twins_and_ends_without_an_error() {
    let printed = mapper(&["--standalone", "devices", "--run-for", "5s"]);
    assert!(printed.contains("\ntwin default/"), "{printed}");
}

#[test]
fn nothing_is_wrong_with_the_manifests() {
    mapper(&["check", "--strict", "devices"]);
}
