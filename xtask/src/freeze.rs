//! Keeps what a release promises, in `tests/upgrade`: from then on every change is measured against it.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};

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

/// Keeps the packaged crate, a config file with every key, a spool, what leaves a mapper, and the users with their checksums.
pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = crate::root().join("tests/upgrade");
    let kept = folder.join("releases").join(crate_file());
    if kept.exists() && !args.force {
        bail!(
            "{VERSION} is frozen already: raise the version in Cargo.toml, or freeze again with --force if nobody has it yet"
        );
    }
    check_users(&folder, VERSION)?;
    keep_crate(&kept, args.force)?;
    keep_rest(&folder)
}

/// The name of the packaged crate.
fn crate_file() -> String {
    format!("mapper-framework-{VERSION}.crate")
}

/// There have to be users of the minor version: nobody but a person can write them.
fn check_users(folder: &Path, version: &str) -> Result<()> {
    let (minor, _) = version.rsplit_once('.').context("a version has three numbers")?;
    let users = folder.join(format!("v{}", minor.replace('.', "_")));
    ensure!(users.is_dir(), "{} is missing: put projects of users there, as in the folder before it", users.display());
    Ok(())
}

fn keep_crate(kept: &Path, dirty: bool) -> Result<()> {
    let target = crate::root().join("target");
    let mut package = shell::cargo();
    package.args(["package", "--locked", "-p", "mapper-framework", "--no-verify", "--target-dir"]).arg(&target);
    if dirty {
        package.arg("--allow-dirty");
    }
    shell::run(&mut package)?;
    copy(&target.join("package").join(crate_file()), kept)
}

/// What is made with the framework's own code, which this program does without.
fn keep_rest(folder: &Path) -> Result<()> {
    let mut freeze = shell::cargo();
    freeze.args(["run", "--locked", "--quiet", "-p", "integration-tests", "--bin", "freeze", "--"]);
    shell::run(freeze.arg(folder).arg(VERSION))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
    fs::copy(from, to).with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
    println!("wrote {}", to.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_version_without_users_is_not_frozen() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("v0_2"))?;
        check_users(folder.path(), "0.2.7")?;
        let error = check_users(folder.path(), "0.3.0").expect_err("there is no user");
        assert!(error.to_string().contains("v0_3 is missing"), "{error}");
        Ok(())
    }
}
