//! What a session's reads and deliveries say of the device, and with that its state.

use std::time::Duration;

use tokio::time::Instant;

use crate::{driver::DriverError, model::DeviceState};

use super::{super::slot::Slot, End, LiveSession};

/// After how many rounds of reads of which all failed the session is closed and opened anew: some devices stop answering on a
/// connection that still looks sound.
const MAX_FRUITLESS: u32 = 3;

/// A device that delivers by itself is not given up for failing reads before it has delivered nothing for so long.
const DELIVERS_WITHIN: Duration = Duration::from_secs(60);

/// How a session fares.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Whether anything has come from the device.
    has_answered: bool,
    /// Rounds of reads that have failed altogether, since anything came and while no property can be read.
    fruitless: u32,
    /// When the device has delivered something by itself, the last time.
    delivered: Option<Instant>,
    /// Why no property can be read, while none can.
    nothing_read: Option<String>,
}

/// What came of a round of reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Round<'a> {
    /// At least one value.
    Fruitful,
    /// Nothing; the last error, and whether one of them may not come again.
    Failed { last: &'a DriverError, is_retryable: bool },
}

impl Health {
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered
    }
}

impl LiveSession<'_> {
    /// Judges the device and its session by a round of reads.
    ///
    /// # Errors
    ///
    /// Nothing can be read on the session any more.
    pub(super) fn judge(&mut self, round: Round<'_>) -> Result<(), End> {
        match round {
            Round::Fruitful => {
                self.has_answered();
                Ok(())
            }
            Round::Failed { last, is_retryable } => self.judge_failure(last, is_retryable),
        }
    }

    /// A round that has failed says nothing of the session while a property that is read in other rounds works; and one that was
    /// refused does not speak for it.
    fn judge_failure(&mut self, last: &DriverError, is_retryable: bool) -> Result<(), End> {
        let slots = &mut self.task.slots;
        // One that is read on demand only says nothing by itself.
        let is_silent = |slot: &Slot| slot.property().polling() == Some(false) || slot.is_of_stream();
        if !slots.iter().all(|slot| slot.failing.is_some() || is_silent(slot)) {
            self.health.fruitless = 0;
            return Ok(());
        }
        self.health.fruitless += u32::from(is_retryable);
        let is_dead = self.health.fruitless >= MAX_FRUITLESS
            && self.health.delivered.is_none_or(|last| last.elapsed() >= DELIVERS_WITHIN);
        if is_dead {
            slots.iter_mut().for_each(|slot| slot.delivers = false);
        }
        if slots.iter().all(|slot| !slot.delivers) && !self.task.is_streaming() {
            self.health.nothing_read = Some(format!("no property can be read: {last}"));
            self.set_state(DeviceState::Unhealthy);
        }
        if !is_dead {
            return Ok(());
        }
        Err(End::Silent(format!("{MAX_FRUITLESS} rounds of reads in a row have failed: {last}")))
    }

    /// The device has delivered something by itself.
    pub(super) fn has_delivered(&mut self) {
        self.health.delivered = Some(Instant::now());
        self.has_answered();
    }

    /// Something has come from the device: the session works.
    pub(super) fn has_answered(&mut self) {
        self.health.fruitless = 0;
        self.task.answered();
        let is_first = !std::mem::replace(&mut self.health.has_answered, true);
        if self.health.nothing_read.take().is_some() || is_first {
            self.renew_state();
        }
    }

    /// Asks the driver for the state as soon as nothing else is to be done; a device whose state is not reported is online.
    pub(super) fn renew_state(&mut self) {
        self.task.state_due = self.task.device().state_report().map(|_| Instant::now());
        if self.task.state_due.is_none() {
            self.state_given(DeviceState::Online);
        }
    }

    /// The driver gives a state. `online` is what a driver says that has no view of its own: that is believed when something has
    /// come from the device, or where nothing is read, since nothing is there or all of it is subscribed.
    pub(super) fn state_given(&mut self, state: DeviceState) {
        let is_read = self.polled().any(|index| !self.task.slots[index].is_of_stream());
        let is_proven = self.health.has_answered || !is_read && self.stream.is_none();
        if is_proven || state != DeviceState::Online {
            self.set_state(state);
        }
    }

    /// The driver's view of the state, unless nothing can be read, frames are missing, one of their consumers fails, or part of the
    /// device had to be left out: that is not healthy, whatever the driver says.
    pub(super) fn set_state(&mut self, state: DeviceState) {
        let problem = self.health.nothing_read.clone().or_else(|| self.task.stream.problem.clone());
        let problem = problem.or_else(|| self.task.consumers.problem());
        match problem.or_else(|| self.task.bound.problem()) {
            Some(problem) => self.task.set_state(DeviceState::Unhealthy, Some(problem)),
            None => self.task.set_state(state, None),
        }
    }
}
