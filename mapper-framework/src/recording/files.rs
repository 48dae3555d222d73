//! The recorded files of a device, for whoever reads them. Any of them may be gone a moment later.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use super::FileName;

/// A recorded file that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordedFile {
    pub(crate) name: FileName,
    pub(crate) bytes: u64,
}

/// The files of a folder, sorted by their names as texts; none if it is not there.
pub(super) fn list(folder: &Path) -> io::Result<Vec<RecordedFile>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().and_then(FileName::parse) else { continue };
        // One that is a link or gone is none.
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file);
        files.extend(metadata.map(|metadata| RecordedFile { name, bytes: metadata.len() }));
    }
    files.sort_by_cached_key(|file| file.name.to_string());
    Ok(files)
}

/// Opens a file of a folder.
pub(super) fn read(folder: &Path, name: FileName) -> io::Result<Option<(File, FileName, u64)>> {
    let path = folder.join(name.to_string());
    let is_file = |metadata: &fs::Metadata| metadata.is_file();
    match fs::symlink_metadata(&path) {
        Ok(metadata) if is_file(&metadata) => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => return Ok(None),
    }
    match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => {
            let file = file?;
            let bytes = file.metadata()?.len();
            Ok(Some((file, name, bytes)))
        }
    }
}
