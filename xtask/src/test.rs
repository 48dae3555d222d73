//! Runs all tests, after installing what they need, and compares the public API with the last release's.

use anyhow::Result;

use crate::{
    semver, shell,
    tools::{self, Without},
};

/// Takes the dependencies as they are committed.
const LOCKED: &str = "--locked";

/// The arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    without: Without,
    /// Passed on to `cargo test`; with `-p` in it, only those packages are tested.
    #[arg(last = true, value_name = "CARGO TEST ARGUMENTS")]
    cargo: Vec<String>,
}

impl Args {
    /// All tests but those that need what is left out, with the dependencies as they are committed.
    pub(crate) fn all(without: Without) -> Self {
        Self { without, cargo: vec![LOCKED.to_owned()] }
    }

    /// Whether nothing narrows down what is tested.
    fn is_all(&self) -> bool {
        self.cargo.iter().all(|argument| argument == LOCKED)
    }
}

/// Provides the tools and runs `cargo test` with the environment that says where these are.
pub(crate) fn run(args: &Args) -> Result<()> {
    args.without.announce();
    let environment = tools::provide(&args.without)?;
    let mut cargo = shell::cargo();
    cargo.arg("test");
    if !selects_packages(&args.cargo) {
        cargo.arg("--workspace");
    }
    cargo.args(&args.cargo);
    environment.apply(&mut cargo);
    let mut outcome = shell::run(&mut cargo);
    if args.is_all() {
        outcome = outcome.and_then(|()| semver::run(&args.without));
    }
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
    fn only_package_arguments_of_cargo_itself_replace_the_workspace() {
        for line in ["-- -p xtask", "-- -pxtask", "-- --package xtask", "-- --lib --package=xtask"] {
            assert!(selects_packages(&parse(line).cargo), "{line}");
        }
        for line in ["", "-- --lib", "-- --profile release", "-- --test dmi -- -p"] {
            assert!(!selects_packages(&parse(line).cargo), "{line}");
        }
    }
}
