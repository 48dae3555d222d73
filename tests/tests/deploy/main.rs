//! What deploys a mapper made from the template, read by what will read it: Helm, `BuildKit`, the types and schemas of Kubernetes and
//! KubeEdge, and the mapper itself.

mod camera;
mod chart;
mod files;
mod image;
mod manifests;
mod mapper;
mod mutations;
mod pod;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use integration_tests::Tool;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// The program that reads these files.
struct Check(PathBuf);

impl Check {
    /// None where it is left out.
    fn tool() -> Option<Self> {
        match integration_tests::deploy_check() {
            Tool::At(program) => Some(Self(program)),
            Tool::LeftOut => None,
        }
    }

    /// The documents that a chart renders.
    fn chart(&self, folder: &Path, values: Option<&Path>) -> Result<Vec<Json>> {
        self.run("chart", std::iter::once(folder).chain(values))
    }

    /// The documents in files.
    fn manifests(&self, files: &[PathBuf]) -> Result<Vec<Json>> {
        self.run("manifests", files.iter().map(PathBuf::as_path))
    }

    /// The stages of a Dockerfile.
    fn dockerfile(&self, file: &Path) -> Result<Vec<Json>> {
        self.run("dockerfile", std::iter::once(file))
    }

    /// The files of a folder that an image is built from.
    fn context(&self, folder: &Path) -> Result<BTreeSet<String>> {
        self.run("context", std::iter::once(folder))
    }

    /// What it has understood, or what it has to say against it.
    fn run<'a, T: DeserializeOwned>(&self, what: &str, paths: impl Iterator<Item = &'a Path>) -> Result<T> {
        let output = Command::new(&self.0).arg(what).args(paths).output().context("the check cannot be started")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_slice(&output.stdout).context("the check prints JSON")
    }
}

/// What is wrong, which something has to be.
fn refusal<T>(outcome: Result<T>) -> String {
    outcome.err().map(|error| format!("{error:#}")).expect("it is refused")
}

/// The one document of a kind.
fn one<'a>(documents: &'a [Json], kind: &str) -> &'a Json {
    let found: Vec<_> = documents.iter().filter(|document| document["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "there are {} documents of the kind {kind}", found.len());
    found[0]
}
