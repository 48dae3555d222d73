//! What time it may be.

use std::time::{Duration, SystemTime};

/// 2020-01-01. A clock that shows less was never set: a machine without a battery begins in 1970.
const EARLIEST: Duration = Duration::from_secs(1_577_836_800);

/// Whether a clock that shows this time has been set.
pub(super) fn is_plausible(now: SystemTime) -> bool {
    now >= SystemTime::UNIX_EPOCH + EARLIEST
}
