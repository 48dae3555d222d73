//! The client's side of a TLS connection: `rustls` with `ring`, the web's root certificates and those of `ca_file`, and the mapper's own
//! certificate if it has one.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::config::TlsConfig;

use super::TlsSection;

/// A certificate or a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TlsError(String);

impl TlsSection {
    /// The client's side of a TLS connection. The files are read each time, so that a renewed certificate is in force on the next
    /// connection.
    ///
    /// # Errors
    ///
    /// A file cannot be read or does not hold what it should.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let Self { name, config } = self;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError(error.to_string()))?
            .with_root_certificates(roots(&format!("{name}.ca_file"), &config.ca_file)?);
        match identity(name, config)? {
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| unusable(&format!("{name}.key_file"), &config.key_file, &error)),
            None => Ok(builder.with_no_client_auth()),
        }
    }
}

/// The certificates that are trusted.
fn roots(key: &str, ca_file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if !ca_file.as_os_str().is_empty() {
        for certificate in certificates(key, ca_file)? {
            roots.add(certificate).map_err(|error| unusable(key, ca_file, &error))?;
        }
    }
    Ok(roots)
}

/// A certificate with its chain, and its key.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Who the mapper says it is; `None` if the config names no certificate.
fn identity(section: &str, config: &TlsConfig) -> Result<Option<Identity>, TlsError> {
    let (cert, key) = (&config.cert_file, &config.key_file);
    let (cert_key, key_key) = (format!("{section}.cert_file"), format!("{section}.key_file"));
    match (cert.as_os_str().is_empty(), key.as_os_str().is_empty()) {
        (true, true) => Ok(None),
        (false, false) => {
            let chain = certificates(&cert_key, cert)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(&key_key, key, &error))?;
            Ok(Some((chain, key)))
        }
        _ => Err(TlsError(format!("{cert_key} and {key_key} belong together: set both or none"))),
    }
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(unusable(key, path, &"it holds no certificate in PEM form")),
        Err(error) => Err(unusable(key, path, &error)),
    }
}

fn unusable(key: &str, path: &Path, error: &dyn std::fmt::Display) -> TlsError {
    TlsError(format!("{key}: {} cannot be used: {error}", path.display()))
}
