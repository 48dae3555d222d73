//! What the device delivers by itself, and the driver's view of its state.

use std::collections::HashSet;

use tokio::time::timeout;

use super::{DEADLINE, ROUNDS, Suite, Violation, poll_times};
use crate::driver::{Change, DriverError, ErasedProperty, ErasedSession, Subscriptions};

impl Suite<'_> {
    pub(super) async fn the_state_is_known(&self) {
        let mut session = self.connect().await;
        if let Err(error) = self.call("state", session.state()).await {
            let cure = "return the state that the device is in, such as `Unhealthy`: an error is for a device that cannot be asked";
            self.violated(Violation::new("state", error, cure));
        }
        self.values(&mut *session).await;
        self.close(session).await;
    }

    /// What is delivered must be of the device's; and a session of which `changed` was dropped in the middle goes on.
    pub(super) async fn changed_may_be_cancelled(&self) {
        let mut session = self.connect().await;
        for _ in 0..ROUNDS {
            let polled = self.call("changed", poll_times(session.changed(), 1)).await;
            if let Some(delivered) = polled {
                self.delivered(delivered, &mut HashSet::new());
            }
            self.values(&mut *session).await;
        }
        self.close(session).await;
    }

    /// A session is given all properties, then one less, then all; and each one that it subscribes to has its first value from
    /// `changed`, where it has one at all.
    pub(super) async fn what_is_subscribed_is_delivered(&self) {
        let mut session = self.connect().await;
        self.subscribe(&mut *session, &self.erased).await;
        self.subscribe(&mut *session, &self.erased[..self.erased.len().saturating_sub(1)]).await;
        let subscriptions = self.subscribe(&mut *session, &self.erased).await;
        let mut missing = Vec::new();
        for (place, property) in self.device.properties().enumerate() {
            if subscriptions.contains(property.name())
                && property.polling() != Some(true)
                && self.value(&mut *session, place).await.is_some()
            {
                missing.push(property);
            }
        }
        let mut seen = HashSet::new();
        let everything = async {
            while missing.iter().any(|property| !seen.contains(property.name())) {
                let changes = self.call_for_ever("changed", session.changed()).await;
                self.delivered(changes, &mut seen);
            }
        };
        let in_time = timeout(DEADLINE, everything).await.is_ok();
        if let Some(property) = missing.into_iter().find(|property| !in_time && !seen.contains(property.name())) {
            let what = format!("it is subscribed, and nothing of it was delivered within {DEADLINE:?}");
            let cure = "deliver its first value by `changed`, or leave it out of `Subscriptions`, so that it is polled";
            self.violated(Violation::of(property, "subscribe", what, cure));
        }
        self.close(session).await;
    }

    async fn subscribe(&self, session: &mut dyn ErasedSession, properties: &[ErasedProperty]) -> Subscriptions {
        let subscribed = self.call("subscribe", session.subscribe(properties)).await;
        let subscriptions = subscribed.unwrap_or_else(|error| {
            let cure = "it is called at each change of the properties, and costs the session if it fails: leave out of \
                        `Subscriptions` what cannot be subscribed";
            self.violated(Violation::new("subscribe", error, cure))
        });
        if let Some(stranger) = subscriptions.names().find(|name| self.device.property(name).is_none()) {
            let what = format!("it subscribed to {stranger:?}, which the device does not have");
            self.violated(Violation::new("subscribe", what, "give the property's name as the manifest has it"));
        }
        subscriptions
    }

    /// Changes must be of the device's properties, and of their types. Their names are added to `seen`.
    fn delivered(&self, delivered: Result<Vec<Change>, DriverError>, seen: &mut HashSet<String>) {
        let changes = delivered.unwrap_or_else(|error| {
            let cure = "await the next change; an error ends the session, a cancelled call must not";
            self.violated(Violation::new("changed", error, cure))
        });
        for change in changes {
            let (name, result) = change.into_parts();
            let Some(property) = self.device.property(&name) else {
                let what = format!("it delivered {name:?}, which the device does not have");
                let cure = "give the property's name as the manifest has it";
                self.violated(Violation::new("changed", what, cure));
            };
            match result {
                Ok(reading) => drop(self.fitting(property, "changed", reading.into_value())),
                Err(error) => {
                    let what = format!("it delivered that the property has failed: {error}");
                    self.violated(Violation::of(property, "changed", what, "is its visitor right for this device?"));
                }
            }
            seen.insert(name);
        }
    }
}
