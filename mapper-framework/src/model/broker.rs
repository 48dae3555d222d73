//! Where an MQTT broker is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Address, AddressError};

/// The address of an MQTT broker: `mqtt://`, `mqtts://`, `tcp://`, `ssl://` or `host:port`; without a port 1883, or 8883 with TLS. With the
/// feature `sink-mqtt-ws` also `ws://` and `wss://`, without a port 80 and 443, and without a path `/mqtt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Broker {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    /// Over a WebSocket at this path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) websocket: Option<String>,
}

impl Broker {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// It is no address, or not that of a broker.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let address = Address::parse(text)?.checked()?;
        let (tls, port) = match address.scheme.as_deref() {
            None | Some("mqtt" | "tcp") => (false, 1883),
            Some("mqtts" | "ssl") => (true, 8883),
            Some("ws" | "wss") => return Self::over_websocket(address),
            Some(_) => return Err(address.unknown_scheme("mqtt://, or mqtts:// for TLS")),
        };
        if !matches!(&*address.path, "" | "/") {
            return Err(AddressError::new(format!("a broker has no {:?}", address.path), "write host:port only"));
        }
        let (host, port) = (address.host.to_ascii_lowercase(), address.port.unwrap_or(port));
        Ok(Self { host, port, tls, websocket: None })
    }

    fn over_websocket(address: Address) -> Result<Self, AddressError> {
        if cfg!(not(feature = "sink-mqtt-ws")) {
            let cure =
                "write mqtt:// or mqtts://, or enable the feature \"sink-mqtt-ws\" of mapper-framework in Cargo.toml";
            return Err(AddressError::new("WebSockets are not compiled into this mapper", cure));
        }
        let tls = address.scheme.as_deref() == Some("wss");
        let port = address.port.unwrap_or(if tls { 443 } else { 80 });
        let path = if address.path.is_empty() { "/mqtt".to_owned() } else { address.path };
        let is_url = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !path.starts_with('/') || !path.bytes().all(is_url) {
            return Err(AddressError::new(format!("{path:?} is no path"), "write host:port/path"));
        }
        Ok(Self { host: address.host.to_ascii_lowercase(), port, tls, websocket: Some(path) })
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, tls, websocket } = self;
        let scheme = match (websocket, tls) {
            (None, false) => "mqtt",
            (None, true) => "mqtts",
            (Some(_), false) => "ws",
            (Some(_), true) => "wss",
        };
        let path = websocket.as_deref().unwrap_or_default();
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}{path}")
        } else {
            write!(f, "{scheme}://{host}:{port}{path}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_write_an_address_name_the_same_broker() {
        for (text, host, port, tls) in [
            ("mqtt://broker", "broker", 1883, false),
            ("tcp://broker:1883", "broker", 1883, false),
            ("broker", "broker", 1883, false),
            ("Broker:1883/", "broker", 1883, false),
            ("mqtts://broker", "broker", 8883, true),
            ("ssl://broker:8884", "broker", 8884, true),
            ("[::1]", "::1", 1883, false),
            ("mqtts://[fe80::1]:1", "fe80::1", 1, true),
        ] {
            assert_eq!(Broker::parse(text), Ok(Broker { host: host.into(), port, tls, websocket: None }), "{text}");
        }
    }

    #[test]
    #[cfg(feature = "sink-mqtt-ws")]
    fn a_broker_behind_a_websocket_has_a_path() {
        for (text, name) in [
            ("ws://broker", "ws://broker:80/mqtt"),
            ("WSS://Broker:8443/", "wss://broker:8443/"),
            ("wss://[::1]/a/B?c=d", "wss://[::1]:443/a/B?c=d"),
        ] {
            assert_eq!(Broker::parse(text).unwrap().to_string(), name);
        }
        assert!(Broker::parse("ws://broker#x").unwrap_err().to_string().contains("host:port/path"));
    }

    #[test]
    #[cfg(not(feature = "sink-mqtt-ws"))]
    fn a_websocket_needs_its_feature() {
        assert!(Broker::parse("ws://broker").unwrap_err().to_string().contains("\"sink-mqtt-ws\""));
    }

    #[test]
    fn a_broker_without_a_websocket_is_kept_as_ever() {
        let kept = serde_json::to_string(&Broker::parse("broker").unwrap()).unwrap();
        assert_eq!(kept, r#"{"host":"broker","port":1883,"tls":false}"#);
    }

    #[test]
    fn a_broker_is_told_of_as_an_address() {
        for text in ["mqtt://broker:1883", "mqtts://[::1]:8883"] {
            assert_eq!(Broker::parse(text).unwrap().to_string(), text);
        }
    }
}
