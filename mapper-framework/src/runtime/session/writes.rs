//! What a session writes: desired values, and what a user of the handle asks for.

use std::{sync::Arc, time::SystemTime};

use tokio::time::Instant;

use crate::{
    driver::DriverError,
    model::{Quality, Sample, Value},
    twin::{Goal, check},
};

use super::{
    super::{
        handle::{Operation, OperationError, answer},
        slot::Origin,
    },
    End, LiveSession,
};

/// The driver's answer, unless the session has ended instead.
type Called<T> = Result<Result<T, DriverError>, End>;

impl LiveSession<'_> {
    /// Writes the desired values whose time has come.
    pub(super) async fn pursue_goals(&mut self) -> Result<(), End> {
        for index in 0..self.task.slots.len() {
            let goal = self.task.slots[index].goal.as_ref();
            let Some(goal) = goal.filter(|goal| goal.due().is_some_and(|due| due <= Instant::now())) else { continue };
            let value = goal.value().clone();
            match self.pursue(index, &value).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.goal_failed(index, &error)?,
                Err(end) => {
                    // What breaks the session must not break the next one at once.
                    self.with_goal(index, |goal| goal.postpone(Instant::now()));
                    return Err(end);
                }
            }
        }
        Ok(())
    }

    async fn pursue(&mut self, index: usize, value: &Value) -> Called<()> {
        match self.write(index, None, value).await? {
            Ok(()) => self.confirm(index).await,
            Err(error) => Ok(Err(error)),
        }
    }

    /// Reads back what was written, which tells the goal whether it has been reached.
    async fn confirm(&mut self, index: usize) -> Called<()> {
        let property = Arc::clone(self.task.slots[index].property());
        let desired = property.desired().unwrap_or_default().to_owned();
        let value = match self.read_back(index).await? {
            Err(error) if !error.is_retryable() => {
                // What can only be written has no better proof than that the write succeeded.
                self.task.context.telemetry.desired_converged(self.task.id(), property.name(), &desired);
                self.with_goal(index, Goal::reached);
                return Ok(Ok(()));
            }
            Err(error) => return Ok(Err(error)),
            Ok(value) => value,
        };
        let read = match self.sample(index, value, SystemTime::now(), Quality::Good) {
            Ok(sample) => sample,
            // What cannot be understood proves nothing, and may be understood the next time.
            Err(error) => return Ok(Err(DriverError::failed(error))),
        };
        let value = read.value.to_string();
        self.publish(&[(index, read)], Origin::Read);
        if self.task.slots[index].goal.as_ref().is_some_and(|goal| goal.due().is_some()) {
            self.task.context.telemetry.desired_unconfirmed(self.task.id(), property.name(), &desired, &value);
            self.with_goal(index, |goal| goal.postpone(Instant::now()));
        }
        Ok(Ok(()))
    }

    fn goal_failed(&mut self, index: usize, error: &DriverError) -> Result<(), End> {
        let property = Arc::clone(self.task.slots[index].property());
        let mut refused = false;
        self.with_goal(index, |goal| refused = goal.failed(error, Instant::now()));
        if refused {
            let (desired, reason) = (property.desired().unwrap_or_default(), error.to_string());
            self.task.context.telemetry.desired_refused(self.task.id(), property.name(), desired, &reason);
        }
        // The phase is part of the twin: it goes out with the value that is known.
        if let Some(sample) = self.task.context.status.sample(property.name()) {
            self.task.report(&[(index, Sample { property, ..sample })], refused);
        }
        if error.is_disconnected() { Err(End::Lost(error.to_string())) } else { Ok(()) }
    }

    fn with_goal(&mut self, index: usize, act: impl FnOnce(&mut Goal)) {
        if let Some(goal) = self.task.slots[index].goal.as_mut() {
            act(goal);
        }
    }

    /// Does what a user of the handle asks for, and reads back what came of it.
    pub(super) async fn operate(&mut self, operation: Operation) -> Result<(), End> {
        let Operation { method, property, text, reply } = operation;
        let device = self.task.id().clone();
        let checked = self.check(method.as_deref(), &property, &text);
        let (outcome, end) = match checked {
            Err(error) => (Err(error), Ok(())),
            Ok((index, value)) => match self.write(index, method.as_deref(), &value).await {
                Err(end) => (Err(OperationError::Unavailable { device, reason: end.to_string() }), Err(end)),
                Ok(Ok(())) => (Ok(()), self.refresh(index).await),
                Ok(Err(error)) => {
                    let reason = error.to_string();
                    let end = if error.is_disconnected() { Err(End::Lost(reason.clone())) } else { Ok(()) };
                    (Err(OperationError::Failed { device, property, reason }), end)
                }
            },
        };
        answer(reply, outcome);
        end
    }

    /// The property's index and the value to write, if all is as the device model demands.
    fn check(&self, method: Option<&str>, property: &str, text: &str) -> Result<(usize, Value), OperationError> {
        let device = self.task.id();
        let missing =
            |what: &str, name: &str| OperationError::NotFound(format!("device {device} has no {what} {name:?}"));
        if let Some(name) = method {
            let method = self.task.device().methods().iter().find(|method| method.name == name);
            let method = method.ok_or_else(|| missing("method", name))?;
            if !method.property_names.iter().any(|name| name == property) {
                let message = format!("method {name:?} of device {device} cannot be called on property {property:?}");
                return Err(OperationError::NotFound(message));
            }
        }
        let index = self.task.slots.iter().position(|slot| slot.property().name() == property);
        let index = index.ok_or_else(|| missing("property", property))?;
        let value = check(self.task.slots[index].property(), text);
        let invalid =
            |reason| OperationError::Invalid { device: device.clone(), property: property.to_owned(), reason };
        Ok((index, value.map_err(invalid)?))
    }

    async fn write(&mut self, index: usize, method: Option<&str>, value: &Value) -> Called<()> {
        let property = self.erased(index);
        let name = self.task.slots[index].property().shared_name();
        let method = method.and_then(|name| self.task.device().methods().iter().find(|method| method.name == name));
        let written = match method.cloned() {
            Some(method) => self.task.call("call", self.session.call(&method, &property, value)).await?,
            None => self.task.call("write", self.session.write(&property, value)).await?,
        };
        let (telemetry, id) = (&self.task.context.telemetry, self.task.id());
        match &written {
            Ok(()) => telemetry.written(id, &name),
            Err(error) => telemetry.write_failed(id, &name, error),
        }
        Ok(written)
    }

    async fn read_back(&mut self, index: usize) -> Called<Value> {
        let properties = [self.erased(index)];
        let mut results = self.task.call("read", self.session.read_many(&properties)).await?;
        Ok(results.pop().unwrap_or_else(|| Err(DriverError::failed("the driver gave no result"))))
    }

    /// Reads a property out of turn, so that a write shows at once.
    async fn refresh(&mut self, index: usize) -> Result<(), End> {
        let read = self.read_back(index).await?;
        match read.and_then(|value| self.sample(index, value, SystemTime::now(), Quality::Good)) {
            Ok(sample) => self.publish(&[(index, sample)], Origin::Read),
            Err(error) if error.is_disconnected() => return Err(End::Lost(error.to_string())),
            Err(error) => self.read_failed(index, &error),
        }
        Ok(())
    }
}
