//! What comes and goes at every turn is not logged at every turn.

use std::{mem, time::Duration};

use tokio::time::Instant;

use super::Occurrence;

/// How often the beginning of the same thing is logged.
const CYCLE: Duration = Duration::from_secs(600);

/// Something that begins and ends: a failure of one property, an outage. Its beginning is logged once in ten minutes, and its end if its
/// beginning was.
#[derive(Debug, Default)]
pub(crate) struct Damper {
    logged_at: Option<Instant>,
    is_shown: bool,
}

impl Damper {
    /// It begins, or goes on.
    pub(crate) fn begins(&mut self) -> Occurrence {
        let now = Instant::now();
        let is_due = self.logged_at.is_none_or(|at| now.duration_since(at) >= CYCLE);
        if is_due {
            (self.logged_at, self.is_shown) = (Some(now), true);
        }
        Occurrence::first_if(is_due)
    }

    /// It is over.
    pub(crate) fn ends(&mut self) -> Occurrence {
        Occurrence::first_if(mem::take(&mut self.is_shown))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_flaps_is_logged_once_in_ten_minutes_with_its_end() {
        let mut damper = Damper::default();
        let mut logged = 0;
        for _ in 0..1_800 {
            logged += usize::from(damper.begins() == Occurrence::First);
            logged += usize::from(damper.ends() == Occurrence::First);
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(logged, 6, "three times in half an hour, each with its end");
    }
}
