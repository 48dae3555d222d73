//! What is generated builds, passes its own tests and runs, without an edit.

use std::{fs, process::Command};

use integration_tests::{
    cargo::root,
    generate::{Project, generate},
};

/// A project on the framework of this workspace.
fn project(answers: &[(&str, &str)]) -> Project {
    let framework = root().join("mapper-framework");
    let source = [("framework", "path"), ("framework_path", framework.to_str().unwrap())];
    let project = generate(&[answers, &source].concat()).unwrap();
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

/// Everything that a user may do with a project as it was generated.
fn is_whole(project: &Project) {
    let cargo = |arguments: &str| succeeds(project.cargo().args(arguments.split(' ')));
    cargo("fmt --check");
    // Whatever must be downloaded is downloaded by the first build.
    cargo("test --quiet");
    cargo("clippy --quiet --offline --all-targets -- -D warnings");
    let printed = cargo("run --quiet --offline -- --standalone devices --run-for 3s");
    for property in ["temperature = ", "setpoint = 22.5 (desired 22.5)", "enabled = true (desired true)", "count = "] {
        assert!(printed.contains(&format!("twin default/my-mapper-1 {property}")), "{property}:\n{printed}");
    }
    assert!(!printed.contains("WARN") && !printed.contains("ERROR"), "{printed}");
}

#[test]
fn a_polling_mapper_with_all_sinks_is_whole() {
    let project = project(&[]);
    is_whole(&project);
    becomes_another(&project);
}

/// A device model of another kind takes the simulated heater's place: the driver and the device come from `scaffold`.
fn becomes_another(project: &Project) {
    let model = fs::read_to_string(root().join("examples/modbus-tcp/devices/model.yaml")).unwrap();
    fs::write(project.path.join("devices/model.yaml"), model.replace("protocol: modbus-tcp", "protocol: simulated"))
        .unwrap();
    let cargo = |arguments: &str| succeeds(project.cargo().args(arguments.split(' ')));
    cargo("run --quiet --offline -- scaffold devices/model.yaml --instance --output devices/instance.yaml --force");
    cargo("run --quiet --offline -- scaffold devices/model.yaml --output src/driver.rs --force");
    cargo("fmt --check");
    cargo("clippy --quiet --offline --all-targets -- -D warnings");
    cargo("test --quiet --offline");
}

#[test]
fn a_mapper_of_events_without_a_sink_is_whole() {
    is_whole(&project(&[("driver_kind", "events"), ("sinks", "none")]));
}

#[test]
fn a_mapper_builds_with_each_sink_alone() {
    let manifest = fs::read_to_string(root().join("mapper-framework/Cargo.toml")).unwrap();
    let sinks: Vec<_> = manifest.lines().filter_map(|line| line.strip_prefix("sink-")?.split_once(" = ")).collect();
    assert_eq!(sinks.len(), 7, "{sinks:?}");
    for (sink, _) in sinks {
        let project = project(&[("sinks", sink)]);
        let printed = succeeds(project.cargo().args(["check", "--quiet", "--offline"]));
        assert_eq!(printed, "", "a warning, with the sink {sink}");
    }
}
