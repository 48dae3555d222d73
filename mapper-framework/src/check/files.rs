//! The files that the command line names.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::CheckError;
use crate::local_edge::folder::EXTENSIONS;

/// A file's text.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Reads files, and those of directories that hold manifests, but of no directory below. Each is read once.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Text>, CheckError> {
    let mut files = BTreeSet::new();
    for path in paths {
        let failed = |source| CheckError::Read { path: path.clone(), source };
        if !fs::metadata(path).map_err(failed)?.is_dir() {
            files.insert(path.clone());
            continue;
        }
        let manifests = manifests_in(path).map_err(failed)?;
        if manifests.is_empty() {
            return Err(CheckError::Empty(path.clone()));
        }
        files.extend(manifests);
    }
    files.into_iter().map(read_file).collect()
}

fn read_file(path: PathBuf) -> Result<Text, CheckError> {
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Text { path, text }),
        Err(source) => Err(CheckError::Read { path, source }),
    }
}

fn manifests_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) && path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[PathBuf]) -> Vec<String> {
        let texts = read(paths).unwrap();
        texts.iter().map(|text| text.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_directory_gives_its_manifests_and_no_other_file_and_none_twice() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["b.yml", "a.yaml", "c.json", "notes.txt"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        fs::create_dir(folder.path().join("below.yaml")).unwrap();
        let twice = [folder.path().to_owned(), folder.path().join("a.yaml")];
        assert_eq!(names(&twice), ["a.yaml", "b.yml", "c.json"]);
        assert_eq!(names(&[folder.path().join("notes.txt")]), ["notes.txt"], "a file that is named is read");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("devices");
        let error = read(std::slice::from_ref(&missing)).unwrap_err().to_string();
        assert_eq!(error, format!("{}: No such file or directory (os error 2)", missing.display()));
        let error = read(&[folder.path().to_owned()]).unwrap_err();
        assert!(matches!(error, CheckError::Empty(_)), "{error}");
    }
}
