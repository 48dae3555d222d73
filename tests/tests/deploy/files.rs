//! The template's files as a generated project has them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use tempfile::TempDir;

/// The name which the placeholder for it gets.
pub(crate) const PROJECT: &str = "scale-mapper";

/// What deploys the mapper of a generated project, in a folder of its own.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn generate() -> Result<Self> {
        Self::named(PROJECT, "scale")
    }

    /// A project of this name, for this protocol.
    pub(crate) fn named(project: &str, protocol: &str) -> Result<Self> {
        let fill = |text: &str| text.replace("{{project-name}}", project).replace("{{protocol}}", protocol);
        let folder = tempfile::tempdir()?;
        let template = workspace().join("mapper-template");
        copy(&template.join("deploy"), &folder.path().join("deploy"), &fill)?;
        copy(&template.join("Dockerfile"), &folder.path().join("Dockerfile"), &fill)?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn chart(&self) -> PathBuf {
        self.path("deploy/chart")
    }

    /// Replaces a text in a file, which has to be there.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) -> Result<()> {
        let text = fs::read_to_string(self.path(path))?;
        assert!(text.contains(from), "{path} has no {from:?}");
        Ok(fs::write(self.path(path), text.replacen(from, to, 1))?)
    }

    /// Values for the chart in a file.
    pub(crate) fn values(&self, yaml: &str) -> Result<PathBuf> {
        let path = self.path("values.yaml");
        fs::write(&path, yaml)?;
        Ok(path)
    }
}

/// The files of values that the chart is tried with.
pub(crate) fn all_values() -> Result<Vec<PathBuf>> {
    let folder = fs::read_dir(workspace().join("tests/deploy/values"))?;
    let files = folder.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    assert!(files.len() >= 5, "the values have gone astray");
    Ok(files)
}

/// One of them.
pub(crate) fn values(name: &str) -> PathBuf {
    workspace().join("tests/deploy/values").join(name)
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// Copies a file or a folder, and fills in the placeholders but in the chart's own templates, as cargo-generate does.
fn copy(from: &Path, to: &Path, fill: &impl Fn(&str) -> String) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name), fill)?;
        }
        return Ok(());
    }
    let mut text = fs::read_to_string(from)?;
    if !from.parent().is_some_and(|folder| folder.ends_with("chart/templates")) {
        text = fill(&text);
        assert!(!text.contains("{{"), "{} has a placeholder that no one fills in", from.display());
    }
    Ok(fs::write(to, text)?)
}
