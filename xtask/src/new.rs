//! Makes a mapper from the template, by a crate of its own: cargo-generate, which does it, is built only when it is asked for.

use std::{convert::Infallible, ffi::OsString, os::unix::process::CommandExt};

use anyhow::{Context, Result};

use crate::shell;

/// The arguments of `cargo xtask new`, which the crate `new-mapper` reads.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed_on: Vec<OsString>,
}

/// Builds the crate and becomes its program, in the folder of the user: the paths among the arguments may be relative.
pub(crate) fn run(args: &Args) -> Result<Infallible> {
    let mut cargo = shell::cargo();
    cargo.current_dir(".").args(["run", "--locked", "--package", "new-mapper", "--manifest-path"]);
    cargo.arg(crate::root().join("Cargo.toml")).arg("--").args(&args.passed_on);
    Err(cargo.exec()).context("cargo cannot be started")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::Command;

    #[test]
    fn all_that_follows_is_passed_on() {
        for line in ["new", "new my-mapper --define protocol=x --destination ..", "new --help", "new -d a=b name"] {
            let words: Vec<_> = line.split(' ').collect();
            let command = Command::try_parse_from(["xtask"].iter().chain(&words)).expect(line);
            let Command::New(args) = command else { panic!("{line} is something else") };
            assert_eq!(args.passed_on, words[1..], "{line}");
        }
    }
}
