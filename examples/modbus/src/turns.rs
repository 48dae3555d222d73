//! Whose request is next, where units share a line.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync, time::timeout};

/// How long a unit waits for the others that may be dead, before its first request.
const PATIENCE: Duration = Duration::from_secs(5);

/// The turns of the units on one line or behind one gateway.
///
/// A unit that answers has its turn in the order in which units ask. All others wait for each other first: of however many that are
/// dead, each request of a living one waits for one at most.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Whether a unit answered its last request, for those of which that is known. Locked for a look-up, never across an await.
    answered: Mutex<HashMap<u8, bool>>,
    /// Held by the one that is asked although it may be dead.
    doubtful: sync::Mutex<()>,
}

/// The turn of a unit, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    unit: u8,
    /// `None` of a unit that answers.
    doubt: Option<sync::MutexGuard<'a, ()>>,
}

impl Turns {
    /// Waits for a unit's turn. One that did not answer the last time waits no longer than for an answer. `None` when others have the
    /// line for longer.
    pub(crate) async fn take(&self, unit: u8, within: Duration) -> Option<Turn<'_>> {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner).get(&unit).copied();
        let doubt = match answered {
            Some(true) => None,
            Some(false) => Some(timeout(within, self.doubtful.lock()).await.ok()?),
            None => Some(timeout(PATIENCE.max(within), self.doubtful.lock()).await.ok()?),
        };
        Some(Turn { turns: self, unit, doubt })
    }
}

impl Turn<'_> {
    /// Whether the unit answered the last time.
    pub(crate) fn is_of_answering(&self) -> bool {
        self.doubt.is_none()
    }

    pub(crate) fn ends_with_answer(self) {
        self.ends(true);
    }

    pub(crate) fn ends_in_silence(self) {
        self.ends(false);
    }

    fn ends(self, answered: bool) {
        self.turns.answered.lock().unwrap_or_else(PoisonError::into_inner).insert(self.unit, answered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_millis(20);

    async fn answering(turns: &Turns, unit: u8) {
        turns.take(unit, WITHIN).await.expect("its turn").ends_with_answer();
    }

    #[tokio::test]
    async fn who_answers_waits_for_nobody_and_the_others_for_each_other() {
        let turns = Turns::default();
        answering(&turns, 1).await;
        turns.take(2, WITHIN).await.expect("its turn").ends_in_silence();
        let unknown = turns.take(3, WITHIN).await.expect("its turn");
        assert!(turns.take(1, WITHIN).await.is_some_and(|turn| turn.is_of_answering()));
        assert!(turns.take(2, WITHIN).await.is_none(), "a silent one does not wait for long");
        let mut next = std::pin::pin!(turns.take(4, WITHIN));
        assert!(timeout(3 * WITHIN, &mut next).await.is_err(), "one that nobody knows waits");
        unknown.ends_with_answer();
        assert!(next.await.is_some_and(|turn| !turn.is_of_answering()));
        assert!(turns.take(3, WITHIN).await.is_some_and(|turn| turn.is_of_answering()));
    }

    #[tokio::test]
    async fn a_turn_that_is_dropped_leaves_things_as_they_were() {
        let turns = Turns::default();
        answering(&turns, 1).await;
        drop(turns.take(1, WITHIN).await);
        drop(turns.take(2, WITHIN).await);
        assert!(turns.take(1, WITHIN).await.is_some_and(|turn| turn.is_of_answering()));
        assert!(turns.take(2, WITHIN).await.is_some_and(|turn| !turn.is_of_answering()));
    }
}
