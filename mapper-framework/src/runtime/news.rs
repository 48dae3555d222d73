//! Which reasons of what fails again and again are worth a line in the log.

use std::time::Duration;

use tokio::time::Instant;

/// A reason that has been said is not said again for so long, even if another one was said between.
const REPEAT_AFTER: Duration = Duration::from_secs(600);

/// How many reasons are said within [`REPEAT_AFTER`], for a reason may be another one each time.
const MAX_REASONS: usize = 8;

/// What has been said since something began to fail: each reason when it becomes another one, and within bounds.
#[derive(Debug, Default)]
pub(super) struct News {
    last: Option<String>,
    said: Vec<(String, Instant)>,
}

impl News {
    /// Whether to say a reason: it is not the last one but for its numbers, which may count attempts or show a time.
    pub(super) fn is_news(&mut self, reason: &str, now: Instant) -> bool {
        let shape = shape(reason);
        let is_another = self.last.as_ref() != Some(&shape);
        if is_another {
            self.last = Some(shape);
        }
        is_another && self.is_due(reason, now)
    }

    /// Whether to say a reason, as far as only the bounds count.
    pub(super) fn is_due(&mut self, reason: &str, now: Instant) -> bool {
        let shape = shape(reason);
        self.said.retain(|(_, at)| now.saturating_duration_since(*at) < REPEAT_AFTER);
        let fits = self.said.len() < MAX_REASONS && self.said.iter().all(|(said, _)| *said != shape);
        if fits {
            self.said.push((shape, now));
        }
        fits
    }

    /// It works again: whatever comes next is news.
    pub(super) fn over(&mut self) {
        *self = Self::default();
    }
}

/// A reason without its numbers.
fn shape(reason: &str) -> String {
    let mut shape = String::with_capacity(reason.len());
    for character in reason.chars() {
        match character {
            '0'..='9' if shape.ends_with('#') => {}
            '0'..='9' => shape.push('#'),
            other => shape.push(other),
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_said_when_it_becomes_another_one() {
        let (mut news, now) = (News::default(), Instant::now());
        let said = ["refused", "refused", "no route", "no route"].map(|reason| news.is_news(reason, now));
        assert_eq!(said, [true, false, true, false]);
        news.over();
        assert!(news.is_news("no route", now), "it begins anew");
    }

    #[test]
    fn a_counter_or_a_time_does_not_make_it_another_one() {
        let (mut news, now) = (News::default(), Instant::now());
        assert!(news.is_news("attempt 9 at 12:00:07 failed", now));
        assert!(!news.is_news("attempt 10 at 12:00:08 failed", now));
    }

    #[test]
    fn reasons_that_never_repeat_and_reasons_that_alternate_are_bounded() {
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let letters =
            |n: u64| n.to_string().chars().map(|digit| char::from(b'a' + digit as u8 - b'0')).collect::<String>();
        let mut news = News::default();
        let said = (0..3600).filter(|&second| news.is_news(&letters(second), at(second))).count();
        assert_eq!(said, 6 * MAX_REASONS, "in an hour");
        let mut news = News::default();
        let said = (0..3600).filter(|&second| news.is_news(["left", "right"][second as usize % 2], at(second))).count();
        assert_eq!(said, 12, "in an hour");
    }
}
