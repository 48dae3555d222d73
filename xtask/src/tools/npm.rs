//! Packages of npm's, in a folder for each use.

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
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    run(folder, package, why, &["install", "--no-save", "--no-package-lock", package])?;
    stamp.write()
}

/// Installs what `package-lock.json` in the folder `locked` names, beside its `package.json`, into `folder` unless it is there. `why` says what it is
/// needed for. None of the packages' scripts run.
pub(super) fn install_locked(folder: &Path, locked: &Path, why: &str) -> Result<()> {
    const FILES: [&str; 2] = ["package.json", "package-lock.json"];
    let read = |name| {
        let file = locked.join(name);
        fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))
    };
    let [package, lock] = [read(FILES[0])?, read(FILES[1])?];
    let stamp = Stamp::new(folder, format!("{package}{lock}"));
    if stamp.is_current() {
        return Ok(());
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    for (name, content) in FILES.into_iter().zip([package, lock]) {
        let file = folder.join(name);
        fs::write(&file, content).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    run(folder, &format!("what {} names", locked.join(FILES[1]).display()), why, &["ci"])?;
    stamp.write()
}

/// Has npm install into a folder.
fn run(folder: &Path, what: &str, why: &str, arguments: &[&str]) -> Result<()> {
    println!("npm: installs {what} into {}: {why}", folder.display());
    let npm = npm(what)?;
    let mut install = Command::new(npm);
    install.args(arguments).args(["--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional"]);
    shell::run_quietly(install.arg("--prefix").arg(folder))
}

/// The program, which brings Node.js with it.
fn npm(what: &str) -> Result<PathBuf> {
    if let Some(npm) = shell::find("npm") {
        return Ok(npm);
    }
    debian::install(&["npm"], "npm cannot be found", &format!("to install {what}"))?;
    shell::find("npm").context("npm is installed, but the PATH has none")
}
