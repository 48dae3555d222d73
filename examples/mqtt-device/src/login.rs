//! What a broker wants to see: user name and password, and with TLS its own certificate.

use std::sync::Arc;

use mapper_framework::{DriverError, model::Credentials};
use rumqttc::{TlsConfiguration, Transport};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// The transport with TLS: the web's authorities and those of `ca.crt`, and the certificate in `tls.crt` and `tls.key` if there is one.
///
/// # Errors
///
/// A file does not hold what it should.
pub(crate) fn tls(credentials: &Credentials) -> Result<Transport, DriverError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for certificate in certificates("ca.crt", credentials.authorities())? {
        roots.add(certificate).map_err(|error| unusable("ca.crt", &error))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let config = match (credentials.certificate(), credentials.private_key()) {
        (None, None) => builder.with_no_client_auth(),
        (Some(chain), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| unusable("tls.key", &error))?;
            let chain = certificates("tls.crt", Some(chain))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable("tls.key", &error))?
        }
        _ => return Err(unusable("tls.crt", &"it and tls.key belong together")),
    };
    Ok(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config))))
}

fn certificates(file: &str, pem: Option<&[u8]>) -> Result<Vec<CertificateDer<'static>>, DriverError> {
    let Some(pem) = pem else { return Ok(Vec::new()) };
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(unusable(file, &"it holds no certificate in PEM form")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unusable(file, &error)),
    }
}

fn unusable(file: &str, why: &dyn std::fmt::Display) -> DriverError {
    DriverError::refused(format_args!("the file {file} of the device's credentials cannot be used: {why}"))
}

/// User name and password, which is empty where there is none.
pub(crate) fn name_and_password(credentials: &Credentials) -> Option<(&str, &str)> {
    Some((credentials.username()?, credentials.password().map_or("", |password| password.expose())))
}

/// What to do when a broker refuses the login.
pub(crate) fn cure(credentials: &Credentials) -> String {
    match credentials.username() {
        None => "it wants a login: name one by protocol.configData.credentials, see driver.credentials".to_owned(),
        Some(username) => {
            format!(
                "it refuses the login of {username:?}: correct the files `username` and `password` of its credentials"
            )
        }
    }
}
