//! What a user writes about a device in its manifest.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value as Json;
use url::Url;

use crate::keys::{Pairs, Pointer, millis};

/// `spec.protocol.configData`, beside `credentials`, which is the framework's.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Where the broker is: `mqtt://HOST:PORT`, or `mqtts://` for TLS.
    pub(crate) broker: Broker,
    /// Which version of MQTT is spoken to it.
    #[serde(default)]
    pub(crate) version: Version,
    /// Which family of devices it is of.
    #[serde(default)]
    pub(crate) format: Format,
    /// What `{device}` stands for in topics; without it, the name of the Device.
    pub(crate) device: Option<String>,
    /// Where the topics of `Zigbee2MQTT` begin.
    pub(crate) base: Option<String>,
    /// The generation of a Shelly.
    #[serde(default, deserialize_with = "generation")]
    generation: Option<u8>,
    /// The group of Sparkplug.
    pub(crate) group: Option<String>,
    /// The edge node of Sparkplug.
    pub(crate) node: Option<String>,
    /// More placeholders.
    #[serde(default)]
    pub(crate) placeholders: Pairs,
    /// The topic of properties that name none.
    pub(crate) topic: Option<String>,
    /// The topic that says whether the device is there, in place of the format's.
    pub(crate) availability: Option<String>,
    /// Where in the payload of that topic it stands.
    pub(crate) availability_pointer: Option<Pointer>,
    /// The text for a device that is there.
    pub(crate) online: Option<String>,
    /// The text for a device that is away.
    pub(crate) offline: Option<String>,
    /// How old a value may become before it counts for nothing.
    #[serde(default, deserialize_with = "millis")]
    pub(crate) max_age: Option<Duration>,
    /// What becomes of values that the broker has kept.
    #[serde(default)]
    pub(crate) retained: Retained,
    /// How long the broker and the device are waited for.
    #[serde(default, deserialize_with = "millis")]
    timeout: Option<Duration>,
    /// How often the broker shows that it is there.
    #[serde(default, deserialize_with = "millis")]
    keep_alive: Option<Duration>,
    /// The client id of the connection.
    pub(crate) client_id: Option<String>,
}

impl Config {
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(5))
    }

    pub(crate) fn is_first_generation(&self) -> bool {
        self.generation == Some(1)
    }

    /// The library takes no less than a second, by MQTT 5 no less than five, and the protocol no more than eighteen hours.
    pub(crate) fn keep_alive(&self) -> Duration {
        let least = Duration::from_secs(if self.version == Version::V5 { 5 } else { 1 });
        let most = Duration::from_secs(u64::from(u16::MAX));
        self.keep_alive.unwrap_or(Duration::from_secs(10)).clamp(least, most)
    }
}

/// A family of devices, which says what topics there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Anything: the manifest names the topics.
    #[default]
    Json,
    /// Devices with the firmware Tasmota.
    Tasmota,
    /// Devices behind `Zigbee2MQTT`.
    Zigbee2mqtt,
    /// Shelly devices.
    Shelly,
    /// Edge nodes that speak Sparkplug B, and the devices behind them.
    Sparkplug,
}

fn generation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    match Option::<f64>::deserialize(deserializer)? {
        Some(number) if number.fract() != 0.0 || !(1.0..=9.0).contains(&number) => {
            Err(D::Error::custom(format_args!("found {number}, expected the generation of a Shelly, from 1")))
        }
        number => Ok(number.map(|number| number as u8)),
    }
}

/// A version of MQTT, written as in `sinks.mqtt.version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Version {
    /// `3.1.1`, which brokers for MQTT 5 speak as well.
    #[default]
    V3,
    /// `5`
    V5,
}

impl<'de> Deserialize<'de> for Version {
    /// 5 is a number in YAML, and edgecore makes 5.0 of it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(text) if text == "3.1.1" => Ok(Self::V3),
            Json::String(text) if text == "5" => Ok(Self::V5),
            Json::Number(number) if number.as_f64() == Some(5.0) => Ok(Self::V5),
            other => Err(D::Error::custom(format_args!("found {other}, expected 3.1.1 or 5"))),
        }
    }
}

/// What becomes of a value that the broker has kept, whose age nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Retained {
    /// It is published as uncertain.
    #[default]
    Uncertain,
    /// It is trusted like any other.
    Good,
    /// It is passed over.
    Ignore,
}

/// The address of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl std::fmt::Display for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tls, host, port } = self;
        let scheme = if *tls { "mqtts" } else { "mqtt" };
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}

impl<'de> Deserialize<'de> for Broker {
    /// Its text is in no error, for there may be a password in it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXAMPLE: &str = "expected an address such as mqtt://192.0.2.7:1883 or mqtts://broker.example:8883";
        let text = String::deserialize(deserializer)?;
        let url = Url::parse(&text).map_err(|error| D::Error::custom(format_args!("{error}: {EXAMPLE}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            let cure = "take them out, and name a folder in driver.credentials by `credentials`";
            return Err(D::Error::custom(format_args!("it has a user name or a password in it: {cure}")));
        }
        let tls = match url.scheme() {
            "mqtt" => false,
            "mqtts" => true,
            other => return Err(D::Error::custom(format_args!("found an address of {other:?}: {EXAMPLE}"))),
        };
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else { return Err(D::Error::custom(EXAMPLE)) };
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            return Err(D::Error::custom(format_args!("there is a path in it: {EXAMPLE}")));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { tls, host, port: url.port().unwrap_or(if tls { 8883 } else { 1883 }) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_named_and_a_password_is_not_shown() {
        for (config, message) in [
            (json!({}), "missing field `broker`"),
            (json!({"broker": "mqtt://mapper:hunter2@192.0.2.7"}), "a user name or a password in it: take them out"),
            (
                json!({"broker": "http://192.0.2.7"}),
                r#"found an address of "http": expected an address such as mqtt://"#,
            ),
            (json!({"broker": "mqtt://192.0.2.7/topic"}), "there is a path in it"),
            (json!({"broker": "192.0.2.7"}), "expected an address such as"),
            (json!({"broker": "mqtt://b", "version": 3.1}), "found 3.1, expected 3.1.1 or 5"),
            (json!({"broker": "mqtt://b", "version": "4"}), "found \"4\", expected 3.1.1 or 5"),
            (json!({"broker": "mqtt://b", "format": "esphome"}), "unknown variant `esphome`"),
            (
                json!({"broker": "mqtt://b", "format": "shelly", "generation": 1.5}),
                "found 1.5, expected the generation",
            ),
            (json!({"broker": "mqtt://b", "timeout": 0}), "found 0, expected milliseconds"),
            (json!({"broker": "mqtt://b", "placeholders": "room"}), "expected pairs such as"),
            (json!({"broker": "mqtt://b", "availabilityPointer": "state"}), r#"a JSON pointer, such as "/state""#),
        ] {
            let error = serde_json::from_value::<Config>(config).expect_err(message).to_string();
            assert!(error.contains(message) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_version_is_a_number_or_a_text_and_the_keep_alive_is_one_that_the_library_takes() {
        let config = |more: Json| {
            let mut config = json!({"broker": "mqtt://b", "keepAlive": 500});
            config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let config = serde_json::from_value::<Config>(config).unwrap();
            (config.version, config.keep_alive().as_secs())
        };
        assert_eq!(config(json!({})), (Version::V3, 1));
        assert_eq!(config(json!({"version": "3.1.1"})), (Version::V3, 1));
        for five in [json!(5), json!(5.0), json!("5")] {
            assert_eq!(config(json!({"version": five})), (Version::V5, 5));
        }
    }

    #[test]
    fn the_port_follows_from_the_scheme_and_an_ipv6_address_may_stand_in_brackets() {
        let broker = |text: &str| serde_json::from_value::<Broker>(json!(text)).expect("it is an address").to_string();
        assert_eq!(broker("mqtt://broker"), "mqtt://broker:1883");
        assert_eq!(broker("mqtts://[::1]"), "mqtts://[::1]:8883");
        assert_eq!(broker("mqtt://192.0.2.7:1884/"), "mqtt://192.0.2.7:1884");
    }
}
