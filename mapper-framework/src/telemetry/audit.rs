//! The audit of writes.

use std::{fmt::Display, path::Path};

use super::{Occurrence, event::event};

event! {
    /// The file cannot be made, written or rotated.
    AuditFailed<'a> { path: &'a Path, error: &'a dyn Display, occurrence: Occurrence }
    first ERROR "the audit cannot be written, and its lines are lost meanwhile: make room on the disk, or set writes.audit.path to a \
        file that the mapper may write" [path = %path.display(), %error];
    count audit.failed;
}

event! {
    /// Writes come faster than the disk takes their lines.
    AuditOverflows<'a> { path: &'a Path, occurrence: Occurrence }
    first ERROR "the audit cannot keep up with the writes, and lines of it are lost meanwhile" [path = %path.display()];
    count audit.failed;
}

event! {
    /// Lines are lost.
    AuditLinesLost { lines: u64 }
    count audit.lines_lost += lines;
}

event! {
    /// The audit is written again, with a gap of so many lines.
    AuditWorks<'a> { path: &'a Path, lines_lost: u64 }
    log WARN "the audit is written again, and has a gap" [path = %path.display(), lines_lost];
    count audit.gaps;
}
