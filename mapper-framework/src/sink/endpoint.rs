//! Where a target is in the network.

use std::fmt;

use crate::model::is_loopback;

/// Where a target is in the network, as far as it takes to decide which credentials may go there: host, port, and whether the
/// connection is encrypted. [`SinkKind::endpoint`](super::SinkKind::endpoint) returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
    tls: bool,
    field: &'static str,
    /// Whether who is there names the hosts that are connected to next.
    leads_on: bool,
}

impl Endpoint {
    /// A host, by name or by IP address, and a port. Without TLS, until [`with_tls`](Self::with_tls) says otherwise. IPv6 with or without
    /// brackets.
    pub fn new(host: impl AsRef<str>, port: u16) -> Self {
        let host = host.as_ref();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Self { host: bare.to_owned(), port, tls: false, field: "pushMethod", leads_on: false }
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn with_tls(self, tls: bool) -> Self {
        Self { tls, ..self }
    }

    /// The field of the manifest that names the address, below the property, such as `pushMethod.mqtt.address`. By default `pushMethod`.
    /// A refusal names it.
    #[must_use]
    pub fn named_by(self, field: &'static str) -> Self {
        Self { field, ..self }
    }

    /// The host, without the brackets of IPv6.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls
    }

    /// The field of the manifest that names the address.
    pub(super) fn field(&self) -> &'static str {
        self.field
    }

    /// A Sentinel, or a node of a cluster: it names others, which get the same credentials, so that it counts as no part of this machine
    /// wherever it is.
    #[must_use]
    pub(super) fn leading_on(self) -> Self {
        Self { leads_on: true, ..self }
    }

    /// Whether nothing leaves this machine on the way there.
    pub(super) fn is_local(&self) -> bool {
        is_loopback(&self.host) && !self.leads_on
    }
}

impl fmt::Display for Endpoint {
    /// `host:port`, with brackets around an IPv6 host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}
