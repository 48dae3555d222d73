//! Packages of npm's, each in a folder of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{debian, stamp::Stamp};
use crate::shell;

/// Installs a package, such as `axe-core@4.14.1`, into `folder` unless it is there. `why` says what it is needed for. None of its scripts run.
pub(super) fn install(folder: &Path, package: &str, why: &str) -> Result<()> {
    let stamp = Stamp::new(folder, package.to_owned());
    if stamp.is_current() {
        return Ok(());
    }
    println!("npm: installs {package} into {}: {why}", folder.display());
    let npm = npm(package)?;
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    let mut install = Command::new(npm);
    install.args(["install", "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]);
    shell::run_quietly(install.arg("--omit=optional").arg("--prefix").arg(folder).arg(package))?;
    stamp.write()
}

/// The program, which brings Node.js with it.
fn npm(package: &str) -> Result<PathBuf> {
    if let Some(npm) = shell::find("npm") {
        return Ok(npm);
    }
    debian::install(&["npm"], "npm cannot be found", &format!("to install {package}"))?;
    shell::find("npm").context("npm is installed, but the PATH has none")
}
