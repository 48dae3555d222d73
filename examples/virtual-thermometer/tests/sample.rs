//! `sample`, `scaffold` and `discover`, as a user runs them.

use std::{fs, io::Read, path::Path, process::Stdio};

use integration_tests::ChildGuard;
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_virtual-thermometer");

/// The exit code, what was printed, and what was complained of.
#[allow(clippy::unwrap_used, reason = "it is a part of tests")]
async fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(PROGRAM).args(arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_sample_runs_as_it_is() {
    let (code, sample, complaints) = run(&["sample"]).await;
    assert_eq!((code, complaints.as_str()), (Some(0), ""));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sample.yaml"), sample).unwrap();
    let mut mapper = ChildGuard::spawn(Command::new(PROGRAM).arg("--standalone").arg(folder.path()));
    mapper.wait_for_line(|line| line.starts_with("twin default/thermometer-1 temperature = ")).await;
    mapper.wait_for_line(|line| line.starts_with("twin default/thermometer-1 heater = true (desired true)")).await;
    mapper.terminate().await;
    assert_eq!(mapper.exit().await.code(), Some(0));
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    for arguments in [["sample"].as_slice(), &["scaffold", "devices/model.yaml"]] {
        // The reading end is closed before the program starts.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut program = std::process::Command::new(PROGRAM);
        program.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdout(writer).stderr(Stdio::piped());
        let mut child = program.spawn().unwrap();
        let mut complaints = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        assert_eq!((child.wait().unwrap().code(), complaints.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_driver_is_printed_or_written_to_a_file_that_is_not_there_yet() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("devices/model.yaml");
    let (model, folder) = (model.to_str().unwrap(), tempfile::tempdir().unwrap());
    let (code, printed, _) = run(&["scaffold", model]).await;
    assert!(code == Some(0) && printed.contains("impl Driver for Simulator"), "{printed}");

    let path = folder.path().join("driver.rs");
    let path = path.to_str().unwrap();
    let arguments = ["scaffold", model, "--output", path];
    assert_eq!(run(&arguments).await, (Some(0), String::new(), String::new()));
    assert_eq!(fs::read_to_string(path).unwrap(), printed);

    let exists = format!("error: {path}: exists, and is left as it is: name another file, or add --force\n");
    assert_eq!(run(&arguments).await, (Some(1), String::new(), exists));
    assert_eq!(run(&[arguments.as_slice(), &["--force"]].concat()).await.0, Some(0));
}

#[tokio::test]
async fn what_is_found_passes_a_strict_check_and_runs_as_it_is() {
    let (code, found, said) = run(&["discover", "rooms=3", "--namespace", "hotel"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("found: 3 devices, 1 model\n"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("found.yaml"), found).unwrap();
    let path = folder.path().to_str().unwrap();
    let (code, checked, _) = run(&["check", "--strict", path]).await;
    assert_eq!(code, Some(0), "{checked}");
    let mut mapper = ChildGuard::spawn(Command::new(PROGRAM).arg("--standalone").arg(path));
    for room in 1..=3 {
        mapper.wait_for_line(|line| line.starts_with(&format!("twin hotel/room-{room} temperature = "))).await;
        mapper.wait_for_line(|line| line.starts_with(&format!("twin hotel/room-{room} heater = false"))).await;
    }
}

#[tokio::test]
async fn many_devices_that_are_found_are_within_edgecore_s_budget() {
    let (_, found, _) = run(&["discover", "rooms=300"]).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("found.yaml"), found).unwrap();
    let (code, checked, _) = run(&["check", "--strict", folder.path().to_str().unwrap()]).await;
    assert_eq!(code, Some(0), "{checked}");
}

#[tokio::test]
async fn a_search_with_a_wrong_argument_names_it() {
    let (code, found, said) = run(&["discover", "rooms=many"]).await;
    assert_eq!((code, found.as_str()), (Some(1), ""));
    let expected = "error: discover: the argument rooms: found \"many\", expected a whole number from 0 to 65535\n";
    assert!(said.ends_with(expected), "{said}");
    let expected = "error: discover: there is no argument `room`: this mapper takes `rooms`, see `discover --help`\n";
    assert_eq!(run(&["discover", "room=3"]).await, (Some(2), String::new(), expected.to_owned()));
}

#[tokio::test]
async fn the_help_of_a_search_lists_the_driver_s_arguments() {
    let (code, help, _) = run(&["discover", "--help"]).await;
    let list = "Arguments of this mapper, each as KEY=VALUE:\n  rooms  How many rooms are looked into [default: 1]\n";
    assert!(code == Some(0) && help.ends_with(list), "{help}");
}
