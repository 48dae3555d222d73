//! The files of a spool: their names, the lock, and what is set aside.

use std::{
    collections::VecDeque,
    ffi::OsStr,
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::{error::SpoolError, format::MAX_NUMBER};

/// How many corrupt segments are kept for whoever wants to look into them.
const CORRUPT_KEPT: usize = 2;

/// The file that is locked by whoever has the spool open.
pub(super) const LOCK: &str = "lock";

/// What a file with a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A segment that is read and written.
    Segment,
    /// A segment that was found to be broken.
    Corrupt,
    /// A segment of another version of the format.
    Unknown,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Segment, Self::Corrupt, Self::Unknown];

    fn extension(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Corrupt => "corrupt",
            Self::Unknown => "unknown",
        }
    }
}

/// The name of a file with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) number: u64,
    pub(super) kind: Kind,
}

impl Name {
    pub(super) fn segment(number: u64) -> Self {
        Self { number, kind: Kind::Segment }
    }

    /// The name that a spool has given to a file; no other file is touched.
    pub(super) fn parse(name: &OsStr) -> Option<Self> {
        let (digits, extension) = name.to_str()?.split_once('.')?;
        let number = digits.parse().ok().filter(|number| *number <= MAX_NUMBER)?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.extension() == extension)?;
        let parsed = Self { number, kind };
        (name == parsed.to_string().as_str()).then_some(parsed)
    }

    pub(super) fn within(self, folder: &Path) -> PathBuf {
        folder.join(self.to_string())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}.{}", self.number, self.kind.extension())
    }
}

/// The files of a folder that are a spool's, each with its size, ordered by number. Folders and links are none.
pub(super) fn list(folder: &Path) -> Result<Vec<(Name, u64)>, SpoolError> {
    let failed = || SpoolError::on("list", folder);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let Some(name) = Name::parse(&entry.file_name()) else { continue };
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => files.push((name, metadata.len())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(SpoolError::on("look at", &entry.path())(error)),
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Makes a folder with all that lack above it, and has `sync` force the names of those that were made to the disk.
pub(super) fn make_folder(folder: &Path, mut sync: impl FnMut(&Path) -> io::Result<()>) -> Result<(), SpoolError> {
    let lacks = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.is_dir();
    let missing = folder.ancestors().take_while(lacks).count();
    if missing > 0 {
        fs::create_dir_all(folder).map_err(SpoolError::on("create", folder))?;
    }
    for parent in folder.ancestors().skip(1).take(missing) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match sync(parent) {
            // One may make folders where one may not read, and then this is all that can be done.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced.map_err(SpoolError::on("sync", parent))?,
        }
    }
    Ok(())
}

/// A folder that is locked for everybody else, until this is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Closing the file would not be enough: a process that is just being started has a copy of it for a moment, and with it the
    /// lock.
    fn drop(&mut self) {
        self.0.unlock().ok();
    }
}

/// Locks the folder.
pub(super) fn lock(folder: &Path) -> Result<Lock, SpoolError> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        // Whatever stands there, if it is only for reading: a folder can be locked as well as a file.
        .or_else(|error| File::open(&path).map_err(|_| error))
        .map_err(SpoolError::on("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(SpoolError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(SpoolError::on("lock", &path)(error)),
    }
}

/// Removes a file. One that has gone already is as good.
pub(super) fn remove(path: &Path) -> Result<(), SpoolError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SpoolError::on("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Removes a folder in which nothing lies any more. One that has gone already is as good, and what is not ours stays where it is.
pub(super) fn remove_folder(folder: &Path) -> Result<(), SpoolError> {
    let is_fine = [io::ErrorKind::NotFound, io::ErrorKind::DirectoryNotEmpty];
    match fs::remove_dir(folder) {
        Err(error) if !is_fine.contains(&error.kind()) => Err(SpoolError::on("remove", folder)(error)),
        _ => Ok(()),
    }
}

/// Forces the names of the files in a folder to the disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The files that take up room and are not read: they go first when room is needed.
#[derive(Debug)]
pub(super) struct Aside {
    folder: PathBuf,
    /// With their sizes, those to be removed first in front.
    files: VecDeque<(Name, u64)>,
}

impl Aside {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, files: VecDeque::new() }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Takes in a file that is there already.
    pub(super) fn add(&mut self, name: Name, bytes: u64) {
        // A rename has replaced the one that had the name before.
        self.files.retain(|(other, _)| *other != name);
        self.files.push_back((name, bytes));
    }

    /// Renames a segment, and removes the corrupt ones that are too many.
    pub(super) fn set_aside(&mut self, number: u64, kind: Kind, bytes: u64) -> Result<(), SpoolError> {
        let (from, name) = (Name::segment(number).within(&self.folder), Name { number, kind });
        match fs::rename(&from, name.within(&self.folder)) {
            Ok(()) => self.add(name, bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Something that is not ours has the name. What is broken is not worth a spool that does not open.
            Err(_) => remove(&from)?,
        }
        self.prune()
    }

    /// Removes a segment that is done with. Where that fails it stays among those that go when room is needed.
    pub(super) fn dispose(&mut self, number: u64, bytes: u64) -> Result<(), SpoolError> {
        let name = Name::segment(number);
        remove(&name.within(&self.folder)).inspect_err(|_| self.add(name, bytes))
    }

    /// Removes all corrupt segments but the newest.
    pub(super) fn prune(&mut self) -> Result<(), SpoolError> {
        let is_corrupt = |file: &(Name, u64)| file.0.kind == Kind::Corrupt;
        while self.files.iter().filter(|file| is_corrupt(file)).count() > CORRUPT_KEPT
            && let Some(oldest) = self.files.iter().position(is_corrupt)
        {
            self.remove_at(oldest)?;
        }
        Ok(())
    }

    /// Removes the oldest file. False when there is none.
    pub(super) fn remove_oldest(&mut self) -> Result<bool, SpoolError> {
        if self.files.is_empty() {
            return Ok(false);
        }
        self.remove_at(0).map(|()| true)
    }

    fn remove_at(&mut self, at: usize) -> Result<(), SpoolError> {
        remove(&self.files[at].0.within(&self.folder))?;
        self.files.remove(at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_on_the_disk_up_to_the_topmost_one_that_was_made() {
        let top = tempfile::tempdir().unwrap();
        let made = |folder: &str| {
            let mut synced = Vec::new();
            let folder = top.path().join(folder);
            make_folder(&folder, |parent| {
                assert!(folder.is_dir(), "it is there before");
                synced.push(parent.strip_prefix(top.path()).unwrap().to_str().unwrap().to_owned());
                Ok(())
            })
            .unwrap();
            synced
        };
        assert_eq!(made("a/b/c"), ["a/b", "a", ""]);
        assert_eq!(made("a/b/d"), ["a/b"]);
        assert_eq!(made("a/b/d"), [""; 0]);
    }

    #[test]
    fn a_folder_above_that_may_not_be_read_is_no_hindrance_but_a_disk_that_fails_is() {
        let top = tempfile::tempdir().unwrap();
        make_folder(&top.path().join("a"), |_| Err(io::ErrorKind::PermissionDenied.into())).unwrap();
        let error = make_folder(&top.path().join("b"), |_| Err(io::Error::other("gone"))).unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot sync {}: ", top.path().display())), "{error}");
    }

    #[test]
    fn only_names_that_a_spool_gives_are_its_own() {
        let name = Name::segment(42);
        assert_eq!(name.to_string(), "00000000000000000042.segment");
        assert_eq!(Name::parse(OsStr::new("00000000000000000042.segment")), Some(name));
        let foreign = [
            "42.segment",
            "00000000000000000042.segment.bak",
            "cursor",
            ".segment",
            "",
            "-0000000000000000042.corrupt",
        ];
        for foreign in foreign.into_iter().chain(["+0000000000000000042.corrupt", "18446744073709551615.segment"]) {
            assert_eq!(Name::parse(OsStr::new(foreign)), None, "{foreign}");
        }
    }
}
