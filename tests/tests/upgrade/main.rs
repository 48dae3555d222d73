//! The upgrade promise (VERSIONING.md): what older versions have left, in `tests/upgrade`, against the working tree.

mod bump;
mod config;
mod frozen;
mod project;
mod registry;
mod spool;

use std::path::{Path, PathBuf};

/// The workspace's root.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace's root")
}

/// What older versions have left.
fn kept(path: &str) -> PathBuf {
    root().join("tests/upgrade").join(path)
}
