//! The records on disk.

use std::{fmt::Display, path::Path};

use super::{Occurrence, event::event};

event! {
    /// Records of an earlier run were found.
    SpoolRecovered<'a> { target: &'a dyn Display, records: u64 }
    log INFO "records of an earlier run wait in the spool" [sink = %target, records];
    count spool.records_recovered at target += records;
}

event! {
    /// Something of the spool cannot be read: some segments are damaged, which has cost so many records as far as they can be counted, and
    /// some are of another version of the format.
    SpoolDamaged<'a> { target: &'a dyn Display, segments: u64, unknown: u64, records: u64 }
    log ERROR "the spool is damaged: what can be read is delivered, and the rest is lost"
        [sink = %target, segments, of_another_version = unknown, records];
    count spool.segments_damaged at target += segments + unknown;
}

event! {
    /// The mapper was killed, or the node lost its power.
    SpoolMended<'a> { target: &'a dyn Display, torn_bytes: u64, cursor_lost: bool }
    log INFO "the spool was not closed at the end of the last run: what was half written is cut, and some records may come twice"
        [sink = %target, torn_bytes, cursor_lost];
}

event! {
    /// Nobody delivers what an earlier run left.
    SpoolOrphaned<'a> { target: &'a dyn Display }
    log WARN "records of an earlier run wait in the spool for a kind of sink that this mapper does not have" [sink = %target];
    count spool.failed at target;
}

event! {
    /// What waits for a target is given up.
    SpoolPurged<'a> { target: &'a dyn Display, records: u64, bytes: u64 }
    log WARN "no device names the target any more, and nothing could be delivered to it for spool.orphan_age: what waited for it is lost"
        [sink = %target, records, bytes];
    count spool.targets_purged at target;
    count sinks.records_dropped at target += records;
}

event! {
    /// A folder of the spool belongs to no target.
    SpoolStray<'a> { folder: &'a Path, cure: &'a str }
    log WARN "nothing of this folder of the spool is delivered, since its name is not that of its target" [folder = %folder.display(), cure];
    count spool.failed;
}

event! {
    /// The folder of all spools cannot be made, written or locked.
    SpoolUnavailable<'a> { folder: &'a Path, error: &'a dyn Display, occurrence: Occurrence }
    first WARN "the spool's folder cannot be used: records wait in memory only, and are lost with the mapper; set spool.dir to a \
        folder that it may write" [folder = %folder.display(), %error];
    count spool.failed;
}

event! {
    /// The spool of a target cannot be read or written.
    SpoolFailed<'a> { target: &'a dyn Display, error: &'a dyn Display, occurrence: Occurrence }
    first ERROR "the spool cannot be used: records wait in memory while there is room" [sink = %target, %error];
    count spool.failed at target;
}

event! {
    /// Records were written to the spool of a target, all that had gathered.
    SpoolWritten<'a> { target: &'a dyn Display }
    count spool.appends at target;
}

event! {
    /// The spool of a target can be read and written again.
    SpoolWorks<'a> { target: &'a dyn Display }
    log INFO "the spool can be used again" [sink = %target];
}
