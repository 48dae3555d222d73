//! The folders of targets within the spool's: whose each is, and since when nobody asks for it.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::{Value as Json, json};
use tempfile::NamedTempFile;

use crate::spool::SpoolError;

use super::Target;

/// The file that says for which target the records beside it wait, so that they are delivered even if no device asks for the target
/// any more.
const TARGET_FILE: &str = "target.json";

/// The file that says by its time since when no device asks for the target, and nothing was delivered to it. It is there only then.
const ORPHAN_FILE: &str = "orphaned";

/// The folder of the spool itself, beside these files.
const LOG_FOLDER: &str = "log";

/// The folder of one target.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TargetFolder(PathBuf);

impl TargetFolder {
    /// The folder of a target within that of all spools.
    pub(super) fn of(target: &Target, spools: &Path) -> Self {
        Self(spools.join(target.id()))
    }

    /// Where the spool is.
    pub(super) fn log(&self) -> PathBuf {
        self.0.join(LOG_FOLDER)
    }

    /// Says whose it is: writes the file whole or not at all, for the mapper's eyes only.
    pub(super) fn label(&self, target: &Target) -> Result<(), SpoolError> {
        let file = self.0.join(TARGET_FILE);
        if target_of(&file).is_ok() {
            return Ok(());
        }
        let document = json!({"kind": target.kind(), "settings": target.raw_settings()});
        let written = NamedTempFile::new_in(&self.0).and_then(|mut temporary| {
            writeln!(temporary, "{document:#}")?;
            temporary.as_file().sync_all()?;
            temporary.persist(&file)?;
            File::open(&self.0)?.sync_all()
        });
        written.map_err(|reason| SpoolError::Io { attempt: "write", path: file, reason })
    }

    /// Since when nobody asks for the target, as it was noted last.
    pub(super) fn orphaned_since(&self) -> Option<SystemTime> {
        fs::metadata(self.0.join(ORPHAN_FILE)).and_then(|file| file.modified()).ok()
    }

    /// Notes since when nobody asks for the target. Where that fails, it is known until the mapper ends.
    pub(super) fn note_orphaned(&self, since: SystemTime) -> io::Result<()> {
        let file = File::options().write(true).create(true).truncate(false).open(self.0.join(ORPHAN_FILE))?;
        file.set_modified(since)?;
        file.sync_all()
    }

    /// Somebody asks for the target.
    pub(super) fn note_wanted(&self) {
        fs::remove_file(self.0.join(ORPHAN_FILE)).ok();
    }

    /// Removes the folder, in which there is no spool any more, unless something else lies there.
    pub(super) fn remove(&self) {
        for name in [ORPHAN_FILE, TARGET_FILE] {
            fs::remove_file(self.0.join(name)).ok();
        }
        fs::remove_dir(&self.0).ok();
    }
}

/// A folder of which nothing is delivered, and what to do about it.
#[derive(Debug, PartialEq)]
pub(super) struct Stray {
    pub(super) folder: PathBuf,
    pub(super) cure: String,
}

/// The targets for which something lies in the folder, and the folders that belong to none.
pub(super) fn targets(spools: &Path) -> Vec<Result<Target, Stray>> {
    let Ok(entries) = fs::read_dir(spools) else { return Vec::new() };
    let files = entries.filter_map(|entry| Some(entry.ok()?.path().join(TARGET_FILE)));
    files.filter(|file| file.is_file()).map(|file| target_of(&file)).collect()
}

/// The target by whose name a folder goes.
fn target_of(file: &Path) -> Result<Target, Stray> {
    let folder = file.parent().unwrap_or(file).to_owned();
    match read_target(file) {
        // One that was moved or copied is nobody's.
        Some(target) if folder.file_name().is_some_and(|name| name.to_str() == Some(&target.id())) => Ok(target),
        Some(target) => Err(Stray { folder, cure: format!("name it {}, if that is not there", target.id()) }),
        None => Err(Stray {
            folder,
            cure: format!("{TARGET_FILE} in it cannot be read: put it right, or remove the folder"),
        }),
    }
}

fn read_target(file: &Path) -> Option<Target> {
    let document: Json = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    Some(Target::new(document.get("kind")?.as_str()?, document.get("settings")?))
}
