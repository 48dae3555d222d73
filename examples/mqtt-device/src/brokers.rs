//! The brokers in use, each with one connection for all devices that name it with the same credentials.

use std::{
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};

use mapper_framework::{
    DriverError,
    model::{Credentials, DeviceId},
};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    config::{Broker, Version},
    connection::Connection,
    excess::Excess,
};

/// What a connection is made from. Devices with the same share one.
#[derive(Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) broker: Broker,
    pub(crate) version: Version,
    pub(crate) credentials: Credentials,
    pub(crate) client_id: Option<String>,
    pub(crate) keep_alive: Duration,
    /// The device that has a connection of its own.
    pub(crate) alone: Option<DeviceId>,
}

/// The brokers in use.
#[derive(Default)]
pub(crate) struct Brokers {
    /// Few, so they are searched one by one. Locked for a look-up, never across an await.
    slots: std::sync::Mutex<Vec<Arc<Slot>>>,
}

/// A broker with its connection, or why there is none.
struct Slot {
    settings: Settings,
    /// The last message that was too large for a connection with them.
    excess: Arc<Excess>,
    /// Locked while somebody connects, so that the others wait for what comes of it.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Weak, so that it closes with its last session.
    connection: Weak<Connection>,
    /// When the last attempt ended, and why it failed.
    failure: Option<(Instant, DriverError)>,
}

impl Brokers {
    /// The connection with these settings for a device: the one that is there, or a new one.
    ///
    /// # Errors
    ///
    /// The broker cannot be connected to.
    pub(crate) async fn connect(
        &self,
        settings: Settings,
        device: &DeviceId,
        within: Duration,
    ) -> Result<Arc<Connection>, DriverError> {
        let asked = Instant::now();
        let mut slot = self.slot(settings);
        // A broker lets one connection in with the same client id.
        if slot.excess.sets_apart(asked) && slot.settings.client_id.is_none() {
            slot = self.slot(Settings { alone: Some(device.clone()), ..slot.settings.clone() });
        }
        let mut state = slot.state.lock().await;
        if let Some(connection) = state.connection.upgrade().filter(|connection| connection.is_alive()) {
            return Ok(connection);
        }
        // An attempt that ended while this device waited for its turn was its own, too.
        if let Some((_, error)) = state.failure.as_ref().filter(|(ended, _)| *ended >= asked) {
            return Err(error.clone());
        }
        if let Some(why) = slot.excess.forbids(Instant::now()) {
            return Err(DriverError::disconnected(format_args!("{}: {why}", slot.settings.broker)));
        }
        match Connection::open(&slot.settings, Arc::clone(&slot.excess), within).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *state = State { connection: Arc::downgrade(&connection), failure: None };
                Ok(connection)
            }
            Err(error) => {
                state.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn slot(&self, settings: Settings) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.iter().find(|slot| slot.settings == settings) {
            return Arc::clone(slot);
        }
        let now = Instant::now();
        slots.retain(|slot| Arc::strong_count(slot) > 1 || slot.is_open() || slot.excess.sets_apart(now));
        let slot = Arc::new(Slot { settings, excess: Arc::default(), state: Mutex::default() });
        slots.push(Arc::clone(&slot));
        slot
    }
}

impl Slot {
    fn is_open(&self) -> bool {
        self.state.try_lock().is_ok_and(|state| state.connection.strong_count() > 0)
    }
}
