//! Keeps what a release promises, in `tests/upgrade`: from then on every change is measured against it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::shell;

/// The version that is frozen: the workspace's, which is this program's.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The arguments of `cargo xtask freeze`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Freezes again what is frozen already, and does so with changes that are not committed. Before the release only
    #[arg(long)]
    force: bool,
}

/// Keeps the packaged crate, the config file with every key, a spool, and the checksums of the frozen user.
pub(crate) fn run(args: &Args) -> Result<()> {
    let kept = folder().join("releases").join(format!("mapper-framework-{VERSION}.crate"));
    if kept.exists() && !args.force {
        bail!(
            "{VERSION} is frozen already: raise the version in Cargo.toml, or freeze again with --force if nobody has it yet"
        );
    }
    keep_crate(&kept, args.force)?;
    keep_config()?;
    keep_rest()
}

/// What is kept lies below this folder.
fn folder() -> PathBuf {
    crate::root().join("tests/upgrade")
}

fn keep_crate(kept: &Path, dirty: bool) -> Result<()> {
    let mut package = shell::cargo();
    package.args(["package", "--locked", "-p", "mapper-framework", "--no-verify"]);
    if dirty {
        package.arg("--allow-dirty");
    }
    shell::run(&mut package)?;
    copy(&crate::root().join(format!("target/package/mapper-framework-{VERSION}.crate")), kept)
}

/// The values that the file sets are written by the test that reads it.
fn keep_config() -> Result<()> {
    let kept = folder().join(format!("config/{VERSION}.yaml"));
    if kept.exists() {
        return Ok(());
    }
    copy(&crate::root().join("mapper-framework/tests/config/all-keys.yaml"), &kept)
}

/// A spool, and the checksums of the frozen user: both are made with the framework's own code, which this program does without.
fn keep_rest() -> Result<()> {
    let mut freeze = shell::cargo();
    freeze.args(["run", "--locked", "--quiet", "-p", "integration-tests", "--bin", "freeze", "--"]);
    shell::run(freeze.arg(folder()).arg(VERSION))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
    fs::copy(from, to).with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
    println!("wrote {}", to.display());
    Ok(())
}
