//! By which way reports go to edgecore.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{MqttVersion, ReportConfig, TlsConfig};

/// By which way twins and states go to edgecore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReportVia {
    /// By calls of the Device Management Interface, of which edgecore takes one a second.
    #[default]
    Dmi,
    /// Over edgecore's event bus, by the node's MQTT broker.
    Eventbus,
    /// Over the event bus where it answers, and by calls where it does not.
    Auto,
}

/// `report.eventbus`: the MQTT broker that edgecore's module `eventBus` is connected to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventbusConfig {
    /// `mqtt://`, or `mqtts://` with TLS, host and port. Empty, as by default, it becomes `mqtt://127.0.0.1:1883`, where edgecore looks for
    /// it, unless `report.via` is `dmi`.
    ///
    /// With `report.via: dmi` and an address, what edgecore says there of reports is listened to: one that it takes and does not store is
    /// repeated.
    pub address: String,
    /// A folder with the files `username` and `password`, as a mounted Secret is. Without it `EVENTBUS_USERNAME` and `EVENTBUS_PASSWORD` of the
    /// environment count.
    pub credentials: PathBuf,
    /// The version of the protocol. By default `3.1.1`.
    pub version: MqttVersion,
    /// What the client id begins with; the rest is made from `sinks.mqtt.node_name`, or the host's name, and the broker's address. Empty, as by default, it becomes the
    /// mapper's name and `-eventbus`.
    pub client_id: String,
    /// How long the connection may be silent before the broker is asked whether it is still there. By default 30 seconds; less
    /// than five are five.
    #[serde(with = "humantime_serde")]
    pub keep_alive: Duration,
    /// How many twins a second are sent at most. By default 250: a node on two cores was seen to store 560 a second in messages of ten, and
    /// the mappers of a node share that.
    pub twins_per_second: f64,
    /// Certificates, for `mqtts://`.
    pub tls: TlsConfig,
}

impl Default for EventbusConfig {
    fn default() -> Self {
        Self {
            address: String::new(),
            credentials: PathBuf::new(),
            version: MqttVersion::V3,
            client_id: String::new(),
            keep_alive: Duration::from_secs(30),
            twins_per_second: 250.0,
            tls: TlsConfig::default(),
        }
    }
}

/// Where edgecore looks for the node's broker (`modules.eventBus.mqttServerExternal`).
pub(super) const DEFAULT_ADDRESS: &str = "mqtt://127.0.0.1:1883";

impl ReportConfig {
    /// How many calls a second the reports may need: over the event bus there is no such limit.
    pub(crate) fn budget(&self) -> f64 {
        match self.via {
            ReportVia::Dmi => self.calls_per_second,
            ReportVia::Eventbus | ReportVia::Auto => f64::INFINITY,
        }
    }
}
