//! Keeps other mappers out of the files of this one.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

/// How often, and how long apart, the lock is tried to be taken: the mapper before this one may still be closing its files.
pub(super) const LOCK_ATTEMPTS: u32 = 10;
pub(super) const LOCK_PAUSE: Duration = Duration::from_millis(200);

/// A file that is locked for everybody else, until this is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Locks a file that lies beside the one that is meant, since that one is replaced now and then. `None` if another has the lock.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for Lock {
    /// Closing the file would not be enough: a process that is just being started has a copy of it for a moment, and with it the
    /// lock.
    fn drop(&mut self) {
        self.0.unlock().ok();
    }
}
