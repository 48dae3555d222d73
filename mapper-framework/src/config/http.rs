//! The section of the HTTP server.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `http`: the server with the page, the API, metrics and probes. It listens on `common.address` and `common.http_port`, and for the
/// mapper's own command line on a unix socket beside `grpc_server.socket_path`.
///
/// | who asks | from | reads | writes |
/// | --- | --- | --- | --- |
/// | the command line | the unix socket, which its owner alone can open | yes | yes |
/// | anybody | a loopback address | yes, unless `read_without_token` is `never` | no |
/// | anybody | another address | `/livez` and `/readyz` only, unless `read_without_token` is `always` | no |
/// | whoever has a token, or a certificate of `tls.client_ca_file` | anywhere | yes | yes, but for a token that may only read |
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HttpConfig {
    /// Whether there is a server. By default `true` for a mapper that is a program, and `false` in [`Config::default`](super::Config), for a
    /// mapper that is part of another program. Without the feature `http` there is none.
    pub enabled: bool,
    /// A file with tokens, one on each line: the token alone, or a name, a space and the token. The audit has the name. With a space and the
    /// word `read` behind that, the token may not write: the one for Prometheus, say. At least 16 characters without a space. The file is
    /// read for each request that shows a token, so that a changed one is in force at once. Without it nobody can write over TCP, but who
    /// has a certificate.
    pub token: PathBuf,
    /// Where reads need no token. By default `loopback`: if `common.address` is one of this machine's own.
    pub read_without_token: ReadWithoutToken,
    /// The names, besides IP addresses and `localhost`, by which clients without a token may ask (`Host`): a page elsewhere on the web
    /// must not read from the mapper by a name that it has made point here. None by default.
    pub hosts: Vec<String>,
    /// Whether `GET /api/v1/devicemethod/…` writes, as the Go framework has it, with a token all the same. Not by default.
    pub go_writes: bool,
    /// How far the metrics go into detail. By default `device`.
    pub metrics: MetricsDetail,
    /// Certificates. With them, the server speaks TLS and nothing else.
    pub tls: HttpTlsConfig,
}

/// Where reads need no token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReadWithoutToken {
    /// On a loopback address.
    #[default]
    Loopback,
    /// On any address: whoever reaches it can see all devices and their values.
    Always,
    /// Nowhere.
    Never,
}

/// How far the metrics go into detail, which is how many of them there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MetricsDetail {
    /// Sums of the whole mapper, and each target.
    Mapper,
    /// Some for each device as well.
    #[default]
    Device,
    /// Some for each property as well.
    Property,
}

/// `http.tls`: the certificates of the HTTP server. They are read for each connection, so that a renewed one is in force at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HttpTlsConfig {
    /// The server's certificate with its chain, in PEM form.
    pub cert_file: PathBuf,
    /// Its key, in PEM form.
    pub key_file: PathBuf,
    /// Who signs the certificates of clients that may read and write, in PEM form. Clients without one are served as far as they need no
    /// token, or have one.
    pub client_ca_file: PathBuf,
}

impl HttpTlsConfig {
    /// Whether the server speaks TLS.
    pub(crate) fn is_on(&self) -> bool {
        !self.cert_file.as_os_str().is_empty()
    }

    /// Whether clients are known by their certificates.
    pub(crate) fn knows_clients(&self) -> bool {
        self.is_on() && !self.client_ca_file.as_os_str().is_empty()
    }
}
