//! Folders with all that is in them: copied, and watched for edits by checksums.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A line for each file below the folder, as `sha256sum` writes it, in the order of the paths. What cargo leaves in a project is
/// left out.
///
/// # Errors
///
/// A file cannot be read.
pub fn checksums(folder: &Path) -> Result<String> {
    let mut files = files(folder)?;
    files.retain(|file| !is_cargos(folder, file));
    files.sort();
    files.iter().map(|file| line(folder, file)).collect()
}

/// The checksum of one file.
///
/// # Errors
///
/// The file cannot be read.
pub fn checksum(file: &Path) -> Result<String> {
    let content = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether cargo has written a file, which it does beside a manifest: whoever has run it in there has changed nothing.
fn is_cargos(folder: &Path, file: &Path) -> bool {
    let written = file.ancestors().take_while(|path| *path != folder);
    let mut written = written.filter(|path| path.ends_with("target") || path.ends_with("Cargo.lock"));
    written.any(|path| path.with_file_name("Cargo.toml").is_file())
}

fn line(folder: &Path, file: &Path) -> Result<String> {
    let path = file.strip_prefix(folder).context("the file lies below the folder")?;
    Ok(format!("{}  {}\n", checksum(file)?, path.display()))
}

/// All files below the folder.
///
/// # Errors
///
/// A folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(self::files(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// Copies a folder, with what is in it, to where its files may be changed.
///
/// # Errors
///
/// A file cannot be copied.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files(from)? {
        let copy = to.join(file.strip_prefix(from).context("the file lies below the folder")?);
        fs::create_dir_all(copy.parent().context("a file lies in a folder")?)?;
        fs::copy(&file, &copy).with_context(|| format!("{} cannot be copied", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_as_sha256sum_lists_them() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("b"))?;
        fs::write(folder.path().join("b/two"), "two")?;
        fs::write(folder.path().join("a"), "")?;
        let list = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n\
                    3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3  b/two\n";
        assert_eq!(checksums(folder.path())?, list);
        Ok(())
    }

    #[test]
    fn what_cargo_leaves_beside_a_manifest_is_no_part_of_a_project() -> Result<()> {
        let folder = tempfile::tempdir()?;
        for file in ["user/Cargo.toml", "user/src/target/mod.rs"] {
            write(&folder.path().join(file))?;
        }
        let list = checksums(folder.path())?;
        assert_eq!(list.lines().count(), 2, "{list}");
        for file in ["user/Cargo.lock", "user/target/CACHEDIR.TAG", "user/target/debug/user"] {
            write(&folder.path().join(file))?;
        }
        assert_eq!(checksums(folder.path())?, list);
        Ok(())
    }

    fn write(file: &Path) -> Result<()> {
        fs::create_dir_all(file.parent().context("a file lies in a folder")?)?;
        Ok(fs::write(file, "")?)
    }
}
