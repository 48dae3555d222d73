//! The sink's section of the config is part of the program: in its help, its warnings and its errors.

#![allow(clippy::unwrap_used, reason = "a test says so when something is missing")]

use std::process::Command;

/// The exit code, and what was printed.
fn outcome(arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let devices = concat!(env!("CARGO_MANIFEST_DIR"), "/devices");
    let mut program = Command::new(env!("CARGO_BIN_EXE_custom-sink"));
    program.args(arguments).current_dir(folder.path());
    if !arguments.contains(&"--help") {
        program.args(["--run-for", "0s", "--standalone", devices]);
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MAPPER_")) {
        program.env_remove(name);
    }
    let output = program.output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn the_help_lists_the_keys_of_the_sink() {
    let (code, help) = outcome(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(
        help.contains("  sinks.csv.separator    [default: ,]\n") && help.contains("  sinks.csv.credentials\n"),
        "{help}"
    );
}

#[test]
fn a_setting_that_is_refused_ends_the_program_with_the_reason() {
    let (code, printed) = outcome(&["--set", "sinks.csv.separator=7"]);
    assert_eq!(code, Some(2), "{printed}");
    let expected = "error: `sinks.csv` cannot be used: '7' cannot separate fields: set `separator` to a comma, a semicolon or a tab";
    assert!(printed.contains(expected), "{printed}");
    let (code, printed) = outcome(&["--set", "sinks.csv.seperator=;"]);
    assert_eq!(code, Some(2), "{printed}");
    assert!(
        printed.contains("there is no key `sinks.csv.seperator`; did you mean `sinks.csv.separator`?"),
        "{printed}"
    );
}

#[test]
fn a_setting_that_fits_is_taken() {
    let (code, printed) = outcome(&["--set", "sinks.csv.separator=;"]);
    assert_eq!(code, Some(0), "{printed}");
}
