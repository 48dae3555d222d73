//! The devices beside the mapper are as it wants them.

use std::process::Command;

#[test]
fn its_own_devices_pass_the_strict_check() {
    let mut check = Command::new(env!("CARGO_BIN_EXE_opcua"));
    check.args(["check", "--strict", "devices"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAPPER_")) {
        check.env_remove(name);
    }
    let output = check.output().unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(printed, "1 device and 1 model in 2 files: nothing to complain about\n");
    assert!(output.status.success());
}
