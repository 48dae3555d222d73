//! Runs the benchmarks.

use anyhow::Result;

use crate::{
    shell,
    tools::{self, Without},
};

/// The arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs only the benchmarks whose name contains this.
    name: Option<String>,
    #[command(flatten)]
    without: Without,
}

/// Runs the benchmarks, one after the other, with the environment that says where the servers are.
pub(crate) fn run(args: &Args) -> Result<()> {
    let environment = tools::provide(&args.without)?;
    let mut cargo = shell::cargo();
    cargo.args(["bench", "-p", "mapper-framework", "-p", "integration-tests", "--bench"]);
    cargo.arg(args.name.as_ref().map_or_else(|| "*".to_owned(), |name| format!("*{name}*")));
    environment.apply(&mut cargo);
    let outcome = shell::run(&mut cargo);
    args.without.announce();
    outcome
}
