//! Runs the framework's benchmarks.

use anyhow::Result;

use crate::shell;

/// Runs the benchmarks, one after the other, or those whose name contains `name`.
pub(crate) fn run(name: Option<&str>) -> Result<()> {
    let mut cargo = shell::cargo();
    cargo.args(["bench", "-p", "mapper-framework", "--bench"]);
    cargo.arg(name.map_or_else(|| "*".to_owned(), |name| format!("*{name}*")));
    shell::run(&mut cargo)
}
