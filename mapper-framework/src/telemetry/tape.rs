//! The recording of a session.

use std::{fmt::Display, path::Path};

use super::event::event;

event! {
    /// The file cannot be written, and the recording has ended.
    TapeFailed<'a> { path: &'a Path, error: &'a dyn Display }
    log ERROR "the recording cannot be written, and ends here: what is in the file can be replayed" [path = %path.display(), %error];
    count tape.failed;
}

event! {
    /// The file has as many bytes as it may have, and the recording has ended.
    TapeFull<'a> { path: &'a Path, bytes: u64 }
    log WARN "the recording is as large as it may be, and ends here" [path = %path.display(), bytes];
    count tape.full;
}

event! {
    /// A call, or bytes, have so many bytes that no reader takes them.
    TapeEntryTooLong<'a> { path: &'a Path, device: &'a str, bytes: usize }
    log WARN "a call is too long to be recorded, and left out" [path = %path.display(), device, bytes];
    count tape.entries_lost;
}

event! {
    /// A call, or bytes, came when the recording had ended, or ended it.
    TapeEntryLost {}
    count tape.entries_lost;
}
