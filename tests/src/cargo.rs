//! Cargo for the projects of users, started by a test that cargo itself has started.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// What the cargo that runs the tests sets for them, and what a user's cargo would not know.
const OF_THE_OUTER_ONE: [&str; 12] = [
    "CARGO_BIN_",
    "CARGO_BUILD_",
    "CARGO_CRATE_",
    "CARGO_ENCODED_",
    "CARGO_MANIFEST_",
    "CARGO_NAME",
    "CARGO_PKG_",
    "CARGO_PRIMARY_",
    "CARGO_TARGET_",
    "MAPPER_",
    "RUSTC",
    "RUSTFLAGS",
];

/// Cargo in a project's folder, as its user runs it, but for where it builds: in the folder in which this test was built, so that the
/// crates which the workspace needs as well are compiled once.
#[must_use]
pub fn cargo(project: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if OF_THE_OUTER_ONE.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo.current_dir(project).env("CARGO_TARGET_DIR", target());
    cargo
}

/// The folder in which the running test was built: cargo lays tests below it, as `debug/deps/NAME`.
#[must_use]
pub fn target() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    program.ancestors().nth(3).map_or_else(|| root().join("target"), Path::to_owned)
}

/// The workspace's folder.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace's root")
}
