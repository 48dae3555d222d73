//! What a user of the handle orders: writes, and calls of methods.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    driver::DriverError,
    model::{DeviceId, Method, Sample, StreamOrder, Value, WritePolicy},
    telemetry::writes::{MethodCalled, MethodFailed},
    twin::{check, check_value},
    writes::{AuditLine, AuditResult},
};

use super::{
    super::{
        handle::{OperationError, answer},
        order::{Answer, Operation, Order},
    },
    End, LiveSession,
    writes::{Called, Entry, Obstacle, result_of},
};

/// Arguments by the index of their property.
type Arguments = Vec<(usize, Value)>;

/// Why an order was not carried out.
enum Failure {
    /// By the framework, before the driver was asked.
    Order(OperationError),
    /// By the driver.
    Driver(DriverError),
}

impl LiveSession<'_> {
    /// Does what a user of the handle orders, and reads back what came of it.
    pub(super) async fn operate(&mut self, operation: Operation) -> Result<(), End> {
        let (outcome, end) = if operation.order.reads.is_empty() {
            match self.check(&operation) {
                Err(error) => (Err(error), Ok(())),
                Ok((method, arguments)) => self.perform(&operation, method, arguments).await,
            }
        } else {
            self.look_for(&operation).await
        };
        let is_closed = outcome.is_err() && matches!(end, Err(End::Closed(_)));
        if is_closed && self.may_repeat(&operation) {
            self.task.repeated = Some(Box::new(Operation { is_repeated: true, ..operation }));
        } else {
            answer(operation.reply, outcome);
        }
        end
    }

    /// A device may have closed the connection since it answered. A write is done again on the next one, unless it is a command that may
    /// be given once; a call never is.
    fn may_repeat(&self, operation: &Operation) -> bool {
        let order = &operation.order;
        order.method.is_none() && !operation.is_repeated && self.health.has_answered() && !self.has_command(order)
    }

    fn has_command(&self, order: &Order) -> bool {
        order.arguments.iter().any(|(name, _)| {
            let slot = self.task.slots.iter().find(|slot| slot.property().name() == name);
            let policy = slot.and_then(|slot| slot.rules.as_ref()).map(|rules| rules.policy);
            !matches!(policy, Some(WritePolicy::OnChange | WritePolicy::Enforce))
        })
    }

    async fn perform(
        &mut self,
        operation: &Operation,
        method: Option<Method>,
        arguments: Arguments,
    ) -> (Result<Answer, OperationError>, Result<(), End>) {
        let device = self.task.id().clone();
        let indices: Vec<usize> = arguments.iter().map(|(index, _)| *index).collect();
        let mut written = Vec::with_capacity(indices.len());
        let outcome = match &method {
            Some(method) => self.call(operation, method, &arguments, &mut written).await,
            None => self.write_all(operation, &arguments, &mut written).await,
        };
        // What was written shows at once.
        let (read_back, looked) =
            if matches!(outcome, Ok(Ok(_))) { self.look_at(&indices).await } else { (Vec::new(), Ok(())) };
        for entry in &written {
            let read_back = read_back.iter().find(|sample| sample.property.name() == entry.property());
            let read_back = read_back.map(|sample| sample.value.to_string());
            self.keep_account(entry, AuditResult::Written, None, read_back.as_deref());
        }
        match outcome {
            Err(end) => {
                let reason = format!("{end}; it is not known what came of it");
                (Err(OperationError::Unavailable { device, reason }), Err(end))
            }
            Ok(Ok(results)) => (Ok(Answer::new(results, read_back)), looked),
            Ok(Err(Failure::Order(error))) => (Err(error), Ok(())),
            Ok(Err(Failure::Driver(error))) => {
                let reason = match &method {
                    Some(method) => format!("method {:?}: {error}", method.name),
                    None => error.to_string(),
                };
                let end = if error.is_disconnected() { Err(End::Closed(error.to_string())) } else { Ok(()) };
                let names: Vec<_> = indices.iter().map(|&index| self.task.slots[index].property().name()).collect();
                let property = names.join(", ");
                let failure = if error.is_retryable() {
                    OperationError::Failed { device, property, reason }
                } else {
                    OperationError::Refused { device, property, reason }
                };
                (Err(failure), end)
            }
        }
    }

    /// Reads the properties of an order, and returns what they were read to have. Those that need their time to show it are left out.
    async fn look_at(&mut self, indices: &[usize]) -> (Vec<Sample>, Result<(), End>) {
        let shows_at_once = |index: &usize| {
            let rules = self.task.slots[*index].rules.as_ref();
            rules.is_none_or(|rules| rules.read_back_delay.is_zero())
        };
        let indices: Vec<usize> = indices.iter().copied().filter(shows_at_once).collect();
        if indices.is_empty() {
            return (Vec::new(), Ok(()));
        }
        let before = std::time::SystemTime::now();
        let end = self.read(&indices).await;
        let names = indices.iter().map(|&index| self.task.slots[index].property().name());
        let known = names.filter_map(|name| self.task.context.status.sample(name));
        // One that could not be read has the sample of an earlier time.
        (known.filter(|sample| sample.timestamp >= before).collect(), end)
    }

    /// The method, and the arguments as values, if all is as manifest and device model demand, and the order is still wanted.
    fn check(&self, operation: &Operation) -> Result<(Option<Method>, Arguments), OperationError> {
        self.check_wanted(operation)?;
        let order = &operation.order;
        let methods = self.task.device().methods();
        let find = |name: &str| methods.iter().find(|method| method.name == name).cloned();
        let method = order.method.as_deref().map(|name| find(name).ok_or_else(|| self.missing("method", name)));
        let method = method.transpose()?;
        let mut checked = Arguments::with_capacity(order.arguments.len());
        for (property, text) in &order.arguments {
            let (index, value) = self.check_argument(method.as_ref(), property, text)?;
            if checked.iter().any(|(before, _)| *before == index) {
                return Err(self.invalid(property, "is an argument twice: give it once".to_owned()));
            }
            checked.push((index, value));
        }
        Ok((method, checked))
    }

    pub(super) fn check_wanted(&self, operation: &Operation) -> Result<(), OperationError> {
        let expired =
            |reason: &str| OperationError::Expired { device: self.task.id().clone(), reason: reason.to_owned() };
        operation.is_over().map_or(Ok(()), |reason| Err(expired(reason)))
    }

    fn check_argument(
        &self,
        method: Option<&Method>,
        property: &str,
        text: &str,
    ) -> Result<(usize, Value), OperationError> {
        if let Some(method) = method.filter(|it| !it.property_names.iter().any(|name| name == property)) {
            let (name, device) = (&method.name, self.task.id());
            let message = format!("method {name:?} of device {device} cannot be called on property {property:?}");
            return Err(OperationError::NotFound(message));
        }
        let index = self.task.slots.iter().position(|slot| slot.property().name() == property);
        let index = index.ok_or_else(|| self.missing("property", property))?;
        if self.task.slots[index].is_of_stream() {
            match method.and_then(|method| self.stream_order(method)) {
                Some(StreamOrder::Record) => {
                    let seconds = Self::seconds(text).map_err(|reason| self.invalid(property, reason))?;
                    return Ok((index, seconds));
                }
                Some(StreamOrder::Snapshot) => return Ok((index, Value::String(text.to_owned()))),
                _ => {}
            }
            let reason = "is produced by the framework, so that it cannot be written: take it out of the method";
            return Err(self.invalid(property, reason.to_owned()));
        }
        let property = self.task.slots[index].property();
        let value = if method.is_some() { check_value(property, text) } else { check(property, text) };
        Ok((index, value.map_err(|reason| self.invalid(property.name(), reason))?))
    }

    pub(super) fn missing(&self, what: &str, name: &str) -> OperationError {
        OperationError::NotFound(format!("device {} has no {what} {name:?}", self.task.id()))
    }

    fn invalid(&self, property: &str, reason: String) -> OperationError {
        OperationError::Invalid { device: self.task.id().clone(), property: property.to_owned(), reason }
    }

    async fn write_all(
        &mut self,
        operation: &Operation,
        arguments: &Arguments,
        done: &mut Vec<Entry>,
    ) -> Result<Result<Vec<Value>, Failure>, End> {
        for (index, value) in arguments {
            let entry = self.entry(*index, value, &operation.order.origin, None);
            if let Err(error) = self.may_write(*index, operation, &[&entry]).await? {
                return Ok(Err(Failure::Order(error)));
            }
            let written = self.write(*index, value).await;
            self.written_otherwise(*index);
            match written {
                Err(end) => {
                    self.keep_account(&entry, AuditResult::Unknown, Some(&end.to_string()), None);
                    return Err(end);
                }
                Ok(Err(error)) => {
                    self.keep_account(&entry, result_of(&error), Some(&error.to_string()), None);
                    return Ok(Err(Failure::Driver(error)));
                }
                Ok(Ok(())) => {
                    self.has_answered();
                    done.push(entry);
                }
            }
        }
        Ok(Ok(Vec::new()))
    }

    /// A property was written, or may have been, for another reason than its desired value.
    fn written_otherwise(&mut self, index: usize) {
        let (slot, now) = (&mut self.task.slots[index], Instant::now());
        slot.written = Some(now);
        if let Some(goal) = slot.goal.as_mut() {
            goal.written_otherwise(now);
        }
    }

    /// Whether a property may be written by an order now. What it takes to know that may take its time, so the order is looked at after it.
    async fn may_write(
        &mut self,
        index: usize,
        operation: &Operation,
        entries: &[&Entry],
    ) -> Result<Result<(), OperationError>, End> {
        if let Err(error) = self.may_be_written(index, operation.order.method.is_some()) {
            return Ok(Err(error));
        }
        let obstacle = self.obstacle(index).await?;
        let property = Arc::clone(self.task.slots[index].property());
        let (device, name) = (self.task.id().clone(), property.name().to_owned());
        Ok(match obstacle {
            None if self.is_overtaken() => {
                let reason = "the device was changed, or is to be stopped: give the order again".to_owned();
                Err(OperationError::Unavailable { device, reason })
            }
            None => self.check_wanted(operation),
            Some(Obstacle::Forbidden(reason)) => Err(OperationError::Refused { device, property: name, reason }),
            Some(Obstacle::InTheWay(reason)) => Err(OperationError::Unavailable { device, reason }),
            Some(Obstacle::DryRun) => {
                entries.iter().for_each(|entry| self.keep_account(entry, AuditResult::DryRun, None, None));
                Err(rehearsed(device))
            }
        })
    }

    /// What the property's rules say of an order.
    fn may_be_written(&self, index: usize, is_method: bool) -> Result<(), OperationError> {
        let slot = &self.task.slots[index];
        let property = slot.property();
        let (device, name) = (self.task.id().clone(), property.name().to_owned());
        let Some(rules) = slot.rules.as_ref() else { return Ok(()) };
        if rules.policy == WritePolicy::Never {
            return Err(self.invalid(&name, "its writePolicy is never".to_owned()));
        }
        if rules.ramp.is_some() && !is_method {
            let reason = "has writeRampPerSecond, which an order would jump over: set its desired value".to_owned();
            return Err(self.invalid(&name, reason));
        }
        let rest = slot.written.map(|written| rules.min_interval.saturating_sub(written.elapsed()));
        match rest.filter(|rest| !rest.is_zero()) {
            Some(rest) => {
                let reason = format!("property {name:?}: its writeMinInterval allows the next write in {rest:?}");
                Err(OperationError::Unavailable { device, reason })
            }
            None => Ok(()),
        }
    }

    async fn call(
        &mut self,
        operation: &Operation,
        method: &Method,
        arguments: &Arguments,
        done: &mut Vec<Entry>,
    ) -> Result<Result<Vec<Value>, Failure>, End> {
        let (origin, name) = (&*operation.order.origin, &*method.name);
        let entry = |(index, value): &(usize, Value)| self.entry(*index, value, origin, Some(name));
        let entries: Vec<_> = arguments.iter().map(entry).collect();
        let writes = &self.task.context.settings.writes;
        if let Some(reason) = writes.forbidden() {
            let (device, reason) = (self.task.id().clone(), reason.to_owned());
            return Ok(Err(Failure::Order(OperationError::Forbidden { device, reason })));
        }
        let stream_order = self.stream_order(method);
        if writes.dry_run && (arguments.is_empty() || stream_order.is_some()) {
            self.record_bare_call(name, origin, AuditResult::DryRun, None);
            return Ok(Err(Failure::Order(rehearsed(self.task.id().clone()))));
        }
        // What is recorded is no machine's.
        let written = if stream_order.is_some() { &[] } else { arguments.as_slice() };
        for (index, _) in written {
            let all: Vec<_> = entries.iter().collect();
            if let Err(error) = self.may_write(*index, operation, &all).await? {
                return Ok(Err(Failure::Order(error)));
            }
        }
        let shown =
            arguments.iter().map(|(index, value)| format!("{}={value}", self.task.slots[*index].property().name()));
        let shown = shown.collect::<Vec<_>>().join(", ");
        let begun = Instant::now();
        let called: Called<Vec<Value>> = match stream_order {
            Some(order) => self.carry_out_stream_order(order, arguments).await,
            None => {
                let erased = arguments.iter().map(|(index, value)| (self.erased(*index), value.clone())).collect();
                self.task.call("call", self.session.call(method, erased)).await
            }
        };
        self.task.context.telemetry.latencies().writes.observe(begun.elapsed());
        written.iter().for_each(|(index, _)| self.written_otherwise(*index));
        let (telemetry, device) = (&self.task.context.telemetry, self.task.id());
        let failed = |error: &dyn std::fmt::Display| {
            telemetry.emit(MethodFailed { device, method: name, arguments: &shown, origin, error });
        };
        let (result, reason) = match &called {
            Ok(Ok(results)) => {
                let results: Vec<_> = results.iter().map(ToString::to_string).collect();
                let results = results.join(", ");
                telemetry.emit(MethodCalled { device, method: name, arguments: &shown, results: &results, origin });
                (AuditResult::Written, None)
            }
            Ok(Err(error)) => {
                failed(error);
                // Of several properties some may have been written before it failed.
                let result = if arguments.len() > 1 { AuditResult::Unknown } else { result_of(error) };
                (result, Some(error.to_string()))
            }
            Err(end) => {
                failed(end);
                (AuditResult::Unknown, Some(end.to_string()))
            }
        };
        if entries.is_empty() {
            self.record_bare_call(name, origin, result, reason);
        } else if result == AuditResult::Written {
            *done = entries;
        } else {
            entries.iter().for_each(|entry| self.keep_account(entry, result, reason.as_deref(), None));
        }
        Ok(called?.map_err(Failure::Driver))
    }

    /// Puts the call of a method without arguments into the audit, which has no property to name.
    fn record_bare_call(&self, method: &str, origin: &str, result: AuditResult, reason: Option<String>) {
        self.task.context.settings.writes.audit.record(&AuditLine {
            method: Some(method.to_owned()),
            reason,
            ..AuditLine::new(self.task.id(), "", String::new(), origin, result)
        });
    }
}

/// The answer to an order that was recorded in place of being carried out.
fn rehearsed(device: DeviceId) -> OperationError {
    OperationError::Forbidden { device, reason: "it is a dry run: nothing was written".to_owned() }
}
