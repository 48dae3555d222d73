//! Where an MQTT broker is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Address, AddressError};

/// The address of an MQTT broker: `mqtt://`, `mqtts://`, `tcp://`, `ssl://` or `host:port`; without a port 1883, or 8883 with TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Broker {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

impl Broker {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// It is no address, or not that of a broker.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let address = Address::parse(text)?.checked()?;
        let tls = match address.scheme.as_deref() {
            None | Some("mqtt" | "tcp") => false,
            Some("mqtts" | "ssl") => true,
            Some(_) => return Err(address.unknown_scheme("mqtt://, or mqtts:// for TLS")),
        };
        if !matches!(&*address.path, "" | "/") {
            return Err(AddressError::new(format!("a broker has no {:?}", address.path), "write host:port only"));
        }
        let port = address.port.unwrap_or(if tls { 8883 } else { 1883 });
        Ok(Self { host: address.host.to_ascii_lowercase(), port, tls })
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, tls } = self;
        let scheme = if *tls { "mqtts" } else { "mqtt" };
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
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
            assert_eq!(Broker::parse(text), Ok(Broker { host: host.into(), port, tls }), "{text}");
        }
    }

    #[test]
    fn a_broker_is_told_of_as_an_address() {
        for text in ["mqtt://broker:1883", "mqtts://[::1]:8883"] {
            assert_eq!(Broker::parse(text).unwrap().to_string(), text);
        }
    }
}
