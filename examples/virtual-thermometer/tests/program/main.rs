//! The program as a user runs it, by the README's first command.
//!
//! These tests lie in the program's own package, since cargo builds the program for them and gives them its path. A test of
//! another package would have to guess, and might run what an earlier build has left.

mod recording;

use std::{fs, io, path::Path, process::Stdio, time::Instant};

use integration_tests::ChildGuard;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command};

const DEVICES: &str = "examples/virtual-thermometer/devices";

const PROGRAM: &str = env!("CARGO_BIN_EXE_virtual-thermometer");

/// Starts the program in the workspace's root, with an environment that says nothing to it.
fn start(arguments: &[&str]) -> ChildGuard {
    spawn(Command::new(PROGRAM).args(arguments))
}

/// Starts a command in the workspace's root, with an environment that says nothing to the program.
fn spawn(command: &mut Command) -> ChildGuard {
    for (name, _) in std::env::vars_os() {
        if name == "RUST_LOG" || name.to_string_lossy().starts_with("MAPPER_") {
            command.env_remove(name);
        }
    }
    ChildGuard::spawn(command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")))
}

/// The exit code of a program that ends by itself, and what it printed.
async fn outcome(arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = start(arguments);
    let code = program.exit().await.code();
    (code, program.lines().join("\n"))
}

/// A copy of the devices, to be changed.
fn copy_of_devices() -> io::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    for file in ["model.yaml", "instance.yaml"] {
        let devices = Path::new(env!("CARGO_MANIFEST_DIR")).join("devices");
        fs::copy(devices.join(file), folder.path().join(file))?;
    }
    Ok(folder)
}

#[tokio::test]
async fn the_readme_s_command_shows_twins_and_stops_in_good_order_at_sigterm() {
    let readme = include_str!("../../../../README.md");
    let command = readme.lines().find(|line| line.starts_with("cargo run -p virtual-thermometer -- ")).unwrap();
    let arguments = command.split_once(" -- ").unwrap().1;
    let mut program = start(&arguments.split(' ').collect::<Vec<_>>());
    let twin = program.wait_for_line(|line| line.starts_with("twin default/thermometer-1 temperature = ")).await;
    let temperature: f64 = twin.split(' ').nth(4).unwrap().parse().unwrap();
    assert!((20.0..=26.0).contains(&temperature), "{twin}");
    program.wait_for_line(|line| line.starts_with("twin default/thermometer-1 heater = true (desired true)")).await;
    program.wait_for_line(|line| line.starts_with("state default/thermometer-1 = online")).await;
    program.terminate().await;
    program.wait_for_line(|line| line.starts_with("state default/thermometer-1 = offline")).await;
    program.wait_for_line(|line| line.starts_with("edge stopped")).await;
    assert_eq!(program.exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_run_may_end_by_itself() {
    let begin = Instant::now();
    let (code, printed) = outcome(&["--standalone", DEVICES, "--run-for", "1s"]).await;
    assert!(begin.elapsed().as_secs() >= 1, "{printed}");
    assert_eq!(code, Some(0), "{printed}");
}

#[tokio::test]
async fn the_config_file_beside_it_is_taken_without_a_warning() {
    let config = "examples/virtual-thermometer/config.yaml";
    let (code, printed) = outcome(&["--config-file", config, "--standalone", DEVICES, "--run-for", "5s"]).await;
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("twin default/thermometer-1 temperature = "), "{printed}");
    assert!(!printed.contains("WARN"), "{printed}");
}

#[tokio::test]
async fn a_method_is_called_from_the_command_line_once_its_device_is_connected() {
    let call = |call: &'static str| ["--standalone", DEVICES, "--run-for", "5s", "--call", call];
    let (code, printed) = outcome(&call("default/thermometer-1 switch heater=false")).await;
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("called default/thermometer-1 switch"), "{printed}");
    for (wrong, expected) in [
        ("default/thermometer-1 swich heater=false", "has no method \"swich\""),
        ("default/thermometer-1 switch temperature=1", "cannot be called on property \"temperature\""),
        ("default/thermometer-9 switch heater=false", "1 of the calls failed or could not be made"),
    ] {
        let (code, printed) = outcome(&call(wrong)).await;
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains(expected), "{printed}");
    }
}

#[tokio::test]
async fn a_run_may_name_files_and_follows_them() {
    let folder = copy_of_devices().unwrap();
    let [model, instance] = ["model.yaml", "instance.yaml"].map(|name| folder.path().join(name));
    let mut program = start(&["--standalone", model.to_str().unwrap(), instance.to_str().unwrap()]);
    program.wait_for_line(|line| line.starts_with("twin default/thermometer-1 heater = true (desired true)")).await;
    let text = fs::read_to_string(&instance).unwrap();
    fs::write(&instance, text.replace(r#"value: "true""#, r#"value: "false""#)).unwrap();
    program.wait_for_line(|line| line.starts_with("twin default/thermometer-1 heater = false (desired false)")).await;
}

#[tokio::test]
async fn a_desired_value_that_is_edited_reaches_the_device() {
    let folder = copy_of_devices().unwrap();
    let mut program = start(&["--standalone", folder.path().to_str().unwrap()]);
    program.wait_for_line(|line| line.starts_with("twin default/thermometer-1 heater = true (desired true)")).await;
    let file = folder.path().join("instance.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(r#"value: "true""#, r#"value: "false""#)).unwrap();
    program.wait_for_line(|line| line.starts_with("twin default/thermometer-1 heater = false (desired false)")).await;
}

#[tokio::test]
async fn the_push_methods_that_are_commented_out_can_be_taken_as_they_are() {
    let folder = copy_of_devices().unwrap();
    let file = folder.path().join("instance.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let (before, after) = text.split_once("      # pushMethod:").unwrap();
    let (commented, after) = after.split_once("    - name: heater").unwrap();
    let taken = commented.replace("\n      # ", "\n      ");
    fs::write(&file, format!("{before}      pushMethod:{taken}    - name: heater{after}")).unwrap();
    let mut program = start(&["--standalone", folder.path().to_str().unwrap()]);
    for kind in ["http", "influxdb2", "mqtt", "mysql", "otel", "redis", "tdengine"] {
        // Nobody listens there.
        program.wait_for_line(|line| line.contains(" WARN ") && line.contains(&format!("sink={kind} "))).await;
    }
    program.wait_for_line(|line| line.starts_with("twin default/thermometer-1 temperature")).await;
    program.terminate().await;
    assert_eq!(program.exit().await.code(), Some(0));
    assert!(!program.lines().iter().any(|line| line.contains("left out")), "{:?}", program.lines());
}

#[tokio::test]
async fn a_broken_manifest_is_named_with_its_line_and_the_rest_goes_on() {
    let folder = copy_of_devices().unwrap();
    let mut program = start(&["--standalone", folder.path().to_str().unwrap()]);
    program.wait_for_line(|line| line.starts_with("twin default/thermometer-1 temperature")).await;
    fs::write(folder.path().join("broken.yaml"), "kind: Device\nmetadata: {name: x\nspec:\n").unwrap();
    let refusal = program.wait_for_line(|line| line.starts_with("refused manifest: ")).await;
    assert!(refusal.contains("/broken.yaml, not valid YAML: ") && refusal.contains("line 3"), "{refusal}");
    program.forget_lines();
    program.wait_for_line(|line| line.starts_with("twin default/thermometer-1 temperature")).await;
}

#[tokio::test]
async fn version_and_help_tell_what_the_program_is() {
    let (code, version) = outcome(&["--version"]).await;
    let expected = concat!("virtual-thermometer ", env!("CARGO_PKG_VERSION"), " (mapper-framework ");
    assert!(code == Some(0) && version.starts_with(expected), "{version}");
    let (code, help) = outcome(&["--help"]).await;
    assert!(code == Some(0) && help.starts_with(env!("CARGO_PKG_DESCRIPTION")), "{help}");
    assert!(help.contains("--standalone <PATH>..."), "{help}");
}

#[tokio::test]
async fn what_the_program_cannot_use_ends_it_with_an_exit_code_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    fs::write(&config, "report:\n  burst: many\n").unwrap();
    for (arguments, code, reason) in [
        (["--stand-alone", DEVICES], 2, "unexpected argument '--stand-alone'"),
        (
            ["--config-file", config.to_str().unwrap()],
            2,
            r#"config.yaml:2:10: `report.burst`: found "many", expected a whole number from 0 to "#,
        ),
        (["--http-port", "many"], 2, "flag --http-port: `common.http_port`: "),
        (["--standalone", "no/such/folder"], 1, "error: --standalone: no/such/folder: No such file or directory"),
    ] {
        let (ended, printed) = outcome(&arguments).await;
        assert_eq!(ended, Some(code), "{printed}");
        assert!(printed.contains(reason), "{printed}");
    }
}

#[tokio::test]
async fn its_own_devices_pass_the_strict_check() {
    let (code, printed) = outcome(&["check", "--strict", DEVICES]).await;
    assert_eq!(
        (code, printed.as_str()),
        (Some(0), "1 device and 1 model in 2 files: nothing to complain about"),
        "{printed}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_device_is_told_with_its_line_for_people_and_for_programs() {
    let folder = copy_of_devices().unwrap();
    let file = folder.path().join("instance.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("ambient: 20.5", "ambient: warm").replace("reportCycle: 10000", "reportcycle: 10000");
    fs::write(&file, &text).unwrap();
    let line = |of: &str| text.lines().position(|line| line.contains(of)).unwrap() + 1;
    let (ambient, cycle) = (line("ambient: warm"), line("reportcycle"));
    let (code, printed) = outcome(&["check", folder.path().to_str().unwrap()]).await;
    assert_eq!(code, Some(1), "{printed}");
    let begins = |line: usize, rest: &str| {
        let begin = format!("{}:{line}: {rest}", file.display());
        assert!(printed.lines().any(|line| line.starts_with(&begin)), "{begin} is not in:\n{printed}");
    };
    begins(ambient, "error: Device default/thermometer-1: spec.protocol.configData.ambient: found \"warm\", expected ");
    begins(cycle, "error: Device default/thermometer-1: spec.stateReport.reportcycle: there is no such key here");
    assert!(printed.contains("2 errors"), "{printed}");
    let (code, json) = outcome(&["check", "--format", "json", folder.path().to_str().unwrap()]).await;
    assert_eq!(code, Some(1), "{json}");
    let findings: serde_json::Value = serde_json::from_str(&json).unwrap();
    let findings = findings.as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["line"] == ambient && finding["severity"] == "error"), "{json}");
}

/// As in `helm template … | my-mapper check -`.
#[tokio::test]
async fn manifests_are_checked_as_they_come_in_on_standard_input() {
    let devices = Path::new(env!("CARGO_MANIFEST_DIR")).join("devices");
    let read = |file: &str| fs::read_to_string(devices.join(file)).unwrap();
    let sound = format!("{}---\n{}", read("model.yaml"), read("instance.yaml"));
    let check = async |text: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_virtual-thermometer"));
        program.args(["check", "--strict", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut program = program.spawn().unwrap();
        // Dropped at the end of the statement, which ends the input.
        program.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
        let output = program.wait_with_output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, printed) = check(&sound).await;
    assert_eq!((code, printed.trim_end()), (Some(0), "1 device and 1 model in 1 file: nothing to complain about"));
    let wrong = sound.replace("ambient: 20.5", "ambient: warm");
    let line = wrong.lines().position(|line| line.contains("ambient: warm")).unwrap() + 1;
    let (code, printed) = check(&wrong).await;
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.starts_with(&format!("standard input:{line}: error: Device default/thermometer-1: ")), "{printed}");
}

#[tokio::test]
async fn a_warning_fails_the_strict_check_only() {
    let folder = copy_of_devices().unwrap();
    let file = folder.path().join("instance.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("nodeName: edge-node", "")).unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(outcome(&["check", path]).await.0, Some(0));
    assert_eq!(outcome(&["check", "--strict", path]).await.0, Some(1));
}

#[tokio::test]
async fn a_check_of_nothing_is_a_wrong_command_line() {
    let folder = tempfile::tempdir().unwrap();
    for (path, reason) in
        [("no/such/file.yaml", "No such file"), (folder.path().to_str().unwrap(), "no manifest in it")]
    {
        let (code, printed) = outcome(&["check", path]).await;
        assert_eq!(code, Some(2), "{printed}");
        assert!(printed.contains(reason), "{printed}");
    }
}
