//! Times as text.

use std::time::{Duration, SystemTime};

use humantime_serde::re::humantime::format_rfc3339_millis;

/// The last second that RFC 3339 has a text for, in seconds since 1970.
const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);

/// The nearest time that RFC 3339 has a text for. A clock that was never set, or a device, may give one that has none.
pub(crate) fn writable(time: SystemTime) -> SystemTime {
    time.clamp(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + LAST_SECOND)
}

/// A time in UTC to the millisecond, such as `2026-01-31T23:59:59.000Z`. One that has no such text is the nearest that has.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    format_rfc3339_millis(writable(time)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_no_text_has_room_for_is_the_nearest_one() {
        let (day, ages) = (Duration::from_secs(86_400), Duration::from_secs(1 << 40));
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - day), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_micros(1_500)), "1970-01-01T00:00:00.001Z");
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + ages), "9999-12-31T23:59:59.000Z");
    }
}
