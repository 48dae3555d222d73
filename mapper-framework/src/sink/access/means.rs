//! By which certificates, and through which proxy, sinks connect to the hosts that they may connect to.

use crate::tls::TlsSection;

#[cfg(feature = "_http")]
use super::super::{SinkError, web};
use super::{super::Endpoint, Access};

impl Access {
    /// The certificates for connections to an endpoint, as far as it is known.
    pub(in crate::sink) fn tls_of(&self, kind: &str, endpoint: Option<&Endpoint>) -> &TlsSection {
        endpoint.map_or(&self.tls, |endpoint| self.tls(kind, endpoint))
    }

    /// The certificates for connections to an endpoint.
    pub(in crate::sink) fn tls(&self, kind: &str, endpoint: &Endpoint) -> &TlsSection {
        self.own_tls(kind, endpoint).unwrap_or(&self.tls)
    }

    /// A client for an endpoint, or for many where none is given.
    ///
    /// # Errors
    ///
    /// A file that it takes cannot be used.
    #[cfg(feature = "_http")]
    pub(in crate::sink) fn client(
        &self,
        kind: &str,
        endpoint: Option<&Endpoint>,
    ) -> Result<reqwest::Client, SinkError> {
        // A proxy's own words for this machine are fewer than ours.
        let is_local = endpoint.is_some_and(Endpoint::is_local);
        web::client(self.tls_of(kind, endpoint), self.proxy.as_ref().filter(|_| !is_local))
    }

    /// The certificates for connections to an endpoint, if its entry of `sinks.targets` has some.
    pub(in crate::sink) fn own_tls(&self, kind: &str, endpoint: &Endpoint) -> Option<&TlsSection> {
        self.entry(kind, endpoint)?.tls.as_ref()
    }
}
