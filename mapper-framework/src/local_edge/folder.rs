//! The manifests in a folder.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use super::error::LocalEdgeError;
use crate::manifest::{self, EXTENSIONS, Parsed};

/// Reads a file, or all manifests of a folder, but of no folder below it. A file that is wrong does not hide the others.
pub(super) async fn read(folder: &Path) -> io::Result<BTreeMap<PathBuf, Result<Parsed, LocalEdgeError>>> {
    let mut files = BTreeMap::new();
    if tokio::fs::metadata(folder).await?.is_file() {
        files.insert(folder.to_owned(), read_file(folder).await);
        return Ok(files);
    }
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let path = entry.path();
        let named = path.extension().and_then(|extension| extension.to_str());
        if named.is_some_and(|extension| EXTENSIONS.contains(&extension)) && path.is_file() {
            files.insert(path.clone(), read_file(&path).await);
        }
    }
    Ok(files)
}

async fn read_file(path: &Path) -> Result<Parsed, LocalEdgeError> {
    let text = tokio::fs::read_to_string(path).await.map_err(|error| LocalEdgeError::io(path, error))?;
    Ok(manifest::parse(&text, Some(path))?)
}
