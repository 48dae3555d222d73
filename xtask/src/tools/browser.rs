//! Chromium with its WebDriver, for the tests of the page, and axe-core, which judges whether everybody can use it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{
    debian, npm,
    servers::{link, missing},
};
use crate::shell;

/// Each program, and the Debian package that brings it.
const PROGRAMS: [(&str, &str); 2] = [("chromium", "chromium"), ("chromedriver", "chromium-driver")];

/// The checks of accessibility, a package of npm's.
const AXE: &str = "axe-core@4.14.1";

/// What the tests load of it.
const AXE_SCRIPT: &str = "axe.min.js";

/// Provides the browser, and gives a folder with a link to each program and to the script of the checks.
pub(super) fn provide() -> Result<PathBuf> {
    let why = "for the tests of the page, which a real browser shows";
    if let Some((packages, missing)) = missing(&PROGRAMS) {
        debian::install(&packages, &missing, why)?;
    }
    let folder = super::folder().join("browser");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    for (program, package) in PROGRAMS {
        let path = shell::find(program).with_context(|| format!("{package} is installed, but brings no {program}"))?;
        link(&path, &folder.join(program))?;
    }
    link(&axe(&folder.join("npm"))?, &folder.join(AXE_SCRIPT))?;
    Ok(folder)
}

/// The script of the checks, installed into `folder` unless it is there.
fn axe(folder: &Path) -> Result<PathBuf> {
    npm::install(folder, AXE, "for the tests of the page's accessibility")?;
    Ok(folder.join("node_modules/axe-core").join(AXE_SCRIPT))
}
