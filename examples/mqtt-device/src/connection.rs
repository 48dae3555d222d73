//! A connection to a broker, which sessions share.
//!
//! It never connects again: when it is lost, all who share it learn why, and open another one. That way nothing that the library still
//! holds can be sent late, and each session subscribes anew.

use std::{sync::Arc, time::Duration};

use mapper_framework::DriverError;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    brokers::Settings,
    excess::Excess,
    traffic::{self, Shared},
    wire::{Client, Wire},
};

/// A connection to a broker.
pub(crate) struct Connection {
    /// Its address, for messages.
    pub(crate) broker: String,
    pub(crate) client: Client,
    pub(crate) shared: Arc<Shared>,
    /// Drives the connection. It ends with it.
    _task: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// The broker does not answer within this time, or does not let the mapper in.
    pub(crate) async fn open(settings: &Settings, excess: Arc<Excess>, within: Duration) -> Result<Self, DriverError> {
        let (wire, client) = Wire::connect(settings, within).await?;
        let shared = Arc::<Shared>::default();
        let task = AbortOnDropHandle::new(tokio::spawn(traffic::poll(wire, Arc::clone(&shared), excess)));
        Ok(Self { broker: settings.broker.to_string(), client, shared, _task: task })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.shared.lock().loss.is_none()
    }
}
