//! Times, durations and texts as a person reads them.

use std::time::{Duration, SystemTime};

use humantime_serde::re::humantime::parse_rfc3339_weak;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// What stands for what is not there.
pub(super) const NOTHING: &str = "-";

/// A duration in at most two units, such as `3h5m`.
pub(super) fn span(seconds: f64) -> String {
    let duration = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
    let two = |large: u64, name: &str, small: u64, small_name: &str| match small {
        0 => format!("{large}{name}"),
        small => format!("{large}{name}{small}{small_name}"),
    };
    match duration.as_secs() {
        seconds if seconds < 10 => format!("{:.1}s", duration.as_secs_f64()),
        seconds if seconds < MINUTE => format!("{seconds}s"),
        seconds if seconds < HOUR => two(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        seconds if seconds < DAY => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        seconds => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
    }
}

/// How long ago a time of the API is, by the clock of this machine; the time itself if it is none.
pub(super) fn ago(time: &str) -> String {
    match parse_rfc3339_weak(time) {
        Ok(time) => span(SystemTime::now().duration_since(time).unwrap_or_default().as_secs_f64()),
        Err(_) => clean(time),
    }
}

/// How long ago what may have a time is.
pub(super) fn ago_or_nothing(time: Option<&str>) -> String {
    time.map_or_else(|| NOTHING.to_owned(), ago)
}

/// A text of a device or a server on one line: no control character of it reaches the terminal.
pub(super) fn clean(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' | '\t' => ' ',
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    text.trim_end().chars().map(shown).collect()
}

/// What may be there, cleaned.
pub(super) fn or_nothing(text: Option<&str>) -> String {
    text.map_or_else(|| NOTHING.to_owned(), clean)
}

/// A count with its noun.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_at_most_two_units() {
        for (seconds, expected) in [
            (-1.0, "0.0s"),
            (0.25, "0.2s"),
            (12.9, "12s"),
            (60.0, "1m"),
            (61.0, "1m1s"),
            (3_600.0, "1h"),
            (11_100.0, "3h5m"),
            (90_000.0, "1d1h"),
        ] {
            assert_eq!(span(seconds), expected);
        }
        assert!(span(f64::MAX).ends_with('h'));
    }

    #[test]
    fn a_time_is_shown_by_its_age() {
        assert_eq!(ago("soon"), "soon");
        assert!(ago("2020-01-01T00:00:00.000Z").contains('d'));
        assert_eq!(ago_or_nothing(None), "-");
    }

    #[test]
    fn no_control_character_reaches_the_terminal() {
        assert_eq!(clean("a\u{1b}[2J\nb\n"), "a\u{fffd}[2J b");
    }
}
