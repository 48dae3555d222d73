//! What `cargo xtask new` makes of its arguments.

use std::{fs, path::Path};

use clap::Parser;
use new_mapper::Arguments;

/// The workspace's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the package lies two folders below")
}

/// The arguments of a line, with this destination unless it names one.
fn parse(line: &str, destination: &Path) -> Arguments {
    let destination = destination.to_str().expect("paths are text here");
    let destination: &[_] = if line.contains("--destination") { &[] } else { &["--destination", destination] };
    let words = ["new"].into_iter().chain(line.split_whitespace()).chain(destination.iter().copied());
    Arguments::try_parse_from(words).expect("a valid line")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Runs the line, which must fail and leave nothing, and gives the error.
fn is_refused(line: &str) -> String {
    let folder = folder();
    let error = parse(line, folder.path()).run(false).expect_err(line);
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0, "{line}");
    format!("{error:#}")
}

#[test]
fn without_answers_a_mapper_on_this_checkout_is_made() {
    let folder = folder();
    let project = parse("", folder.path()).run(false).expect("it is made");
    assert_eq!(project, folder.path().join("my-mapper"));
    let manifest = fs::read_to_string(project.join("Cargo.toml")).expect("it is there");
    let framework = root().join("mapper-framework").canonicalize().expect("it is there");
    assert!(manifest.contains(&format!("mapper-framework = {{ path = \"{}\"", framework.display())), "{manifest}");
    assert!(!project.join("cargo-generate.toml").exists() && !project.join(".git").exists());
}

#[test]
fn answers_reach_the_template() {
    let folder = folder();
    let line = "Hall_7 -d protocol=modbus --define framework_git=https://example.com/mappers.git --define sinks=mqtt";
    let project = parse(line, folder.path()).run(false).expect("it is made");
    assert_eq!(project, folder.path().join("hall-7"));
    let manifest = fs::read_to_string(project.join("Cargo.toml")).expect("it is there");
    assert!(
        manifest.contains("git = \"https://example.com/mappers.git\"") && manifest.contains("sink-mqtt"),
        "{manifest}"
    );
    assert!(manifest.contains("the protocol modbus"), "{manifest}");
}

#[test]
fn a_path_may_be_relative_and_is_made_absolute() {
    let framework = root().join("mapper-framework");
    let here = std::env::current_dir().expect("tests run in a folder");
    let up = "../".repeat(here.components().count() - 1);
    let relative = format!("{up}{}", framework.display().to_string().trim_start_matches('/'));
    let folder = folder();
    let project = parse(&format!("--define framework_path={relative}"), folder.path()).run(false).expect("it is made");
    let manifest = fs::read_to_string(project.join("Cargo.toml")).expect("it is there");
    assert!(manifest.contains("mapper-framework = { path = \"/") && !manifest.contains(".."), "{manifest}");
}

#[test]
fn what_is_not_legal_is_refused_with_what_is_and_leaves_nothing_behind() {
    for (line, message) in [
        (
            "-d protocl=x",
            "--define protocl=x: there is no question protocl, but driver_kind, framework, framework_git, ",
        ),
        ("-d sinks=kafka", "--define sinks=kafka: legal is all, none, or some of http,influxdb2,"),
        ("-d driver_kind=pulling", "--define driver_kind=pulling: legal is one of polling, events"),
        ("-d protocol=-x", "--define protocol=-x: legal is a letter, then letters, digits, dots and dashes"),
        ("-d sinks", "--define sinks: there is no `=` in it: write --define KEY=VALUE"),
        ("-d sinks=mqtt -d sinks=redis", "--define sinks is given twice"),
        ("-d framework=git", "--define framework=git needs --define framework_git=…, which is https://…"),
        ("-d framework_git=example.com/x", "--define framework_git=example.com/x: legal is https://…"),
        (
            "-d framework_git=https://a -d framework_path=/",
            "--define framework_path goes with --define framework=path only",
        ),
        ("-d framework=released -d framework_path=/", "--define framework_path goes with --define framework=path only"),
        (
            "-d framework_path=/no/such",
            "--define framework_path=/no/such: no Cargo.toml of mapper-framework lies there",
        ),
        ("2nd-floor", "2nd-floor begins with a digit"),
        ("--destination /no/such/folder", "--destination /no/such/folder: there is no such folder"),
    ] {
        let error = is_refused(line);
        assert!(error.contains(message), "{line}: {error}");
    }
}

#[test]
fn a_folder_that_is_there_is_left_as_it_is() {
    let folder = folder();
    // The name is known at once in the first case, and only once the template has brought it into form in the second.
    for name in ["my-mapper", "My_Mapper"] {
        fs::create_dir_all(folder.path().join("my-mapper/src")).expect("made");
        let error = parse(name, folder.path()).run(false).expect_err("it is there").to_string();
        assert!(error.ends_with("my-mapper exists already: take another name, or another --destination"), "{error}");
        assert_eq!(fs::read_dir(folder.path().join("my-mapper")).expect("it is there").count(), 1);
    }
}

#[test]
fn a_mapper_is_never_made_within_the_workspace() {
    let docs = root().join("docs");
    let before = fs::read_dir(&docs).expect("it is there").count();
    let error = parse("", &docs).run(false).expect_err("cargo would refuse it").to_string();
    assert!(error.contains("whose cargo would take the mapper for a part of it: name a folder outside"), "{error}");
    assert_eq!(fs::read_dir(&docs).expect("it is there").count(), before);
}

#[test]
fn help_lists_the_questions_with_what_is_legal() {
    let help = Arguments::try_parse_from(["new", "--help"]).expect_err("help is printed").to_string();
    for line in ["driver_kind     one of polling, events", "sinks           all, none, or some of", "framework_path  "]
    {
        assert!(help.contains(line), "{help}");
    }
}
