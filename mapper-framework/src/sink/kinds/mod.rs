//! The built-in kinds of sink, one file each, all with the same sections in the same order: the module's docs with the wire and the
//! keys of the config, the kind (routes and connecting), the sink (write, health, query, close), and what it writes.

#[cfg(feature = "sink-http")]
mod http;
#[cfg(feature = "sink-influxdb2")]
mod influxdb2;
#[cfg(feature = "sink-mqtt")]
mod mqtt;
#[cfg(feature = "sink-mysql")]
mod mysql;
mod not_compiled;
#[cfg(feature = "sink-otel")]
mod otel;
#[cfg(feature = "sink-redis")]
mod redis;
#[cfg(feature = "sink-tdengine")]
mod tdengine;

use std::sync::Arc;

use crate::{config::SinksConfig, telemetry::Telemetry};

use super::{
    Access,
    erased::{ErasedKind, erase},
};

/// Kinds, of which one whose Cargo feature is off is there all the same, and says so to the devices that ask for it.
macro_rules! kinds {
    ($($feature:literal $name:literal => $make:expr,)*) => {
        vec![$(
            #[cfg(feature = $feature)]
            { let kind: Arc<dyn ErasedKind> = $make; kind },
            #[cfg(not(feature = $feature))]
            { erase(not_compiled::NotCompiled { kind: $name, feature: $feature }) },
        )*]
    };
}

/// The built-in kinds, for samples.
pub(crate) fn all(config: &SinksConfig, telemetry: &Telemetry) -> Vec<Arc<dyn ErasedKind>> {
    let access = Arc::new(Access::new(config));
    // Without any sink nobody reads them.
    let _ = (&access, telemetry);
    kinds! {
        "sink-http" "http" => erase(http::Http::new(config, &access)),
        "sink-influxdb2" "influxdb2" => erase(influxdb2::Influxdb2::new(&access)),
        "sink-mqtt" "mqtt" => erase(mqtt::Mqtt::new(&config.mqtt, &access)),
        "sink-mysql" "mysql" => erase(mysql::Mysql::new(&config.mysql, &access, telemetry)),
        "sink-otel" "otel" => erase(otel::Otel::new(config, &access)),
        "sink-redis" "redis" => erase(redis::Redis::new(&config.redis, &access)),
        "sink-tdengine" "tdengine" => erase(tdengine::Tdengine::new(&config.tdengine, &access)),
    }
}

/// The built-in kinds that take frames of a stream.
pub(crate) fn for_frames(config: &SinksConfig) -> Vec<Arc<dyn ErasedKind>> {
    let access = Arc::new(Access::new(config));
    // Without the two nobody reads it.
    let _ = &access;
    kinds! {
        "sink-http" "http" => Arc::new(http::HttpFrames::new(config, &access)),
        "sink-mqtt" "mqtt" => Arc::new(mqtt::MqttFrames::new(&config.mqtt, &access)),
    }
}
