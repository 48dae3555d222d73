//! A file that is there as a whole or not at all.

use std::{
    fs::Permissions,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::ScaffoldError;

/// What a new file may be used for, less what the user's umask takes away.
const MODE: u32 = 0o666;

/// Writes a file by the side and moves it to its place, so that a driver which is being compiled is never half of one.
pub(super) fn write(path: &Path, text: &str, force: bool) -> Result<(), ScaffoldError> {
    let failed = |source| match io::Error::kind(&source) {
        io::ErrorKind::AlreadyExists => ScaffoldError::Exists(path.to_owned()),
        _ => ScaffoldError::Write { path: path.to_owned(), source },
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new();
    let mut file = file.permissions(Permissions::from_mode(MODE)).tempfile_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    let moved = if force { file.persist(path) } else { file.persist_noclobber(path) };
    moved.map(drop).map_err(|error| failed(error.error))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_written_over_only_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("driver.rs");
        write(&path, "first", false).unwrap();
        let error = write(&path, "second", false).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("{}: exists, and is left as it is: name another file, or add --force", path.display())
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        write(&path, "third", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "third");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write(Path::new("no/such/folder/driver.rs"), "", true).unwrap_err().to_string();
        assert!(error.starts_with("no/such/folder/driver.rs: cannot be written: No such file or directory"), "{error}");
    }
}
