//! ffmpeg and ffprobe, which read, write and play the streams of cameras in the tests.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use super::{
    debian,
    servers::{link, missing},
};
use crate::shell;

/// Each program, and the Debian package that brings it.
const PROGRAMS: [(&str, &str); 2] = [("ffmpeg", "ffmpeg"), ("ffprobe", "ffmpeg")];

/// Provides the programs, and gives a folder with a link to each.
pub(super) fn provide() -> Result<PathBuf> {
    if let Some((packages, missing)) = missing(&PROGRAMS) {
        debian::install(&packages, &missing, "for the tests of streams, which a foreign program reads and gives")?;
    }
    let folder = super::folder().join("ffmpeg");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    for (program, package) in PROGRAMS {
        let path = shell::find(program).with_context(|| format!("{package} is installed, but brings no {program}"))?;
        link(&path, &folder.join(program))?;
    }
    Ok(folder)
}
