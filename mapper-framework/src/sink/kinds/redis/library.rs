//! What the client library needs where it connects by itself: to Sentinels, and to the nodes of a cluster.

use std::{fs, path::Path};

use redis::{ClientTlsConfig, ConnectionAddr, TlsCertificates};
use rustls::crypto::ring;

use crate::tls::TlsSection;

use super::{super::super::SinkError, address::Node};

pub(super) fn address(node: &Node, tls: bool) -> ConnectionAddr {
    let Node { host, port } = node.clone();
    if tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}

/// The files of the section. The library trusts those of `ca_file` alone, where there is one, and else those of the web.
pub(super) fn certificates(tls: &TlsSection) -> Result<TlsCertificates, SinkError> {
    // Says what is wrong with the files, and in which key.
    tls.client_config().map_err(SinkError::misconfigured)?;
    let config = tls.files();
    // It takes the provider of the process, and would panic if there were none. Whoever has set another keeps it.
    drop(ring::default_provider().install_default());
    let client_tls = match (read(&config.cert_file)?, read(&config.key_file)?) {
        (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
        _ => None,
    };
    Ok(TlsCertificates { client_tls, root_cert: read(&config.ca_file)? })
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, SinkError> {
    if path.as_os_str().is_empty() { Ok(None) } else { Ok(Some(fs::read(path)?)) }
}
