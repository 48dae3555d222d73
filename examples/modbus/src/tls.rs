//! TLS, as Modbus/TCP Security has it: both ends may show a certificate.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, task::spawn_blocking};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Whom to trust, and who the mapper is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tls {
    /// The authorities of the server's certificate.
    pub(crate) ca_file: PathBuf,
    /// The mapper's certificate and its key, where the server wants to see one.
    pub(crate) identity: Option<Identity>,
    /// The name in the server's certificate, where it is not the host.
    pub(crate) server_name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) cert_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

impl Tls {
    /// Shakes hands. The files are read each time, so that a renewed certificate is in force on the next connection.
    pub(crate) async fn secure(&self, stream: TcpStream, host: &str) -> io::Result<TlsStream<TcpStream>> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|error| invalid("serverName", error))?;
        let tls = self.clone();
        let client = spawn_blocking(move || tls.client()).await.map_err(io::Error::other)??;
        TlsConnector::from(Arc::new(client)).connect(name, stream).await.map_err(with_cure)
    }

    /// Reads the files.
    fn client(&self) -> io::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("caFile", &self.ca_file)? {
            roots.add(certificate).map_err(|error| unusable("caFile", &self.ca_file, error))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots);
        let Some(Identity { cert_file, key_file }) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| unusable("keyFile", key_file, error))?;
        let chain = certificates("certFile", cert_file)?;
        builder.with_client_auth_cert(chain, key).map_err(|error| unusable("keyFile", key_file, error))
    }
}

fn certificates(key: &str, path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| unusable(key, path, error))?;
    if found.is_empty() { Err(unusable(key, path, "it holds no certificate in PEM form")) } else { Ok(found) }
}

fn unusable(key: &str, path: &Path, error: impl fmt::Display) -> io::Error {
    invalid(key, format_args!("{} cannot be used: {error}", path.display()))
}

fn invalid(key: &str, error: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("`{key}`: {error}"))
}

/// The error of a handshake, with what can be done about it.
fn with_cure(error: io::Error) -> io::Error {
    let said = error.to_string();
    match cure(&said) {
        Some(cure) => io::Error::new(error.kind(), format!("{said}: {cure}")),
        None => error,
    }
}

/// What to do about an error of TLS, if it is one that an operator can put right.
pub(crate) fn cure(error: &str) -> Option<&'static str> {
    const AUTHORITY: &str = "name the authority that issued the server's certificate in `caFile`";
    let cures = [
        ("UnknownIssuer", AUTHORITY),
        ("BadSignature", AUTHORITY),
        ("not valid for name", "write the name in the server's certificate to `serverName`"),
        ("xpired", "renew the certificate, or set the clock"),
        ("CertificateRequired", "the server wants to see a certificate: set `certFile` and `keyFile`"),
        (
            "close_notify",
            "if this happens each time, the server may want to see another certificate in `certFile` and `keyFile`",
        ),
        ("UnknownCA", "the server does not know who issued the certificate in `certFile`"),
        ("InvalidContentType", "the port does not speak TLS: correct `port`, or leave `tls` out"),
    ];
    cures.into_iter().find(|(part, _)| error.contains(part)).map(|(_, cure)| cure)
}
