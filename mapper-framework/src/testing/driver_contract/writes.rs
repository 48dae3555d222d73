//! Writes, and calls of methods.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{DEADLINE, Suite, Violation};
use crate::{
    driver::{ErasedProperty, ErasedSession},
    model::{AccessMode, Confirm, Method, Value, WritePolicy, WriteRules},
    twin,
};

/// The pause between two looks at whether what was written has taken effect.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Suite<'_> {
    pub(super) async fn what_is_written_is_read_back(&self) {
        let mut session = self.connect().await;
        for (place, erased) in self.erased.iter().enumerate() {
            let property = self.property(place);
            if property.access_mode() != AccessMode::ReadWrite {
                continue;
            }
            let rules = WriteRules::of(property).unwrap_or_else(|misfits| {
                let what = format!("{}: {}", misfits[0].key, misfits[0].message);
                self.violated(Violation::of(property, "visitors.configData", what, "correct it in the manifest"))
            });
            if rules.policy == WritePolicy::Never || rules.dry_run {
                continue;
            }
            let Some(own) = self.value(&mut *session, place).await else { continue };
            let value = property.desired().map_or(Ok(own), |desired| twin::check(property, desired));
            let value = value.unwrap_or_else(|error| {
                self.violated(Violation::of(property, "desired", error, "correct `desired.value` in the manifest"))
            });
            if let Err(error) = self.call("write", session.write(erased, &value)).await {
                let cure = "implement it, or make the property ReadOnly in its device model";
                self.violated(Violation::of(property, "write", error, cure));
            }
            if rules.confirm == Confirm::None {
                continue;
            }
            let mut last = None;
            let settled = self.settled(&mut *session, place, |read| rules.is_met(read, &value), &mut last);
            let taken = timeout(DEADLINE + rules.read_back_delay, settled).await;
            if taken.is_err() {
                let read = last.map_or_else(|| "nothing".to_owned(), |last| last.to_string());
                let what = format!("{value} was written, and {read} is read back");
                self.violated(Violation::of(property, "write", what, "read what was written, in the same unit"));
            }
        }
        self.close(session).await;
    }

    /// Reads until the value has been reached, and keeps what was read last. A device may take its time.
    async fn settled(
        &self,
        session: &mut dyn ErasedSession,
        place: usize,
        is_met: impl Fn(&Value) -> bool,
        last: &mut Option<Value>,
    ) {
        loop {
            *last = self.value(session, place).await;
            if last.as_ref().is_some_and(&is_met) {
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Each method with a value for each of its arguments: the desired one, or else the one that the device has. A method of which an
    /// argument has neither is left alone.
    pub(super) async fn methods_can_be_called(&self) {
        let mut session = self.connect().await;
        for method in self.device.methods() {
            let Some(arguments) = self.arguments(&mut *session, method).await else { continue };
            if let Err(error) = self.call("call", session.call(method, arguments)).await {
                let what = format!("method {:?}: {error}", method.name);
                let cure = "implement it, or take the method out of the manifest";
                self.violated(Violation::new("call", what, cure));
            }
            self.values(&mut *session).await;
        }
        self.close(session).await;
    }

    async fn arguments(
        &self,
        session: &mut dyn ErasedSession,
        method: &Method,
    ) -> Option<Vec<(ErasedProperty, Value)>> {
        let mut arguments = Vec::with_capacity(method.property_names.len());
        for name in &method.property_names {
            let place = self.device.properties().position(|property| property.name() == name)?;
            let property = self.property(place);
            let value = match property.desired() {
                Some(desired) => twin::check_value(property, desired).ok(),
                None => self.value(session, place).await,
            };
            arguments.push((self.erased[place].clone(), value?));
        }
        Some(arguments)
    }
}
