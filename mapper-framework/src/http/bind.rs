//! Where the server listens.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::net::TcpListener;

use crate::{
    config::Config,
    dmi::socket::{Socket, SocketError},
};

/// Why the HTTP server cannot listen. The texts name the place and the cure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Another process listens on the port.
    #[error(
        "the HTTP server cannot listen on {address}, since another process does: set common.http_port to another port (0 takes a free \
         one), or http.enabled to false"
    )]
    #[non_exhaustive]
    PortTaken {
        /// Address and port.
        address: SocketAddr,
    },
    /// The operating system refuses.
    #[error(
        "the HTTP server cannot listen on {address}: {source}: set common.address and common.http_port to what this machine has"
    )]
    #[non_exhaustive]
    Io {
        /// Address and port.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The socket of the command line cannot be listened on.
    #[error("the socket for the command line: {0}")]
    Socket(#[from] SocketError),
    /// A file that the config names cannot be used.
    #[error("{0}")]
    File(String),
}

/// What the server listens on.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(super) tcp: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) socket: Option<Socket>,
}

impl Bound {
    /// Listens where the config says. A taken port is an error, unless `any_port` is a way out.
    pub(crate) async fn bind(config: &Config, any_port: bool) -> Result<Self, HttpError> {
        let address = wanted(config);
        let tcp = match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && any_port => {
                TcpListener::bind(SocketAddr::new(address.ip(), 0)).await
            }
            bound => bound,
        };
        let tcp = tcp.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => HttpError::PortTaken { address },
            _ => HttpError::Io { address, source },
        })?;
        let address = tcp.local_addr().map_err(|source| HttpError::Io { address, source })?;
        let socket = Socket::bind(&api_socket(&config.grpc_server.socket_path)).await?;
        Ok(Self { tcp, address, socket: Some(socket) })
    }

    /// Address and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the page.
    pub(crate) fn url(&self, has_tls: bool) -> String {
        let scheme = if has_tls { "https" } else { "http" };
        let ip = if self.address.ip().is_unspecified() { loopback_like(self.address.ip()) } else { self.address.ip() };
        format!("{scheme}://{}/", SocketAddr::new(ip, self.address.port()))
    }
}

pub(crate) use crate::config::api_socket;

fn wanted(config: &Config) -> SocketAddr {
    let ip = config.common.address.parse().unwrap_or(IpAddr::from([127, 0, 0, 1]));
    SocketAddr::new(ip, config.common.http_port)
}

fn loopback_like(ip: IpAddr) -> IpAddr {
    if ip.is_ipv4() { IpAddr::from([127, 0, 0, 1]) } else { IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]) }
}
