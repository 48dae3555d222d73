//! Python, for the tests with Python clients and servers.

use std::path::PathBuf;

use anyhow::Result;

use super::venv::{Packages, Venv};

/// The requirements files, below the workspace's root. All go into one virtual environment, so they have to agree.
const REQUIREMENTS: &[&str] = &[
    "tests/clients/python/requirements.txt",
    "examples/ip-camera/tests/requirements.txt",
    "examples/modbus/tests/requirements.txt",
    "examples/opcua/tests/requirements.txt",
];

/// Provides an interpreter with the packages of all requirements files.
pub(super) fn provide() -> Result<PathBuf> {
    let files: Vec<_> = REQUIREMENTS.iter().map(|file| crate::root().join(file)).collect();
    let folder = super::folder().join("python");
    let venv = Venv::ensure(&folder, &Packages::of_files(&files)?, "for the tests with Python clients and servers")?;
    Ok(venv.python())
}
