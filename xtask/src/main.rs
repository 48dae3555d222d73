//! The project's automation, in Rust: `cargo xtask <command>`.

mod audit;
mod bench;
mod ci;
mod codegen;
mod freeze;
mod new;
mod semver;
mod shell;
mod test;
mod tools;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// The project's automation.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Installs what the tests need and the machine lacks, and runs all tests.
    Test(test::Args),
    /// Runs what a change has to pass: format, lints, docs, generated code, all tests.
    Ci(ci::Args),
    /// Holds the dependencies against `deny.toml`: licences, bans and sources.
    Audit,
    /// Runs the benchmarks.
    Bench(bench::Args),
    /// Regenerates the protobuf code from `proto/`, without `protoc`.
    Codegen {
        /// Changes nothing, and fails if what is checked in differs from what `proto/` gives.
        #[arg(long)]
        check: bool,
    },
    /// Makes a mapper from the template, with this checkout as its framework: `cargo xtask new my-mapper`.
    // What it takes is said by the program that it runs, `--help` included.
    #[command(disable_help_flag = true)]
    New(new::Args),
    /// Keeps what a release promises in `tests/upgrade`, against which later changes are measured.
    Freeze(freeze::Args),
    /// Compares the framework's public API with that of the newest release in `tests/upgrade`.
    Semver,
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.chain().skip(1).for_each(|cause| eprintln!("  because {cause}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Test(args) => test::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::Audit => audit::run(),
        Command::Bench(args) => bench::run(&args),
        Command::Codegen { check } => codegen::run(check),
        Command::New(args) => match new::run(&args)? {},
        Command::Freeze(args) => freeze::run(&args),
        Command::Semver => semver::run(&tools::Without::default()),
    }
}

/// The workspace's root.
fn root() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace's root")
}
