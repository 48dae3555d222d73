//! The files of manifests that the command line names.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::EXTENSIONS;

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// A path that was named.
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A directory that was named for nothing.
    #[error("{}: there is no manifest in it: name the directory of the .yaml, .yml or .json files", .0.display())]
    Empty(PathBuf),
}

/// A file's text, if it can be read. One that cannot hides no other.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) path: PathBuf,
    pub(crate) text: Result<String, Unreadable>,
}

/// Why a file has no text, and the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) message: String,
    pub(crate) cure: String,
}

/// The path that stands for standard input.
const STDIN: &str = "-";

/// Reads files, and those of directories that hold manifests, but of no directory below. Each is read once.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Text>, FilesError> {
    let mut files = BTreeSet::new();
    for path in paths {
        if path.as_os_str() == STDIN {
            files.insert(path.clone());
            continue;
        }
        let failed = |source| FilesError::Read { path: path.clone(), source };
        if !fs::metadata(path).map_err(failed)?.is_dir() {
            files.insert(path.clone());
            continue;
        }
        let manifests = manifests_in(path).map_err(failed)?;
        if manifests.is_empty() {
            return Err(FilesError::Empty(path.clone()));
        }
        files.extend(manifests);
    }
    Ok(files.into_iter().map(read_file).collect())
}

fn read_file(path: PathBuf) -> Text {
    let is_stdin = path.as_os_str() == STDIN;
    let bytes = if is_stdin { read_all(io::stdin().lock()) } else { fs::read(&path) };
    let text = match bytes {
        Ok(bytes) => text_of(bytes),
        Err(error) => {
            let (message, cure) = (format!("cannot be read: {error}"), "make the file readable".to_owned());
            Err(Unreadable { message, cure })
        }
    };
    Text { path: if is_stdin { "standard input".into() } else { path }, text }
}

fn read_all(mut input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of bytes in UTF-8, or in what they are instead.
fn text_of(bytes: Vec<u8>) -> Result<String, Unreadable> {
    let encoding = match bytes.as_slice() {
        [0xff, 0xfe, ..] => Some("UTF-16LE"),
        [0xfe, 0xff, ..] => Some("UTF-16BE"),
        // Before anything else a manifest has letters of ASCII.
        [0, _, ..] => Some("UTF-16BE"),
        [_, 0, ..] => Some("UTF-16LE"),
        _ => None,
    };
    let fault = |message: String, from: &str| {
        let cure = format!("save it as UTF-8, such as by: iconv -f {from} -t UTF-8");
        Unreadable { message, cure }
    };
    if let Some(encoding) = encoding {
        return Err(fault(format!("the file is in {encoding}, and a manifest is in UTF-8"), encoding));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        // Which of the old encodings it is cannot be seen.
        let message = format!("the file is not in UTF-8: line {line} holds other bytes");
        let cure = "save it as UTF-8; from GBK, such as by: iconv -f GBK -t UTF-8".to_owned();
        Unreadable { message, cure }
    })
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
        assert!(matches!(error, FilesError::Empty(_)), "{error}");
    }

    #[test]
    fn a_file_that_is_not_utf_8_costs_itself_and_names_its_cure() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), b"a: 1\nb: \xce\xc2\xb6\xc8\n").unwrap();
        fs::write(folder.path().join("b.yaml"), "a: 1\n").unwrap();
        fs::write(folder.path().join("c.yaml"), b"\xff\xfea\0:\0").unwrap();
        let texts = read(&[folder.path().to_owned()]).unwrap();
        let told: Vec<_> =
            texts.iter().map(|text| text.text.clone().map_err(|it| format!("{}: {}", it.message, it.cure))).collect();
        assert!(told[0].as_ref().is_err_and(|it| it.contains("line 2") && it.contains("iconv -f GBK")), "{told:?}");
        assert_eq!(told[1].as_deref(), Ok("a: 1\n"));
        assert!(told[2].as_ref().is_err_and(|it| it.contains("iconv -f UTF-16LE")), "{told:?}");
    }
}
