//! The files of a project that is generated from the template.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use integration_tests::{
    cargo::root,
    generate::{self, Project},
};

/// The name of the project, unless a test gives another.
pub(crate) const PROJECT: &str = "scale-mapper";

/// A project with what deploys it, in a folder of its own.
pub(crate) struct Files(Project);

impl Files {
    pub(crate) fn generate() -> Result<Self> {
        Self::named(PROJECT, "scale")
    }

    /// A project of this name, for this protocol.
    pub(crate) fn named(project: &str, protocol: &str) -> Result<Self> {
        let answers = [("project-name", project), ("protocol", protocol), ("framework", "released")];
        generate::generate(&answers).map(Self)
    }

    /// The project itself.
    pub(crate) fn project(&self) -> &Project {
        &self.0
    }

    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.path.join(path)
    }

    pub(crate) fn chart(&self) -> PathBuf {
        self.path("deploy/chart")
    }

    /// Replaces a text in a file, which has to be there.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) -> Result<()> {
        let text = self.0.read(path)?;
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

/// The files of values that the chart is tried with, those of the examples among them.
pub(crate) fn all_values() -> Result<Vec<PathBuf>> {
    let mut files = entries("tests/deploy/values")?;
    assert!(files.len() >= 5, "the values have gone astray");
    let of_examples = entries("examples")?.into_iter().map(|example| example.join("values.yaml"));
    files.extend(of_examples.filter(|file| file.exists()));
    Ok(files)
}

/// What a folder of the workspace holds.
fn entries(folder: &str) -> Result<Vec<PathBuf>> {
    fs::read_dir(root().join(folder))?.map(|entry| Ok(entry?.path())).collect()
}

/// One of the files of values.
pub(crate) fn values(name: &str) -> PathBuf {
    root().join("tests/deploy/values").join(name)
}
