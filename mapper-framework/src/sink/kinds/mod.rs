//! The built-in kinds of sink, one file each, all with the same sections in the same order: the module's docs with the wire and the
//! keys of the config, the kind (routes and connecting), the sink (write, health, query, close), and what it writes.

#[cfg(feature = "sink-mqtt")]
mod mqtt;
mod not_compiled;

use std::sync::Arc;

use crate::config::SinksConfig;

use super::SinkKind;
use not_compiled::NotCompiled;

/// The built-in kinds. One whose Cargo feature is off is there all the same, and says so to the devices that ask for it.
pub(crate) fn all(config: &SinksConfig) -> Vec<Arc<dyn SinkKind>> {
    macro_rules! kinds {
        ($($feature:literal $name:literal => $make:expr,)*) => {
            vec![$(
                #[cfg(feature = $feature)]
                { Arc::new($make) as Arc<dyn SinkKind> },
                #[cfg(not(feature = $feature))]
                { Arc::new(NotCompiled { kind: $name, feature: $feature }) as Arc<dyn SinkKind> },
            )*]
        };
    }
    let _ = config;
    kinds! {
        "sink-http" "http" => NotCompiled { kind: "http", feature: "sink-http" },
        "sink-influxdb2" "influxdb2" => NotCompiled { kind: "influxdb2", feature: "sink-influxdb2" },
        "sink-mqtt" "mqtt" => mqtt::Mqtt::new(&config.mqtt, &config.tls),
        "sink-mysql" "mysql" => NotCompiled { kind: "mysql", feature: "sink-mysql" },
        "sink-otel" "otel" => NotCompiled { kind: "otel", feature: "sink-otel" },
        "sink-redis" "redis" => NotCompiled { kind: "redis", feature: "sink-redis" },
        "sink-tdengine" "tdengine" => NotCompiled { kind: "tdengine", feature: "sink-tdengine" },
    }
}

/// The built-in kind of this name, such as `redis`, with the settings of a config; `None` if there is none of the name. For tests,
/// and for a kind of your own that writes as a built-in one does.
pub fn builtin(name: &str, config: &SinksConfig) -> Option<Arc<dyn SinkKind>> {
    all(config).into_iter().find(|kind| kind.name() == name)
}
