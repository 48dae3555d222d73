//! The keys of a device, and what can be wrong with them together.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

use super::Config;
use crate::{
    forbidden::Forbidden,
    framing::Framing,
    gateway::Terms,
    link::Link,
    plan::Limits,
    scalar,
    serial::{Line, Parity},
    tls::{Identity, Tls},
};

/// The keys as they are written. Aliases are the names of KubeEdge's mappers in Go.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Manifest {
    /// The name or the address of the device, or of its gateway.
    #[serde(alias = "ip")]
    host: Option<String>,
    #[serde(deserialize_with = "scalar::whole")]
    port: Option<u16>,
    #[serde(alias = "slaveID", deserialize_with = "scalar::whole")]
    unit_id: Option<u8>,
    communicate_mode: Option<Mode>,
    framing: Option<Framing>,
    tls: bool,
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    server_name: Option<String>,
    #[serde(alias = "serialName")]
    serial_port: Option<PathBuf>,
    baud_rate: Option<NonZeroU32>,
    data_bits: Option<u8>,
    parity: Option<Parity>,
    stop_bits: Option<u8>,
    #[serde(alias = "rs485Enabled")]
    rs485: bool,
    /// Milliseconds for the answer to a request, and for opening the connection.
    timeout: Option<NonZeroU32>,
    /// How often a request is repeated that got no answer, or a damaged one.
    #[serde(deserialize_with = "scalar::whole")]
    retries: Option<u8>,
    /// Milliseconds between an answer to anybody on the same connection and the next request.
    pause: u32,
    /// The most registers that nobody asked for and that are read along to save a request.
    max_gap: u16,
    /// The most registers that one request asks for.
    max_registers: Option<NonZeroU32>,
    /// Addresses that are neither read nor written.
    forbidden: Forbidden,
    close_after_round: bool,
}

/// What the mappers in Go ask for; here the other keys say it.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Mode {
    #[serde(rename = "TCP", alias = "tcp")]
    Tcp,
    #[serde(rename = "RTU", alias = "rtu")]
    Rtu,
}

impl TryFrom<Manifest> for Config {
    type Error = Mistake;

    fn try_from(manifest: Manifest) -> Result<Self, Mistake> {
        let link = manifest.link()?;
        let unit_id = manifest.unit_id.unwrap_or(1);
        if unit_id == 0 && link.framing() == Framing::Rtu {
            return Err(Mistake::Broadcast);
        }
        let (silence, retries) = match &link {
            Link::Serial(line) => (line.silence(), 1),
            Link::Net { framing: Framing::Rtu, .. } => (Duration::ZERO, 1),
            Link::Net { framing: Framing::Tcp, .. } => (Duration::ZERO, 0),
        };
        let within = manifest.timeout.map_or(1000, NonZeroU32::get);
        let terms = Terms {
            within: Duration::from_millis(within.into()),
            pause: Duration::from_millis(manifest.pause.into()).max(silence),
            retries: manifest.retries.unwrap_or(retries),
        };
        let limits = Limits {
            max_gap: manifest.max_gap,
            max_registers: manifest.max_registers.map(NonZeroU32::get),
            forbidden: manifest.forbidden,
        };
        Ok(Self { link, unit_id, terms, limits, close_after_round: manifest.close_after_round })
    }
}

impl Manifest {
    fn link(&self) -> Result<Link, Mistake> {
        match (&self.host, &self.serial_port) {
            (None, None) => Err(Mistake::Nowhere),
            (Some(_), Some(_)) => Err(Mistake::TwoPlaces),
            (Some(host), None) => self.net(host),
            (None, Some(path)) => self.serial(path),
        }
    }

    fn net(&self, host: &str) -> Result<Link, Mistake> {
        self.refuse_without("serialPort", &self.serial_keys())?;
        if self.communicate_mode == Some(Mode::Rtu) {
            return Err(Mistake::Mode { mode: "RTU", place: "`host`", cure: "`serialPort`, or `framing: rtu`" });
        }
        // An IPv6 address may be written as in a URL.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let tls = self.tls()?;
        let port = self.port.unwrap_or(if tls.is_some() { 802 } else { 502 });
        Ok(Link::Net { host: bare.to_owned(), port, framing: self.framing.unwrap_or_default(), tls })
    }

    fn serial(&self, path: &Path) -> Result<Link, Mistake> {
        self.refuse_without("host", &[("port", self.port.is_some()), ("tls", self.tls)])?;
        self.refuse_without("host", &self.tls_keys())?;
        if self.communicate_mode == Some(Mode::Tcp) {
            return Err(Mistake::Mode { mode: "TCP", place: "`serialPort`", cure: "`host`" });
        }
        if self.framing == Some(Framing::Tcp) {
            return Err(Mistake::Framing);
        }
        if let Some(bits) = self.data_bits.filter(|bits| *bits != 8) {
            return Err(Mistake::DataBits { bits });
        }
        let two_stop_bits = match self.stop_bits {
            None | Some(1) => false,
            Some(2) => true,
            Some(bits) => return Err(Mistake::StopBits { bits }),
        };
        Ok(Link::Serial(Line {
            path: path.to_owned(),
            baud_rate: self.baud_rate.map_or(19_200, NonZeroU32::get),
            parity: self.parity.unwrap_or(Parity::Even),
            two_stop_bits,
            rs485: self.rs485,
        }))
    }

    fn tls(&self) -> Result<Option<Tls>, Mistake> {
        if !self.tls {
            return self.refuse_without("tls: true", &self.tls_keys()).map(|()| None);
        }
        let ca_file = self.ca_file.clone().ok_or(Mistake::NoAuthority)?;
        let identity = match (&self.cert_file, &self.key_file) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some(Identity { cert_file: cert.clone(), key_file: key.clone() }),
            _ => return Err(Mistake::HalfAnIdentity),
        };
        Ok(Some(Tls { ca_file, identity, server_name: self.server_name.clone() }))
    }

    fn serial_keys(&self) -> [(&'static str, bool); 5] {
        [
            ("baudRate", self.baud_rate.is_some()),
            ("dataBits", self.data_bits.is_some()),
            ("parity", self.parity.is_some()),
            ("stopBits", self.stop_bits.is_some()),
            ("rs485", self.rs485),
        ]
    }

    fn tls_keys(&self) -> [(&'static str, bool); 4] {
        [
            ("caFile", self.ca_file.is_some()),
            ("certFile", self.cert_file.is_some()),
            ("keyFile", self.key_file.is_some()),
            ("serverName", self.server_name.is_some()),
        ]
    }

    /// Refuses keys that say nothing without another one.
    fn refuse_without(&self, needed: &'static str, fields: &[(&'static str, bool)]) -> Result<(), Mistake> {
        let written = fields.iter().find(|(_, is_written)| *is_written);
        written.map_or(Ok(()), |(field, _)| Err(Mistake::Pointless { field, needed }))
    }
}

/// What is wrong with a device although each of its keys is right.
#[derive(Debug, thiserror::Error)]
pub(super) enum Mistake {
    #[error("`host` is missing: write the device's address, or `serialPort` for one on a serial line")]
    Nowhere,
    #[error("`host` and `serialPort` both say where the device is: leave one of them out")]
    TwoPlaces,
    #[error("`{field}` says nothing without `{needed}`: leave it out")]
    Pointless { field: &'static str, needed: &'static str },
    #[error("`communicateMode` is {mode}, and the device has {place}: write {cure}")]
    Mode { mode: &'static str, place: &'static str, cure: &'static str },
    #[error("`framing` is tcp, and a serial line carries RTU: leave it out")]
    Framing,
    #[error("`dataBits` is {bits}, and Modbus RTU takes 8")]
    DataBits { bits: u8 },
    #[error("`stopBits` is {bits}: write 1 or 2")]
    StopBits { bits: u8 },
    #[error("`unitId` is 0, to which no unit answers in RTU: write 1 to 247")]
    Broadcast,
    #[error("`caFile` is missing: name the authority that issued the server's certificate")]
    NoAuthority,
    #[error("`certFile` and `keyFile` belong together: write both or none")]
    HalfAnIdentity,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn config(json: Json) -> Result<Config, serde_json::Error> {
        serde_json::from_value(json)
    }

    fn place(json: Json) -> String {
        config(json).map_or_else(|error| error.to_string(), |config| config.link.to_string())
    }

    #[test]
    fn a_host_is_all_that_a_config_needs() -> anyhow::Result<()> {
        let config = config(json!({"host": "10.0.0.7"}))?;
        assert_eq!((config.link.to_string().as_str(), config.unit_id), ("10.0.0.7:502", 1));
        assert_eq!((config.terms.within, config.terms.pause), (Duration::from_secs(1), Duration::ZERO));
        assert_eq!((config.terms.retries, config.limits.max_gap), (0, 0));
        Ok(())
    }

    #[test]
    fn a_serial_port_is_all_that_one_on_a_line_needs() -> anyhow::Result<()> {
        let config = config(json!({"serialPort": "/dev/ttyS0"}))?;
        assert_eq!(config.link.to_string(), "/dev/ttyS0 (19200 baud, 8E1)");
        assert_eq!((config.terms.pause, config.terms.retries), (Duration::from_nanos(2_005_208), 1));
        Ok(())
    }

    #[test]
    fn the_keys_of_the_mappers_in_go_are_understood() {
        let tcp = json!({"slaveID": 2, "communicateMode": "TCP", "ip": "10.0.0.7", "port": "1502"});
        assert_eq!(place(tcp), "10.0.0.7:1502");
        let rtu = json!({"slaveID": 1, "communicateMode": "RTU", "serialName": "/dev/ttyS1", "baudRate": 9600,
            "dataBits": 8, "stopBits": 2, "parity": "None", "rs485Enabled": true});
        assert_eq!(place(rtu), "/dev/ttyS1 (9600 baud, 8N2)");
    }

    #[test]
    fn an_address_is_the_same_with_and_without_brackets_and_tls_has_a_port_of_its_own() {
        assert_eq!(place(json!({"host": "::1"})), "[::1]:502");
        assert_eq!(place(json!({"host": "[::1]"})), "[::1]:502");
        assert_eq!(place(json!({"host": "plc", "tls": true, "caFile": "/ca.pem"})), "plc:802");
    }

    #[test]
    fn keys_that_do_not_go_together_are_errors() {
        for (keys, message) in [
            (json!({}), "`host` is missing: write the device's address, or `serialPort` for"),
            (json!({"host": "h", "serialPort": "/dev/s"}), "`host` and `serialPort` both say"),
            (json!({"host": "h", "baudRate": 9600}), "`baudRate` says nothing without `serialPort`"),
            (json!({"host": "h", "communicateMode": "RTU"}), "`communicateMode` is RTU, and the device has `host`"),
            (json!({"host": "h", "caFile": "/ca.pem"}), "`caFile` says nothing without `tls: true`"),
            (json!({"host": "h", "tls": true}), "`caFile` is missing"),
            (json!({"host": "h", "tls": true, "caFile": "/c", "keyFile": "/k"}), "`certFile` and `keyFile` belong"),
            (json!({"host": "h", "framing": "rtu", "unitId": 0}), "`unitId` is 0"),
            (json!({"serialPort": "/dev/s", "port": 5}), "`port` says nothing without `host`"),
            (json!({"serialPort": "/dev/s", "framing": "tcp"}), "`framing` is tcp"),
            (json!({"serialPort": "/dev/s", "dataBits": 7}), "`dataBits` is 7, and Modbus RTU takes 8"),
            (json!({"serialPort": "/dev/s", "stopBits": 3}), "`stopBits` is 3: write 1 or 2"),
            (json!({"host": "h", "unitID": 2}), "unknown field `unitID`, expected one of `host`,"),
        ] {
            let error = place(keys.clone());
            assert!(error.starts_with(message), "{keys}: {error}");
        }
        assert!(config(json!({"host": "h", "timeout": 0})).is_err());
    }
}
