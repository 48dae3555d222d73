//! What a session writes: desired values, whose next step their [`Goal`](crate::twin::Goal) knows, and what a user of the handle orders.
//! Every write goes through [`LiveSession::write`], which keeps the account of it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    driver::{DriverError, forgotten},
    model::{Property, Quality, Reading, Sample, Value, WriteRules},
    telemetry::writes::{
        DesiredConverged, DesiredExpired, DesiredHeld, DesiredRefused, DesiredWritten, WriteFailed, WriteRehearsed,
        WriteWaits, Written,
    },
    twin::{Action, Goal, Observed, Phase, Urgency},
    watch::DesiredPhase,
    writes::{AuditLine, AuditResult},
};

use super::{super::slot::Origin, End, LiveSession};

/// The driver's answer, unless the session has ended instead.
pub(super) type Called<T> = Result<Result<T, DriverError>, End>;

/// The pause before an interlock that does not hold is looked at again, at least.
const INTERLOCK_PAUSE: Duration = Duration::from_secs(1);

/// Who writes.
pub(super) const DESIRED: &str = "desired";

/// A write, for the log and the audit.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    property: Arc<Property>,
    old: Option<String>,
    new: String,
    origin: String,
    method: Option<String>,
}

impl Entry {
    /// The name of the property.
    pub(super) fn property(&self) -> &str {
        self.property.name()
    }
}

/// What an error of the driver's says of a write.
pub(super) fn result_of(error: &DriverError) -> AuditResult {
    if error.is_retryable() { AuditResult::Failed } else { AuditResult::Refused }
}

/// Why a write is not made now.
pub(super) enum Obstacle {
    /// It is never made.
    Forbidden(String),
    /// It may be made later.
    InTheWay(String),
    /// It is logged instead.
    DryRun,
}

impl LiveSession<'_> {
    /// Does what the goals want done by now. Before each step it is looked whether the device was changed or is to be stopped: that comes
    /// first.
    pub(super) async fn pursue_goals(&mut self) -> Result<(), End> {
        for index in 0..self.task.slots.len() {
            while !self.is_overtaken() {
                let goal = self.task.slots[index].goal.as_mut();
                let Some(action) = goal.and_then(|goal| goal.action(Instant::now())) else { break };
                match action {
                    Action::Write(value) => self.attempt(index, value).await?,
                    Action::Look => drop(self.look(index).await?),
                    Action::Expire => self.expired(index),
                }
                self.task.save_goals().await;
            }
        }
        Ok(())
    }

    /// Whether the device is to be stopped, or is to be another one than is served here.
    pub(super) fn is_overtaken(&self) -> bool {
        let context = &self.task.context;
        context.stop.is_cancelled() || context.target.has_changed().unwrap_or(true)
    }

    /// Writes a desired value, or a step of the way there, and reads it back where that is due at once.
    async fn attempt(&mut self, index: usize, value: Value) -> Result<(), End> {
        let entry = self.entry(index, &value, DESIRED, None);
        match self.obstacle(index).await {
            Ok(None) => self.task.slots[index].waits = None,
            Ok(Some(obstacle)) => {
                self.held_up(index, obstacle, &entry);
                return Ok(());
            }
            Err(end) => {
                // What breaks the session must not break the next one at once.
                self.with_goal(index, |goal| goal.look_failed(Instant::now()));
                return Err(end);
            }
        }
        let Some(remembered) = self.task.slots[index].goal.as_mut().map(Goal::before_attempt) else { return Ok(()) };
        // A crash in the middle must not make the next mapper believe that the wish is new.
        self.task.context.settings.writes.memory.remember(self.task.id(), entry.property.name(), remembered).await;
        // Both have taken their time.
        let is_expired = |goal: &Goal| goal.is_expired(Instant::now());
        if self.is_overtaken() || self.task.slots[index].goal.as_ref().is_none_or(is_expired) {
            return Ok(());
        }
        self.with_goal(index, |goal| goal.attempting(Instant::now()));
        match self.write(index, &value).await {
            Err(end) => {
                let why = self.task.slots[index].goal.as_mut().and_then(|goal| goal.interrupted(&end.to_string()));
                self.keep_account(&entry, AuditResult::Unknown, Some(&end.to_string()), None);
                self.given_up(index, why);
                Err(end)
            }
            Ok(Err(error)) => {
                self.keep_account(&entry, result_of(&error), Some(&error.to_string()), None);
                self.attempt_failed(index, &error)
            }
            Ok(Ok(())) => self.taken(index, &value, &entry).await,
        }
    }

    /// The device has taken a value.
    async fn taken(&mut self, index: usize, value: &Value, entry: &Entry) -> Result<(), End> {
        self.has_answered();
        let (now, id) = (Instant::now(), self.task.id().clone());
        let mut is_reached = false;
        self.with_goal(index, |goal| is_reached = goal.taken(value, now));
        if is_reached {
            self.reached(index);
        } else if self.task.slots[index].phase() == Some(Phase::Written) {
            let (property, desired) = (entry.property.name(), entry.property.desired().unwrap_or_default());
            self.task.context.telemetry.emit(DesiredWritten { device: &id, property, desired });
        }
        let is_due = self.task.slots[index].goal.as_ref().and_then(Goal::due).is_some_and(|due| due <= Instant::now());
        let looked = if is_due { self.look(index).await } else { Ok(None) };
        let read_back = looked.as_ref().ok().and_then(Option::as_ref).map(ToString::to_string);
        self.keep_account(entry, AuditResult::Written, None, read_back.as_deref());
        looked.map(drop)
    }

    /// Reads a property for the sake of its goal, and returns the value if it is to be trusted.
    async fn look(&mut self, index: usize) -> Result<Option<Value>, End> {
        let now = Instant::now;
        let reading = match self.read_back(index).await {
            Ok(Ok(reading)) => reading,
            Ok(Err(error)) if !error.is_retryable() => {
                let observed = self.task.slots[index].goal.as_mut().map(|goal| goal.unreadable(now()));
                self.observed(index, observed.unwrap_or(Observed::Nothing));
                return Ok(None);
            }
            Ok(Err(error)) => {
                self.with_goal(index, |goal| goal.look_failed(now()));
                return if error.is_disconnected() { Err(End::Closed(error.to_string())) } else { Ok(None) };
            }
            Err(end) => {
                self.with_goal(index, |goal| goal.look_failed(now()));
                return Err(end);
            }
        };
        let sample = self.sample(index, reading);
        let trusted = sample.as_ref().ok().filter(|sample| sample.quality == Quality::Good);
        let value = trusted.map(|sample| sample.value.clone());
        if value.is_none() {
            // What cannot be understood or trusted proves nothing, and may do so the next time.
            self.with_goal(index, |goal| goal.look_failed(now()));
        }
        self.task.slots[index].fresh = false;
        self.publish(&sample.map(|sample| (index, sample)).into_iter().collect::<Vec<_>>(), Origin::Read);
        self.has_answered();
        Ok(value)
    }

    /// Reports what an observation without a sample has changed.
    fn observed(&mut self, index: usize, observed: Observed) {
        match observed {
            Observed::Converged => self.reached(index),
            Observed::GivenUp(why) => self.given_up(index, Some(why)),
            Observed::Nothing | Observed::Unconfirmed | Observed::Lost => {}
        }
    }

    /// The goal counts as reached, though nothing was read.
    fn reached(&mut self, index: usize) {
        let slot = &mut self.task.slots[index];
        slot.acknowledge();
        let property = Arc::clone(slot.property());
        let (property, desired) = (property.name(), property.desired().unwrap_or_default());
        self.task.context.telemetry.emit(DesiredConverged { device: self.task.id(), property, desired });
        self.report_phase(index);
    }

    fn attempt_failed(&mut self, index: usize, error: &DriverError) -> Result<(), End> {
        let on_stale = self.health.has_answered();
        let goal = self.task.slots[index].goal.as_mut();
        let why = goal.and_then(|goal| goal.failed(error, on_stale, Instant::now()));
        self.given_up(index, why);
        if error.is_disconnected() { Err(End::Closed(error.to_string())) } else { Ok(()) }
    }

    fn given_up(&mut self, index: usize, why: Option<String>) {
        let property = Arc::clone(self.task.slots[index].property());
        if let Some(reason) = why {
            let (device, desired) = (self.task.id(), property.desired().unwrap_or_default());
            self.task.context.telemetry.emit(DesiredRefused {
                device,
                property: property.name(),
                desired,
                reason: &reason,
            });
            self.report_phase(index);
        }
    }

    fn expired(&mut self, index: usize) {
        let property = Arc::clone(self.task.slots[index].property());
        let (property, desired) = (property.name(), property.desired().unwrap_or_default());
        self.task.context.telemetry.emit(DesiredExpired { device: self.task.id(), property, desired });
        self.report_phase(index);
    }

    /// The phase is part of the twin: it goes out with the value that is known.
    fn report_phase(&mut self, index: usize) {
        let property = Arc::clone(self.task.slots[index].property());
        if let Some(sample) = self.task.context.status.sample(property.name()) {
            self.task.report(&[(index, Sample { property, ..sample })], Urgency::Urgent);
        }
    }

    /// A desired value cannot be written now, or not at all.
    fn held_up(&mut self, index: usize, obstacle: Obstacle, entry: &Entry) {
        let (device, property) = (self.task.id().clone(), entry.property.name());
        let desired = entry.property.desired().unwrap_or_default();
        let telemetry = self.task.context.telemetry.clone();
        let reason = match obstacle {
            Obstacle::InTheWay(reason) => {
                let pause = INTERLOCK_PAUSE.max(entry.property.collect_cycle());
                self.with_goal(index, |goal| goal.postpone_by(pause, Instant::now()));
                let waits = &mut self.task.slots[index].waits;
                if waits.as_ref() != Some(&reason) {
                    telemetry.emit(WriteWaits { device: &device, property, new: &entry.new, reason: &reason });
                    *waits = Some(reason);
                }
                return;
            }
            Obstacle::Forbidden(reason) => reason,
            Obstacle::DryRun => {
                self.keep_account(entry, AuditResult::DryRun, None, None);
                "it is a dry run".to_owned()
            }
        };
        self.with_goal(index, Goal::hold);
        telemetry.emit(DesiredHeld { device: &device, property, desired, phase: DesiredPhase::Held, reason: &reason });
        self.report_phase(index);
    }

    fn with_goal(&mut self, index: usize, act: impl FnOnce(&mut Goal)) {
        if let Some(goal) = self.task.slots[index].goal.as_mut() {
            act(goal);
        }
    }

    // ---- what every write goes through ----

    /// What stands in the way of writing a property now, whoever wants it.
    pub(super) async fn obstacle(&mut self, index: usize) -> Result<Option<Obstacle>, End> {
        // A wrong key has been reported with the device.
        let Some(rules) = self.task.slots[index].rules.clone() else {
            let reason = "its write keys in visitors.configData are wrong: correct them".to_owned();
            return Ok(Some(Obstacle::Forbidden(reason)));
        };
        if let Some(reason) = self.task.context.settings.writes.forbidden() {
            return Ok(Some(Obstacle::Forbidden(reason.to_owned())));
        }
        if let Some(reason) = self.interlocked(&rules).await? {
            return Ok(Some(Obstacle::InTheWay(reason)));
        }
        let is_dry = rules.dry_run || self.task.context.settings.writes.dry_run;
        Ok(is_dry.then_some(Obstacle::DryRun))
    }

    /// Reads what the interlock asks for, and returns why it does not hold.
    async fn interlocked(&mut self, rules: &WriteRules) -> Result<Option<String>, End> {
        let Some(interlock) = &rules.interlock else { return Ok(None) };
        let index = self.task.slots.iter().position(|slot| slot.property().name() == interlock.property);
        let Some(index) = index else {
            return Ok(Some(format!("writeInterlock {interlock}: the device has no such property")));
        };
        let sample = match self.read_back(index).await? {
            Ok(reading) => self.sample(index, reading),
            Err(error) if error.is_disconnected() => return Err(End::Closed(error.to_string())),
            Err(error) => Err(error),
        };
        let sample = match sample {
            Ok(sample) if sample.quality == Quality::Good => sample,
            Ok(_) => return Ok(Some(format!("writeInterlock {interlock}: its value is not to be trusted"))),
            Err(error) => return Ok(Some(format!("writeInterlock {interlock}: it cannot be read: {error}"))),
        };
        let (value, data_type) = (sample.value.clone(), sample.property.data_type());
        self.publish(&[(index, sample)], Origin::Read);
        Ok(match interlock.holds(&value, data_type) {
            Ok(true) => None,
            Ok(false) => Some(format!("writeInterlock {interlock}: it is {value}")),
            Err(reason) => Some(format!("writeInterlock {reason}")),
        })
    }

    /// Has the driver write.
    pub(super) async fn write(&mut self, index: usize, value: &Value) -> Called<()> {
        self.task.slots[index].written = Some(Instant::now());
        let property = self.erased(index);
        let begun = Instant::now();
        let written = self.task.call("write", self.session.write(&property, value)).await;
        self.task.context.telemetry.latencies().writes.observe(begun.elapsed());
        written
    }

    /// What is known of a write before it is made.
    pub(super) fn entry(&self, index: usize, value: &Value, origin: &str, method: Option<&str>) -> Entry {
        let property = Arc::clone(self.task.slots[index].property());
        let old = self.task.context.status.sample(property.name()).map(|sample| sample.value.to_string());
        let method = method.map(str::to_owned);
        Entry { property, old, new: value.to_string(), origin: origin.to_owned(), method }
    }

    /// Logs a write, counts it and puts it into the audit.
    pub(super) fn keep_account(
        &self,
        entry: &Entry,
        result: AuditResult,
        reason: Option<&str>,
        read_back: Option<&str>,
    ) {
        let (telemetry, device) = (&self.task.context.telemetry, self.task.id());
        let (property, new, origin) = (entry.property.name(), &*entry.new, &*entry.origin);
        let old = entry.old.as_deref().unwrap_or_default();
        // A method is logged as a whole.
        if entry.method.is_none() {
            match result {
                AuditResult::Written => {
                    let read_back = read_back.unwrap_or_default();
                    telemetry.emit(Written { device, property, old, new, origin, read_back });
                }
                AuditResult::DryRun => telemetry.emit(WriteRehearsed { device, property, old, new, origin }),
                AuditResult::Failed | AuditResult::Refused | AuditResult::Unknown => {
                    let error = reason.unwrap_or_default();
                    telemetry.emit(WriteFailed { device, property, old, new, origin, error: &error });
                }
            }
        }
        self.task.context.settings.writes.audit.record(&AuditLine {
            method: entry.method.clone(),
            old: entry.old.clone(),
            reason: reason.map(str::to_owned),
            read_back: read_back.map(str::to_owned),
            ..AuditLine::new(device, property, entry.new.clone(), origin, result)
        });
    }

    /// Reads a property out of turn.
    pub(super) async fn read_back(&mut self, index: usize) -> Called<Reading> {
        let (mut results, ended) = self.collect(&[index]).await;
        ended?;
        let name = || forgotten(self.task.slots[index].property().name());
        Ok(results.pop().map_or_else(|| Err(name()), |(_, result)| result))
    }
}
