//! A user's project in a folder of its own, built as the user would build it: by cargo, from a registry.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use integration_tests::{
    cargo::{cargo, root, target},
    folder,
};

use crate::registry::Registry;

/// A copy of a frozen project, at the same place in every run, so that what is built of it does not pile up.
pub(crate) struct Project<'a> {
    folder: PathBuf,
    registry: &'a Registry,
}

impl<'a> Project<'a> {
    /// Copies a project, to be built from the registry.
    pub(crate) fn copy(of: &Path, registry: &'a Registry) -> Result<Self> {
        let name = of.file_name().context("a project has a name")?;
        let folder = target().join("upgrade/projects").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        folder::copy(of, &folder)?;
        // The dependencies that the workspace is tested with, of which the registry consists.
        fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
        stand_alone(&folder.join("Cargo.toml"))?;
        Ok(Self { folder, registry })
    }

    /// Runs cargo in the project. All that it prints becomes part of a failure.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Result<()> {
        let mut cargo = cargo(&self.folder);
        self.registry.configure(cargo.args(arguments));
        let output = cargo.output().context("cargo cannot be started")?;
        let printed = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
        ensure!(output.status.success(), "`cargo {}` fails:\n{printed}", arguments.join(" "));
        Ok(())
    }

    /// Asks for another version of the framework, as its user does: by the number in the manifest.
    pub(crate) fn ask_for(&self, version: &str) -> Result<()> {
        let manifest = self.folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest)?;
        // It is a dependency, and one of the tests.
        let lines = text.lines().map(|line| match line.split('"').nth(1) {
            Some(number) if line.starts_with("mapper-framework = ") => line.replacen(number, version, 1),
            _ => line.to_owned(),
        });
        let asking: String = lines.map(|line| line + "\n").collect();
        ensure!(asking.contains(&format!("\"{version}\"")), "{} names no version of the framework", manifest.display());
        Ok(fs::write(manifest, asking)?)
    }

    /// The version of the framework in the project's lock file.
    pub(crate) fn locked(&self) -> Result<String> {
        let lock = fs::read_to_string(self.folder.join("Cargo.lock"))?;
        let (_, entry) = lock.split_once("name = \"mapper-framework\"\nversion = \"").context("it is locked")?;
        Ok(entry.split('"').next().unwrap_or_default().to_owned())
    }

    /// The checksums of the project's sources.
    pub(crate) fn sources(&self) -> Result<String> {
        folder::checksums(&self.folder.join("src"))
    }
}

/// Makes a project a workspace of its own: this one's may lie around it, if its target folder does.
fn stand_alone(manifest: &Path) -> Result<()> {
    let text = fs::read_to_string(manifest).with_context(|| format!("{} cannot be read", manifest.display()))?;
    if !text.lines().any(|line| line.trim_end() == "[workspace]") {
        fs::write(manifest, format!("{text}\n[workspace]\n"))?;
    }
    Ok(())
}
