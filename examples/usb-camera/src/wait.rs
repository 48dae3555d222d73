//! Waiting for bytes, and not for longer.

use std::{io, os::fd::AsFd, time::Duration};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Waits until a file has bytes, an error or an end, no longer than `patience`. Returns whether it has.
pub(crate) fn wait_for_bytes(file: &impl AsFd, patience: Duration) -> io::Result<bool> {
    let mut files = [PollFd::new(file, PollFlags::IN)];
    let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
    match poll(&mut files, Some(&patience)) {
        Ok(count) => Ok(count > 0),
        // A signal: whoever asks looks again.
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
