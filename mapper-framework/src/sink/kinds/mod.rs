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

/// The built-in kinds. One whose Cargo feature is off is there all the same, and says so to the devices that ask for it.
pub(crate) fn all(config: &SinksConfig, telemetry: &Telemetry) -> Vec<Arc<dyn ErasedKind>> {
    macro_rules! kinds {
        ($($feature:literal $name:literal => $make:expr,)*) => {
            vec![$(
                #[cfg(feature = $feature)]
                { erase($make) },
                #[cfg(not(feature = $feature))]
                { erase(not_compiled::NotCompiled { kind: $name, feature: $feature }) },
            )*]
        };
    }
    let access = Arc::new(Access::new(config));
    // Without any sink nobody reads them.
    let _ = (&access, telemetry);
    kinds! {
        "sink-http" "http" => http::Http::new(config, &access),
        "sink-influxdb2" "influxdb2" => influxdb2::Influxdb2::new(&access),
        "sink-mqtt" "mqtt" => mqtt::Mqtt::new(&config.mqtt, &access),
        "sink-mysql" "mysql" => mysql::Mysql::new(&config.mysql, &access, telemetry),
        "sink-otel" "otel" => otel::Otel::new(config, &access),
        "sink-redis" "redis" => redis::Redis::new(&config.redis, &access),
        "sink-tdengine" "tdengine" => tdengine::Tdengine::new(&config.tdengine, &access),
    }
}
