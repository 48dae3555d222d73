//! The upgrade promise (VERSIONING.md): what older versions have left, in `tests/upgrade`, against the working tree.

mod bump;
mod config;
mod frozen;
mod golden;
mod project;
mod registry;
mod spool;

use std::path::PathBuf;

use integration_tests::cargo::root;

/// What older versions have left.
fn kept(path: &str) -> PathBuf {
    root().join("tests/upgrade").join(path)
}
