//! What the memory keeps of a goal over restarts, and how a goal goes on from there.

use tokio::time::Instant;

use crate::{
    model::WritePolicy,
    writes::{Outcome, Remembered},
};

use super::{Goal, State};

/// Why a wish is held of which the memory does not know anything.
const NOT_KNOWN: &str = "the memory of writes is incomplete, so that it is not known whether this was written before: change the desired \
    value, or take it away and set it again, and it is written";

impl Goal {
    /// Goes on where the wish was left. `remembered` is what is known of the property's last wish; without it, the wish is new only if
    /// the memory `is_complete`.
    pub(crate) fn resume(&mut self, remembered: Option<Remembered>, is_complete: bool, now: Instant) -> Option<String> {
        let is_known = remembered.is_some() || is_complete;
        let same = remembered.filter(|remembered| remembered.is_of(&self.wish));
        let Some(remembered) = same else {
            if is_known {
                return None;
            }
            if self.rules.policy == WritePolicy::Enforce {
                self.state = State::Doubtful { has_failed: false };
                return None;
            }
            self.state = State::Held { is_known: false };
            return Some(NOT_KNOWN.to_owned());
        };
        self.set_since(remembered.since, now);
        self.attempts = remembered.attempts;
        self.is_unsaved = false;
        let is_enforced = self.rules.policy == WritePolicy::Enforce;
        self.state = match remembered.outcome {
            Outcome::Pending => State::New,
            Outcome::Attempted if self.rules.policy == WritePolicy::Once => {
                self.set(State::Refused);
                return Some("it was attempted before, and its writePolicy once allows one attempt".to_owned());
            }
            Outcome::Attempted => State::Doubtful { has_failed: false },
            Outcome::Written if is_enforced => State::Sent { shows: now, look: Some(now) },
            Outcome::Written => State::Sent { shows: now, look: None },
            Outcome::Acknowledged => State::Converged { at: now, look: is_enforced },
            Outcome::Refused => {
                self.state = State::Refused;
                return Some("it was refused before".to_owned());
            }
            Outcome::Expired => State::Expired,
            Outcome::Unknown => {
                self.state = State::Held { is_known: false };
                return Some(NOT_KNOWN.to_owned());
            }
        };
        None
    }

    /// What the memory is to keep after a change of the state.
    pub(crate) fn unsaved(&self) -> Option<Remembered> {
        self.is_unsaved.then(|| self.remembered())
    }

    /// The memory keeps it.
    pub(crate) fn saved(&mut self) {
        self.is_unsaved = false;
    }

    fn remembered(&self) -> Remembered {
        let outcome = match self.state {
            State::New => Outcome::Pending,
            State::Held { is_known: true } if self.attempts == 0 => Outcome::Pending,
            State::Doubtful { .. } | State::Wanting { .. } | State::Held { is_known: true } => Outcome::Attempted,
            State::Sent { .. } => Outcome::Written,
            State::Converged { .. } => Outcome::Acknowledged,
            State::Refused => Outcome::Refused,
            State::Expired => Outcome::Expired,
            State::Held { is_known: false } => Outcome::Unknown,
        };
        Remembered { wish: (*self.wish).to_owned(), outcome, attempts: self.attempts, since: self.since }
    }

    /// What the memory must hold before a write may go out. If none does, the memory is to have the state again.
    pub(crate) fn before_attempt(&mut self) -> Remembered {
        self.is_unsaved = true;
        Remembered { outcome: Outcome::Attempted, attempts: self.attempts + 1, ..self.remembered() }
    }
}
