//! Debian's packages, for what has no other home: Python itself, and the servers that the sinks write to.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell;

/// Installs packages with apt-get. `missing` says what is not there, and `why` what it is needed for.
pub(super) fn install(packages: &[&str], missing: &str, why: &str) -> Result<()> {
    let list = packages.join(" ");
    let Some(apt) = shell::find("apt-get") else {
        bail!("{missing}, and there is no apt-get to install it: install it by the means of this system");
    };
    println!("debian: installs {list} with apt-get: {why}");
    shell::run(as_root(&apt, &list)?.arg("update")).with_context(|| missing.to_owned())?;
    shell::run(as_root(&apt, &list)?.args(["install", "-y", "--no-install-recommends"]).args(packages))
        .with_context(|| missing.to_owned())
}

/// The program as root, asking no questions, and starting no service: the tests start their own.
fn as_root(program: &Path, packages: &str) -> Result<Command> {
    let environment = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"];
    let mut command = if shell::output(Command::new("id").arg("-u"))? == "0" {
        Command::new("env")
    } else {
        let sudo = shell::find("sudo")
            .with_context(|| format!("there is no sudo: as root, run `apt-get install {packages}`, then try again"))?;
        let mut command = Command::new(sudo);
        command.arg("env");
        command
    };
    command.args(environment).arg(program);
    Ok(command)
}
