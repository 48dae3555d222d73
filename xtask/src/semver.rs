//! Compares the framework's public API with that of the newest release that is kept.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    shell,
    tools::{self, Without},
};

/// The features with which all of the API is there.
const FEATURES: &str = "cli,standalone,testing";

/// Fails if the API lacks something that the version numbers promise.
pub(crate) fn run(without: &Without) -> Result<()> {
    let release = newest_release()?;
    let Some(program) = tools::semver_checks(without)? else { return Ok(()) };
    let mut check = Command::new(program);
    check.args(["semver-checks", "--manifest-path", "mapper-framework/Cargo.toml"]);
    // The sinks bring most of what would have to be compiled, twice, and nothing to the API.
    check.args(["--only-explicit-features", "--features", FEATURES, "--baseline-root"]);
    shell::run(check.arg(unpack(&release)?).current_dir(crate::root()))
}

/// The packaged crate of the highest version.
pub(crate) fn newest_release() -> Result<PathBuf> {
    let folder = crate::root().join("tests/upgrade/releases");
    let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let files: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    match files.into_iter().filter_map(|file| Some((version(&file)?, file))).max() {
        Some((_, newest)) => Ok(newest),
        None => bail!("{} holds no release: `cargo xtask freeze` keeps one", folder.display()),
    }
}

/// The version in the name of a kept crate.
fn version(file: &Path) -> Option<Vec<u64>> {
    let version = file.file_name()?.to_str()?.strip_prefix("mapper-framework-")?.strip_suffix(".crate")?;
    version.split('.').map(|number| number.parse().ok()).collect()
}

fn unpack(release: &Path) -> Result<PathBuf> {
    let folder = crate::root().join("target/semver");
    let name = release.file_stem().and_then(OsStr::to_str).context("a release has a name")?;
    let unpacked = folder.join(name);
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).with_context(|| format!("{} cannot be removed", unpacked.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    shell::run_quietly(Command::new("tar").arg("-xzf").arg(release).arg("-C").arg(&folder))?;
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_ordered_by_number_and_not_by_text() {
        let of = |name: &str| version(Path::new(name));
        assert!(of("releases/mapper-framework-0.1.10.crate") > of("releases/mapper-framework-0.1.9.crate"));
        assert_eq!(of("releases/README.md"), None);
    }

    #[test]
    fn a_release_is_kept() -> Result<()> {
        assert!(newest_release()?.is_file());
        Ok(())
    }
}
