//! TLS for all sinks: `rustls` with `ring`, the web's root certificates and those of `sinks.tls.ca_file`, and the mapper's own
//! certificate if it has one.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::config::SinkTlsConfig;

use super::SinkError;

/// The client's side of a TLS connection. The files are read each time, so that a renewed certificate is in force on the next
/// connection.
///
/// # Errors
///
/// A file cannot be read or does not hold what it should.
pub(super) fn client_config(config: &SinkTlsConfig) -> Result<ClientConfig, SinkError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(&config.ca_file)?);
    match identity(config)? {
        Some((chain, key)) => Ok(builder.with_client_auth_cert(chain, key)?),
        None => Ok(builder.with_no_client_auth()),
    }
}

/// The certificates that are trusted.
pub(super) fn roots(ca_file: &Path) -> Result<RootCertStore, SinkError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if !ca_file.as_os_str().is_empty() {
        for certificate in certificates("sinks.tls.ca_file", ca_file)? {
            roots.add(certificate).map_err(|error| unusable("sinks.tls.ca_file", ca_file, &error))?;
        }
    }
    Ok(roots)
}

/// The mapper's own certificate with its chain, and its key; `None` if the config names none.
pub(super) fn identity(
    config: &SinkTlsConfig,
) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, SinkError> {
    let (cert, key) = (&config.cert_file, &config.key_file);
    match (cert.as_os_str().is_empty(), key.as_os_str().is_empty()) {
        (true, true) => Ok(None),
        (false, false) => {
            let chain = certificates("sinks.tls.cert_file", cert)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("sinks.tls.key_file", key, &error))?;
            Ok(Some((chain, key)))
        }
        _ => Err(SinkError::failed("sinks.tls.cert_file and sinks.tls.key_file belong together: set both or none")),
    }
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, SinkError> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(unusable(key, path, &"it holds no certificate in PEM form")),
        Err(error) => Err(unusable(key, path, &error)),
    }
}

fn unusable(key: &str, path: &Path, error: &dyn std::fmt::Display) -> SinkError {
    SinkError::failed(format_args!("{key}: {} cannot be used: {error}", path.display()))
}
