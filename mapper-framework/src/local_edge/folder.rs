//! The manifests in a folder.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use super::{
    error::LocalEdgeError,
    manifest::{self, Parsed},
};

/// What `kubectl apply -f DIR` reads of a folder.
pub(crate) const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Reads all manifests of a folder, but of no folder below it. A file that is wrong does not hide the others.
pub(super) async fn read(folder: &Path) -> io::Result<BTreeMap<PathBuf, Result<Parsed, LocalEdgeError>>> {
    let mut files = BTreeMap::new();
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
