//! What users of a [`LocalEdge`] do with its event bus.

use super::{
    super::{LocalEdge, LocalEdgeError},
    Bus,
};

impl LocalEdge {
    /// The address of the event bus, such as `mqtt://127.0.0.1:40123`; `None` without one.
    ///
    /// The broker lives as long as the edge, also while the edge is stopped. It is one for tests: it takes MQTT 3.1.1 with QoS
    /// 0 and 1, cuts a client that reads too slowly, and lacks QoS 2, lasting sessions, retained messages, wills, keep-alive,
    /// logins and TLS.
    pub fn event_bus(&self) -> Option<&str> {
        self.core.bus().map(Bus::address)
    }

    /// Stops the broker of the event bus: all its clients are cut, and nobody can connect. Does nothing without one.
    pub async fn stop_broker(&self) {
        if let Some(bus) = self.core.bus() {
            bus.stop_broker().await;
        }
    }

    /// Starts the broker of the event bus again, at the same address. Does nothing if it runs, or without one.
    ///
    /// # Errors
    ///
    /// The port has been taken by somebody else.
    pub async fn start_broker(&self) -> Result<(), LocalEdgeError> {
        match self.core.bus() {
            Some(bus) => bus.start_broker().await,
            None => Ok(()),
        }
    }
}
