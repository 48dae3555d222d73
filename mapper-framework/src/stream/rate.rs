//! How many frames come in a second.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest time over which frames are counted.
const WINDOW: Duration = Duration::from_secs(2);

/// Counts frames in windows of time, of which the last whole one says how many come.
#[derive(Clone, Debug, Default)]
pub(super) struct Rate {
    /// When the window began, and the frames in it after that of its begin.
    window: Option<(Instant, u32)>,
    /// By the window before.
    last: Option<f64>,
}

impl Rate {
    /// A frame has come.
    pub(super) fn count(&mut self, now: Instant) {
        let Some((begin, frames)) = &mut self.window else {
            self.window = Some((now, 0));
            return;
        };
        *frames = frames.saturating_add(1);
        let elapsed = now.saturating_duration_since(*begin);
        if elapsed >= WINDOW {
            self.last = Some(f64::from(*frames) / elapsed.as_secs_f64());
            self.window = Some((now, 0));
        }
    }

    /// Frames in a second, to a tenth. Where none have come for longer than a window, that counts.
    pub(super) fn per_second(&self, now: Instant) -> f64 {
        let Some((begin, frames)) = self.window else { return 0.0 };
        let elapsed = now.saturating_duration_since(begin).as_secs_f64();
        let present = if elapsed > 0.0 { f64::from(frames) / elapsed } else { 0.0 };
        let is_over = elapsed > 2.0 * WINDOW.as_secs_f64();
        let rate = if is_over { present } else { self.last.unwrap_or(present) };
        (rate * 10.0).round() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_over_the_last_seconds() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        assert!(rate.per_second(start).abs() < f64::EPSILON);
        let frame = |number: u32| start + Duration::from_millis(40) * number;
        (0..=100).for_each(|number| rate.count(frame(number)));
        assert_eq!(rate.per_second(frame(100)).to_string(), "25");
        assert_eq!(rate.per_second(frame(101)).to_string(), "25");
        assert_eq!(rate.per_second(frame(10_000)).to_string(), "0", "no frame has come for minutes");
    }

    #[test]
    fn a_thousand_frames_in_a_second_and_one_in_a_minute_are_told() {
        for (interval, expected) in [(Duration::from_millis(1), "1000"), (Duration::from_secs(10), "0.1")] {
            let (mut rate, start) = (Rate::default(), Instant::now());
            (0..=2000).for_each(|number| rate.count(start + interval * number));
            assert_eq!(rate.per_second(start + interval * 2000).to_string(), expected);
        }
    }
}
