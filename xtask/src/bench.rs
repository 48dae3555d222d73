//! Runs the framework's benchmarks.

use anyhow::Result;

use crate::shell;

/// Runs the benchmarks, or those whose name contains `name`: the programs get it as their argument.
pub(crate) fn run(name: Option<&str>) -> Result<()> {
    let mut cargo = shell::cargo();
    cargo.args(["bench", "-p", "mapper-framework"]);
    if let Some(name) = name {
        cargo.args(["--", name]);
    }
    shell::run(&mut cargo)
}
