//! The devices beside the mapper are as it wants them.

use std::{fs, path::Path, process::Command};

use crate::bed::{DOME, configured, manifests};

/// What the strict check prints, and whether all is well.
fn check(path: &Path) -> (String, bool) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_ip-camera"));
    check.args(["check", "--strict"]).arg(path).current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAPPER_")) {
        check.env_remove(name);
    }
    let output = check.output().unwrap();
    (String::from_utf8([output.stdout, output.stderr].concat()).unwrap(), output.status.success())
}

#[test]
fn its_own_devices_pass_the_strict_check() {
    let (printed, passes) = check(Path::new("devices"));
    assert_eq!(printed, "2 devices and 1 model in 3 files: nothing to complain about\n");
    assert!(passes);
}

#[test]
fn a_timeout_whose_answers_outlast_the_call_is_doubted_once() {
    let folder = tempfile::tempdir().unwrap();
    let (dome, gate) = ("onvif: http://192.0.2.7/onvif", "url: rtsp://192.0.2.7/stream1");
    for (config, waits) in [
        (format!("{dome}, timeout: 2000"), None),
        (format!("{dome}, timeout: 2500"), Some("12.5s")),
        (format!("{gate}, timeout: 3333"), None),
        (format!("{gate}, timeout: 4000"), Some("12s")),
        ("url: http://192.0.2.7/snapshot.jpg, timeout: 9000".to_owned(), None),
        (format!("{dome}, {gate}, timeout: 2500"), Some("12.5s")),
    ] {
        fs::write(folder.path().join("devices.yaml"), manifests(&[configured(DOME, &config)])).unwrap();
        let (printed, passes) = check(folder.path());
        let doubt = |waits| {
            format!(
                "waits for up to {waits}, with all requests and repetitions, which is longer than driver.call_timeout (10s)"
            )
        };
        let doubts = waits.map_or(0, |waits| printed.matches(&doubt(waits)).count());
        assert_eq!((doubts, passes), (usize::from(waits.is_some()), waits.is_none()), "{config}: {printed}");
    }
}
