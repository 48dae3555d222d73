//! Remembers what a folder was made from, so that it is made again only when that changes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// A file which holds what its folder was made from. It is written last: a folder without it is unfinished.
pub(super) struct Stamp {
    file: PathBuf,
    content: String,
}

impl Stamp {
    /// The stamp of `folder` when made from `content`.
    pub(super) fn new(folder: &Path, content: String) -> Self {
        Self { file: folder.join("made-from"), content }
    }

    /// Whether the folder is finished and made from this content.
    pub(super) fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|kept| kept == self.content)
    }

    /// Declares the folder finished.
    pub(super) fn write(&self) -> Result<()> {
        fs::write(&self.file, &self.content).with_context(|| format!("{} cannot be written", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(folder: &tempfile::TempDir, content: &str) -> Stamp {
        Stamp::new(folder.path(), content.to_owned())
    }

    #[test]
    fn a_folder_without_a_stamp_is_unfinished() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!stamp(&folder, "one").is_current());
        assert!(!stamp(&folder, "").is_current());
    }

    #[test]
    fn a_folder_is_current_until_its_content_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        stamp(&folder, "one").write().expect("written");
        assert!(stamp(&folder, "one").is_current());
        assert!(!stamp(&folder, "one and two").is_current());
        stamp(&folder, "one and two").write().expect("written");
        assert!(stamp(&folder, "one and two").is_current());
        assert!(!stamp(&folder, "one").is_current());
    }

    #[test]
    fn a_stamp_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Stamp::new(&folder.path().join("missing"), String::new()).write().expect_err("no such folder");
        assert!(error.to_string().ends_with("missing/made-from cannot be written"), "{error}");
    }
}
