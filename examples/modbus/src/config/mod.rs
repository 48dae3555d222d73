//! What a user writes about a device.

mod manifest;

use serde::Deserialize;

use crate::{gateway::Terms, link::Link, plan::Limits};

/// `spec.protocol.configData` of a device, checked: its keys go together.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "manifest::Manifest")]
pub struct Config {
    pub(crate) link: Link,
    /// Which of the units on the line or behind the gateway.
    pub(crate) unit_id: u8,
    pub(crate) terms: Terms,
    pub(crate) limits: Limits,
    /// Whether the connection is closed after each round, for gateways that other masters share.
    pub(crate) close_after_round: bool,
}
