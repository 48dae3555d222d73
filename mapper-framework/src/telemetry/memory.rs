//! The memory of writes on disk.

use std::{fmt::Display, path::Path};

use super::{Occurrence, event::event};

event! {
    /// Something in the file is broken. What was lost counts lines and the entries that they may have replaced.
    MemoryDamaged<'a> { path: &'a Path, line: u64, entries: u64, aside: &'a Path }
    log ERROR "the memory of writes is damaged: what it has lost is not known to be written or not, and from now on a desired value of \
        which nothing is remembered is written only when it changes; the damaged file is kept, and may be deleted"
        [path = %path.display(), line, entries_lost = entries, kept_as = %aside.display()];
    count memory.damaged;
}

event! {
    /// A mapper of another version has written the file.
    MemoryOfOtherVersion<'a> { path: &'a Path, version: u32, aside: &'a Path }
    log ERROR "the memory of writes is of another version, as after a downgrade, and cannot be read: from now on a desired value of \
        which nothing is remembered is written only when it changes; to undo this, go back to the other version and put the kept file \
        in the place of the new one"
        [path = %path.display(), version, kept_as = %aside.display()];
    count memory.damaged;
}

event! {
    /// The file is there, or may be, and cannot be read.
    MemoryUnreadable<'a> { path: &'a Path, error: &'a dyn Display }
    log ERROR "the memory of writes cannot be read: nothing is kept over the next restart, and a desired value is written only when it \
        changes; let the mapper read and write the file, or set writes.memory to another path"
        [path = %path.display(), %error];
    count memory.failed;
}

event! {
    /// The file cannot be made or written.
    MemoryUnwritable<'a> { path: &'a Path, error: &'a dyn Display }
    log ERROR "the memory of writes cannot be written: what is written to devices from now on may be written again after a restart; \
        make room, or set writes.memory to a path that the mapper may write"
        [path = %path.display(), %error];
    count memory.failed;
}

event! {
    /// Another mapper has the file.
    MemoryInUse<'a> { path: &'a Path }
    log ERROR "another mapper has the memory of writes: nothing is kept over the next restart, and a desired value is written only when \
        it changes; give each mapper a writes.memory of its own"
        [path = %path.display()];
    count memory.failed;
}

event! {
    /// A change of an entry could not be written.
    MemoryFailed<'a> { path: &'a Path, error: &'a dyn Display, occurrence: Occurrence }
    first ERROR "the memory of writes cannot be written: what is written to devices meanwhile may be written again after a restart; \
        make room on the disk" [path = %path.display(), %error];
    count memory.failed;
}

event! {
    /// All entries are on the disk again.
    MemoryWorks<'a> { path: &'a Path }
    log INFO "the memory of writes can be written again, and nothing of it is lost" [path = %path.display()];
}

event! {
    /// Entries had no room.
    MemoryFull { entries: usize }
    log ERROR "the memory of writes is full, and its oldest entries are dropped, those of devices that are gone first: from now on a \
        desired value of which nothing is remembered is written only when it changes" [entries];
    count memory.entries_dropped += entries as u64;
}
