//! The devices beside the mapper are as it wants them.

use std::{fs, path::Path, process::Command};

#[test]
fn its_own_devices_pass_the_strict_check() {
    let (printed, passes) = check(Path::new("devices"));
    assert_eq!(printed, "1 device and 1 model in 2 files: nothing to complain about\n");
    assert!(passes);
}

#[test]
fn a_timeout_that_outlasts_the_call_until_a_session_is_there_is_doubted_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.yaml"), include_str!("../../devices/model.yaml")).unwrap();
    let instance = include_str!("../../devices/instance.yaml");
    let doubt = "spec.protocol.configData.timeout: connecting or another call waits for up to 12s, with all requests and repetitions, which is \
                 longer than driver.call_timeout (10s)";
    for (timeout, doubts) in [(4000, 1), (3333, 0)] {
        let url = "url: opc.tcp://127.0.0.1:4840\n";
        let instance = instance.replace(url, &format!("{url}      timeout: {timeout}\n"));
        fs::write(folder.path().join("instance.yaml"), instance).unwrap();
        let (printed, passes) = check(folder.path());
        assert_eq!((printed.matches(doubt).count(), passes), (doubts, doubts == 0), "{timeout}: {printed}");
    }
}

/// What `check --strict` prints, and whether it has nothing to complain about.
fn check(folder: &Path) -> (String, bool) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_opcua"));
    check.args(["check", "--strict"]).arg(folder).current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAPPER_")) {
        check.env_remove(name);
    }
    let output = check.output().unwrap();
    (String::from_utf8([output.stdout, output.stderr].concat()).unwrap(), output.status.success())
}
