//! What a user writes about a device.

use std::{num::NonZeroU32, time::Duration};

use serde::Deserialize;

use crate::{forbidden::Forbidden, gateway::Terms, plan::Limits};

/// `spec.protocol.configData` of a device.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The name or the address of the device, or of its gateway.
    pub(crate) host: String,
    #[serde(default = "default_port")]
    pub(crate) port: u16,
    /// Which of the units behind the gateway.
    #[serde(default = "default_unit_id")]
    pub(crate) unit_id: u8,
    /// Milliseconds for the answer to a request, and for opening the connection.
    #[serde(default = "default_timeout")]
    timeout: NonZeroU32,
    /// The most registers that nobody asked for and that are read along to save a request.
    #[serde(default)]
    max_gap: u16,
    /// The most registers that one request asks for.
    max_registers: Option<NonZeroU32>,
    /// Addresses that are never read.
    #[serde(default)]
    forbidden: Forbidden,
    /// Milliseconds between an answer to anybody behind the gateway and the next request.
    #[serde(default)]
    pause: u32,
    /// Whether the connection is closed after each round, for gateways that other masters share.
    #[serde(default)]
    pub(crate) close_after_round: bool,
}

fn default_port() -> u16 {
    502
}

fn default_unit_id() -> u8 {
    1
}

fn default_timeout() -> NonZeroU32 {
    NonZeroU32::new(1000).expect("not zero")
}

impl Config {
    pub(crate) fn terms(&self) -> Terms {
        Terms { within: self.timeout(), pause: Duration::from_millis(self.pause.into()) }
    }

    pub(crate) fn limits(&self) -> Limits {
        let max_registers = self.max_registers.map(NonZeroU32::get);
        Limits { max_gap: self.max_gap, max_registers, forbidden: self.forbidden.clone() }
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.timeout.get()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn config(json: Json) -> Result<Config, serde_json::Error> {
        serde_json::from_value(json)
    }

    #[test]
    fn a_host_is_all_that_a_config_needs() -> anyhow::Result<()> {
        let config = config(json!({"host": "10.0.0.7"}))?;
        assert_eq!((config.port, config.unit_id, config.max_gap), (502, 1, 0));
        assert_eq!(config.timeout(), Duration::from_secs(1));
        Ok(())
    }

    #[test]
    fn a_misspelt_key_and_a_timeout_of_zero_are_errors() {
        let error = config(json!({"host": "h", "unitID": 2})).expect_err("it is `unitId`").to_string();
        assert!(error.starts_with("unknown field `unitID`, expected one of `host`, `port`, `unitId`"), "{error}");
        assert!(config(json!({"host": "h", "timeout": 0})).is_err());
    }
}
