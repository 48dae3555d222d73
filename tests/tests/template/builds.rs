//! What is generated builds, passes its own tests and runs, without an edit.

use std::{fs, process::Command};

use integration_tests::{
    ChildGuard,
    cargo::{root, target},
    generate::{Project, generate_to_build},
};

/// A project on the framework of this workspace.
fn project(answers: &[(&str, &str)]) -> Project {
    let project = generate_to_build(answers).unwrap();
    project.take_lock().unwrap();
    project
}

/// What a command printed, which must have succeeded.
fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed, {}:\n{printed}", output.status);
    printed
}

fn cargo(project: &Project, arguments: &str) -> String {
    succeeds(project.cargo().args(arguments.split(' ')))
}

/// Everything that a user may do with a project of this name, as it was generated.
async fn is_whole(project: &Project, name: &str) {
    cargo(project, "fmt --check");
    // Whatever must be downloaded is downloaded by the first build.
    cargo(project, "test --quiet");
    cargo(project, "clippy --quiet --offline --all-targets -- -D warnings");
    runs(project, name).await;
    let sample = cargo(project, "run --quiet --offline -- sample");
    fs::write(project.path.join("sample.yaml"), sample).unwrap();
    cargo(project, "run --quiet --offline -- check --strict sample.yaml");
}

/// The program itself: `cargo run` would wait for the other projects, which are built in the same folder.
async fn runs(project: &Project, name: &str) {
    let program = target().join("debug").join(name);
    let mut command = tokio::process::Command::new(program);
    let mut mapper = ChildGuard::spawn(command.args(["--standalone", "devices"]).current_dir(&project.path));
    for property in ["temperature = ", "setpoint = 22.5 (desired 22.5)", "enabled = true (desired true)", "count = "] {
        let twin = format!("twin default/{name}-1 {property}");
        mapper.wait_for_line(|line| line.starts_with(&twin)).await;
    }
    mapper.terminate().await;
    assert_eq!(mapper.exit().await.code(), Some(0), "{:?}", mapper.lines());
    let complaints: Vec<_> =
        mapper.lines().into_iter().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[tokio::test]
async fn a_polling_mapper_with_all_sinks_is_whole() {
    let project = project(&[("project-name", "Hall7_Heaters")]);
    is_whole(&project, "hall7-heaters").await;
    becomes_another(&project);
}

#[tokio::test]
async fn a_mapper_of_events_without_a_sink_and_with_a_keyword_for_a_name_is_whole() {
    let project = project(&[("project-name", "true"), ("driver_kind", "events"), ("sinks", "none")]);
    is_whole(&project, "true").await;
    is_lean_in_an_image(&project);
}

/// What the Dockerfile builds asks the mapper that runs, and has none of the crates that only the desk needs.
fn is_lean_in_an_image(project: &Project) {
    let dockerfile = project.read("Dockerfile").unwrap();
    assert!(dockerfile.contains("cargo build --release --locked --no-default-features"), "{dockerfile}");
    let crates = |flags: &str| cargo(project, &format!("tree --offline --edges normal --prefix none{flags}"));
    assert!(crates("").contains("notify v") && !crates(" --no-default-features").contains("notify v"));
    let run = |words: &str| {
        let mut cargo = project.cargo();
        let output =
            cargo.args("run --quiet --offline --no-default-features --".split(' ')).args(words.split(' ')).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, printed) = run("--standalone devices");
    assert_eq!(code, Some(2), "{printed}");
    let (code, printed) = run("health --live --socket-path /nowhere/mapper.sock");
    assert!(code == Some(1) && printed.contains("/nowhere/mapper.api.sock"), "{printed}");
}

/// A device model of another kind takes the simulated heater's place: the driver and the device come from `scaffold`.
fn becomes_another(project: &Project) {
    let model = fs::read_to_string(root().join("examples/modbus/devices/model.yaml")).unwrap();
    fs::write(project.path.join("devices/model.yaml"), model.replace("protocol: modbus", "protocol: simulated"))
        .unwrap();
    cargo(
        project,
        "run --quiet --offline -- scaffold devices/model.yaml --instance --output devices/instance.yaml --force",
    );
    cargo(project, "run --quiet --offline -- scaffold devices/model.yaml --output src/driver.rs --force");
    cargo(project, "fmt --check");
    cargo(project, "clippy --quiet --offline --all-targets -- -D warnings");
    cargo(project, "test --quiet --offline");
}

#[test]
fn a_mapper_builds_with_each_sink_alone() {
    let manifest = fs::read_to_string(root().join("mapper-framework/Cargo.toml")).unwrap();
    let sinks = manifest.lines().filter_map(|line| line.strip_prefix("sink-")?.split_once(" = "));
    // A sink's own feature, such as another transport, is compiled by the workspace's tests.
    let sinks: Vec<_> = sinks.filter(|(sink, _)| !sink.contains('-')).collect();
    assert_eq!(sinks.len(), 7, "{sinks:?}");
    for (sink, _) in sinks {
        let project = project(&[("sinks", sink)]);
        let printed = cargo(&project, "check --quiet --offline");
        assert_eq!(printed, "", "a warning, with the sink {sink}");
    }
}
