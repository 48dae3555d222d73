//! TLS for all that the mapper connects to.

#[cfg(feature = "_tls")]
mod client;
#[cfg(feature = "_tls")]
mod cure;

use crate::config::TlsConfig;
#[cfg(feature = "_tls")]
pub(crate) use cure::cure;

/// A section of the config with certificates, such as `sinks.tls`.
#[derive(Clone, Debug)]
pub(crate) struct TlsSection {
    name: String,
    config: TlsConfig,
}

impl TlsSection {
    pub(crate) fn new(name: impl Into<String>, config: &TlsConfig) -> Self {
        Self { name: name.into(), config: config.clone() }
    }

    /// What errors call the section.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The files, for a client library that reads them by itself.
    pub(crate) fn files(&self) -> &TlsConfig {
        &self.config
    }
}
