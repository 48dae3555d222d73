//! Runs all tests, after installing what they need, and compares the public API with the last release's.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    semver, shell,
    tools::{self, Without},
};

/// Takes the dependencies as they are committed.
const LOCKED: &str = "--locked";

/// Names the camera for the tests that need one.
const CAMERA: &str = "MAPPER_TEST_CAMERA";

/// The arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    without: Without,
    /// Runs the tests that need a camera with this one, and others that are left out otherwise. May stand behind the dashes, too.
    #[arg(long, value_name = "PATH")]
    hardware: Option<PathBuf>,
    /// Passed on to `cargo test`; with `-p` in it, only those packages are tested.
    #[arg(last = true, value_name = "CARGO TEST ARGUMENTS")]
    cargo: Vec<String>,
}

impl Args {
    /// All tests but those that need what is left out, with the dependencies as they are committed.
    pub(crate) fn all(without: Without) -> Self {
        Self { without, hardware: None, cargo: vec![LOCKED.to_owned()] }
    }

    /// The camera, and the arguments for cargo, which runs the tests that are left out otherwise if there is one.
    fn hardware(&self) -> (Option<PathBuf>, Vec<String>) {
        let (mut hardware, mut cargo) = (self.hardware.clone(), Vec::new());
        let mut arguments = self.cargo.iter();
        while let Some(argument) = arguments.next() {
            match argument.strip_prefix("--hardware") {
                Some("") => hardware = arguments.next().map(PathBuf::from).or(hardware),
                Some(path) if path.starts_with('=') => hardware = Some(PathBuf::from(&path[1..])),
                _ => cargo.push(argument.clone()),
            }
        }
        if hardware.is_some() {
            if !cargo.iter().any(|argument| argument == "--") {
                cargo.push("--".to_owned());
            }
            cargo.push("--include-ignored".to_owned());
        }
        (hardware, cargo)
    }

    /// Whether nothing narrows down what is tested.
    fn is_all(&self) -> bool {
        self.cargo.iter().all(|argument| argument == LOCKED)
    }
}

/// Provides the tools and runs `cargo test` with the environment that says where these are.
///
/// All tests are two runs of cargo, since it looks only once, at its start, whether what it has built is there and current: the examples
/// in the docs come first, as they would come last to programs that some tests have built into the same folder meanwhile.
pub(crate) fn run(args: &Args) -> Result<()> {
    args.without.announce();
    let environment = tools::provide(&args.without)?;
    let (hardware, arguments) = args.hardware();
    let test = |targets: &[&str]| {
        let mut cargo = shell::cargo();
        cargo.arg("test");
        if !selects_packages(&arguments) {
            cargo.arg("--workspace");
        }
        cargo.args(targets).args(&arguments);
        if let Some(camera) = &hardware {
            cargo.env(CAMERA, camera);
        }
        environment.apply(&mut cargo);
        shell::run(&mut cargo)
    };
    let outcome = if args.is_all() {
        test(&["--doc"]).and_then(|()| test(&["--tests"])).and_then(|()| semver::run(&args.without))
    } else {
        test(&[])
    };
    args.without.announce();
    outcome
}

/// Whether the arguments name packages: cargo would not look at these beside `--workspace`.
fn selects_packages(args: &[String]) -> bool {
    let mut of_cargo = args.iter().take_while(|arg| *arg != "--");
    of_cargo.any(|arg| arg.starts_with("--package") || (arg.starts_with("-p") && !arg.starts_with("--")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(line: &str) -> Args {
        Line::try_parse_from(std::iter::once("test").chain(line.split_whitespace())).expect("a valid line").args
    }

    #[test]
    fn everything_after_the_dashes_is_passed_on_with_the_second_dashes() {
        let args = parse("--without go -- --test dmi -- --nocapture one_name");
        assert_eq!(args.cargo, ["--test", "dmi", "--", "--nocapture", "one_name"]);
    }

    #[test]
    fn a_camera_runs_what_is_left_out_otherwise() {
        let path = Some(PathBuf::from("/dev/video0"));
        let (camera, cargo) = parse("-- -p usb-camera --hardware /dev/video0").hardware();
        assert_eq!((camera, cargo.join(" ")), (path.clone(), "-p usb-camera -- --include-ignored".to_owned()));
        let (camera, cargo) = parse("--hardware /dev/video0 -- -p usb-camera -- a_real").hardware();
        assert_eq!((camera, cargo.join(" ")), (path.clone(), "-p usb-camera -- a_real --include-ignored".to_owned()));
        assert_eq!(parse("-- --hardware=/dev/video0").hardware().0, path);
        assert_eq!(parse("-- -p usb-camera").hardware(), (None, vec!["-p".to_owned(), "usb-camera".to_owned()]));
    }

    #[test]
    fn only_package_arguments_of_cargo_itself_replace_the_workspace() {
        for line in ["-- -p xtask", "-- -pxtask", "-- --package xtask", "-- --lib --package=xtask"] {
            assert!(selects_packages(&parse(line).cargo), "{line}");
        }
        for line in ["", "-- --lib", "-- --profile release", "-- --test dmi -- -p"] {
            assert!(!selects_packages(&parse(line).cargo), "{line}");
        }
    }
}
