//! `cargo-semver-checks`, which compares public APIs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::stamp::Stamp;
use crate::shell;

/// The release that knows the documentation format of the toolchains in use. A newer toolchain may need a newer one.
const VERSION: &str = "0.51.0";

/// Builds the program unless it is there.
pub(super) fn provide() -> Result<PathBuf> {
    let folder = super::folder().join("semver-checks");
    let stamp = Stamp::new(&folder, format!("cargo-semver-checks {VERSION}\n"));
    if !stamp.is_current() {
        println!("cargo: builds cargo-semver-checks {VERSION} into {}, to compare public APIs", folder.display());
        install(&folder).context("cargo-semver-checks cannot be installed")?;
        stamp.write()?;
    }
    Ok(folder.join("bin/cargo-semver-checks"))
}

/// Without optimization and debug information it is built in a fraction of the time, and fast enough.
fn install(folder: &Path) -> Result<()> {
    let mut cargo = shell::cargo();
    cargo.args(["install", "--locked", "--debug", "--force", "--version", VERSION, "cargo-semver-checks", "--root"]);
    shell::run(cargo.arg(folder).env("CARGO_PROFILE_DEV_DEBUG", "0"))
}
