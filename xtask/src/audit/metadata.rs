//! The locked dependencies, as `cargo metadata` lists them for all platforms and features.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::shell;

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) license: Option<String>,
    /// None for those of this workspace.
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// The versions that are asked for.
    pub(super) req: String,
    /// The folder, if it is one of this workspace.
    pub(super) path: Option<String>,
    /// `dev` or `build`; none for what is linked.
    #[serde(default)]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) optional: bool,
}

impl Dependency {
    /// Whether it brings this package in any case.
    pub(super) fn brings(&self, name: &str) -> bool {
        self.name == name && !self.optional && self.kind.as_deref() != Some("dev")
    }
}

pub(super) fn packages() -> Result<Vec<Package>> {
    let arguments = ["metadata", "--locked", "--all-features", "--format-version=1"];
    let output = shell::output(shell::cargo().args(arguments))?;
    let metadata: Metadata = serde_json::from_str(&output).context("`cargo metadata` answers otherwise than it did")?;
    Ok(metadata.packages)
}
