//! rustfmt and clippy, which a minimal toolchain lacks.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// Has rustup add what is missing.
pub(crate) fn provide() -> Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if shell::succeeds(shell::cargo().args([subcommand, "--version"])) {
            continue;
        }
        let Some(rustup) = shell::find("rustup") else {
            bail!("the toolchain has no {component}, and there is no rustup to add it: install it beside cargo");
        };
        println!("{component} is missing: rustup adds it");
        shell::run(Command::new(rustup).args(["component", "add", component]))?;
    }
    Ok(())
}
