//! node-opcua, the second server of the tests of the mapper for OPC UA.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{npm, servers::link};
use crate::shell;

/// The folder, below the workspace's, that names the part of it that is a server, in the last release that runs on the Node.js of Debian 12, which
/// is 18, and all that it needs.
const LOCKED: &str = "examples/opcua/tests";

/// Provides the packages, and gives a folder with them in `node_modules` and a link to `node`.
pub(super) fn provide() -> Result<PathBuf> {
    let folder = super::folder().join("node-opcua");
    npm::install_locked(
        &folder,
        &crate::root().join(LOCKED),
        "for the tests of the mapper for OPC UA against a second server",
    )?;
    let node = shell::find("node").context("npm is there, but the PATH has no node")?;
    link(&node, &folder.join("node"))?;
    Ok(folder)
}
