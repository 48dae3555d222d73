//! The machine's Python interpreter, which makes the virtual environments.

use std::{
    fmt::{self, Display},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::debian;
use crate::shell;

/// The Debian packages that give an interpreter which can make virtual environments.
const DEBIAN_PACKAGES: &[&str] = &["python3", "python3-venv"];

/// Succeeds, and prints what identifies the interpreter, if it is new enough and can make virtual environments.
const PROBE: &str =
    "import ensurepip, sys, venv; assert sys.version_info >= (3, 9); print(sys.executable, sys.version)";

/// An interpreter of the machine's.
#[derive(Debug)]
pub(super) struct Host {
    path: PathBuf,
    identity: String,
}

impl Host {
    /// The interpreter, if it can do what is needed.
    fn probe(path: PathBuf) -> Option<Self> {
        let identity = shell::output(Command::new(&path).args(["-c", PROBE])).ok()?;
        Some(Self { path, identity })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The path and version, for the stamp: a new interpreter makes the virtual environments of the old one useless.
impl Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.identity)
    }
}

/// The machine's interpreter, installed if it is missing, for the reason that is printed then.
pub(super) fn provide(why: &str) -> Result<Host> {
    if let Some(host) = find_host() {
        return Ok(host);
    }
    install(why)?;
    find_host().context("python3 is installed, but the PATH has none of version 3.9 or newer with venv and ensurepip")
}

fn find_host() -> Option<Host> {
    shell::find_all("python3").into_iter().find_map(Host::probe)
}

fn install(why: &str) -> Result<()> {
    debian::install(DEBIAN_PACKAGES, "Python 3.9 or newer, with venv, is missing", why)
}
