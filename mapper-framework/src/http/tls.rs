//! The server's side of a TLS connection.

use std::{io, path::Path, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::config::HttpTlsConfig;

/// Shakes hands. Returns the stream, and who the client is if it has shown a certificate.
pub(super) async fn accept(
    tls: &HttpTlsConfig,
    stream: TcpStream,
) -> io::Result<(TlsStream<TcpStream>, Option<String>)> {
    // Read for each connection: a renewed certificate is in force at once.
    let config = server_config(tls).map_err(io::Error::other)?;
    let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(fingerprint);
    Ok((stream, shown))
}

/// Whether the files can be used.
pub(super) fn check(tls: &HttpTlsConfig) -> Result<(), String> {
    if tls.is_on() { server_config(tls).map(drop) } else { Ok(()) }
}

/// A certificate in a few digits: `openssl x509 -fingerprint -sha256` begins with them.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(certificate).iter().take(8).map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

fn server_config(tls: &HttpTlsConfig) -> Result<ServerConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = if tls.knows_clients() {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("http.tls.client_ca_file", &tls.client_ca_file)? {
            roots.add(certificate).map_err(|error| unusable("http.tls.client_ca_file", &tls.client_ca_file, &error))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = verifier.allow_unauthenticated().build();
        builder.with_client_cert_verifier(
            verifier.map_err(|error| unusable("http.tls.client_ca_file", &tls.client_ca_file, &error))?,
        )
    } else {
        builder.with_no_client_auth()
    };
    let chain = certificates("http.tls.cert_file", &tls.cert_file)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key_file);
    let key = key.map_err(|error| unusable("http.tls.key_file", &tls.key_file, &error))?;
    builder.with_single_cert(chain, key).map_err(|error| unusable("http.tls.key_file", &tls.key_file, &error))
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(unusable(key, path, &"it holds no certificate in PEM form")),
        Err(error) => Err(unusable(key, path, &error)),
    }
}

fn unusable(key: &str, path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{key}: {} cannot be used: {error}", path.display())
}
