//! The connections, each shared by all devices behind one gateway.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{
        Arc, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use mapper_framework::DriverError;
use tokio::{
    net::TcpStream,
    sync::Mutex,
    time::{Instant, sleep_until, timeout},
};
use tokio_modbus::{
    Error, ExceptionCode, Request, Response, Slave,
    client::{Client, Context, tcp},
    slave::SlaveContext,
};

use crate::{answers::LatestAnswers, plan::Span};

/// After so many requests in a row without any answer, to whichever units, the connection is made anew.
const SILENCE: u32 = 3;

/// The gateways in use, by host and port.
#[derive(Default)]
pub(crate) struct Gateways {
    /// Weak, so that a connection closes with its last session. Locked for a look-up, never across an await.
    open: std::sync::Mutex<HashMap<(String, u16), Weak<Gateway>>>,
}

impl Gateways {
    /// The gateway at this address, the same one for everybody who holds it at the same time.
    pub(crate) fn get(&self, host: &str, port: u16) -> Arc<Gateway> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, gateway| gateway.strong_count() > 0);
        // An IPv6 address may be written as in a URL.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let address = (bare.to_owned(), port);
        if let Some(gateway) = open.get(&address).and_then(Weak::upgrade) {
            return gateway;
        }
        let gateway = Arc::new(Gateway { address: address.clone(), wire: Mutex::default() });
        open.insert(address, Arc::downgrade(&gateway));
        gateway
    }
}

/// How long a request may take, and how long after the last one it may be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) within: Duration,
    pub(crate) pause: Duration,
}

/// One TCP connection, or the lack of it.
pub(crate) struct Gateway {
    address: (String, u16),
    /// Locked from a request to its answer, so that there is one request at a time. Empty before [`open`](Self::open), and while
    /// nobody needs the connection that has broken or was closed.
    wire: Mutex<Option<Connection>>,
}

impl Gateway {
    /// Connects, unless there is a connection.
    pub(crate) async fn open(&self, within: Duration) -> io::Result<()> {
        let mut wire = self.wire.lock().await;
        if wire.is_none() {
            *wire = Some(self.connect(within).await?);
        }
        Ok(())
    }

    /// Sends a request to a unit, no sooner than `pause` after the last answer to anybody, and waits for its answer.
    ///
    /// If none comes in time, or if this future is dropped, the connection stays, and the answer is skipped should it come later. If
    /// there is no connection, the other end has closed it, or it is silent, the request goes over a new one, so that those who were
    /// not asked keep their sessions.
    pub(crate) async fn call(&self, unit: u8, request: Request<'_>, terms: Terms) -> Result<Response, Fault> {
        let Terms { within, pause } = terms;
        let mut wire = self.wire.lock().await;
        if wire.as_ref().is_some_and(|connection| connection.is_silent() || connection.is_closed()) {
            // Closed first, as there are gateways that take one connection only.
            *wire = None;
        }
        let connection = match &mut *wire {
            Some(connection) => connection,
            // Why there is none, whoever opens it next learns.
            none => none.insert(self.connect(within).await.map_err(|_| Fault::Closed(self.to_string()))?),
        };
        if let Some(answered) = connection.answered {
            sleep_until(answered + pause).await;
        }
        let answer = connection.call(unit, request, within).await;
        connection.answered = Some(Instant::now());
        if matches!(answer, Err(Fault::Broken(_))) {
            *wire = None;
        }
        answer
    }

    /// Closes the connection. The next request opens another one.
    pub(crate) async fn close(&self) {
        *self.wire.lock().await = None;
    }

    async fn connect(&self, within: Duration) -> io::Result<Connection> {
        let (host, port) = &self.address;
        let stream = timeout(within, TcpStream::connect((host.as_str(), *port))).await??;
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let peer = stream.try_clone()?;
        Ok(Connection::new(TcpStream::from_std(stream)?, peer))
    }
}

/// An open connection.
struct Connection {
    client: Context,
    /// The same socket, which never blocks, to see whether the other end has closed it.
    peer: std::net::TcpStream,
    /// When the last request was answered or given up.
    answered: Option<Instant>,
    /// How many requests there were since the last answer to any of them.
    unanswered: u32,
    /// Set when a late answer is skipped.
    skipped: Arc<AtomicBool>,
}

impl Connection {
    fn new(stream: TcpStream, peer: std::net::TcpStream) -> Self {
        let skipped = Arc::default();
        let client = tcp::attach(LatestAnswers::new(stream, Arc::clone(&skipped)));
        Self { client, peer, answered: None, unanswered: 0, skipped }
    }

    async fn call(&mut self, unit: u8, request: Request<'_>, within: Duration) -> Result<Response, Fault> {
        self.client.set_slave(Slave(unit));
        self.unanswered += 1;
        let answer = timeout(within, self.client.call(request)).await;
        if answer.is_ok() || self.skipped.swap(false, Relaxed) {
            self.unanswered = 0;
        }
        answer.map_err(|_| Fault::Late(within))?.map_err(Fault::Broken)?.map_err(Fault::Exception)
    }

    /// Whether the other end has closed it, as many do when nothing was asked for a while.
    fn is_closed(&self) -> bool {
        match self.peer.peek(&mut [0]) {
            Ok(length) => length == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    fn is_silent(&self) -> bool {
        self.unanswered >= SILENCE
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = &self.address;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Why a request failed.
///
/// Not a [`std::error::Error`], so that `?` cannot turn it into a [`DriverError`] of the wrong kind.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The device answered with an exception.
    Exception(ExceptionCode),
    /// The device answered with fewer registers than it was asked for.
    Short { answered: usize },
    /// The manifest forbids to read one of the registers.
    Forbidden,
    /// No answer came in time.
    Late(Duration),
    /// The connection broke, or what came over it was not Modbus.
    Broken(Error),
    /// The connection to this gateway went with an earlier request, perhaps another device's.
    Closed(String),
}

impl Fault {
    /// Whether a smaller request may succeed, as the exception may be due to some of the registers only.
    pub(crate) fn may_spare_a_part(&self) -> bool {
        use ExceptionCode as E;
        matches!(self, Self::Exception(E::IllegalDataAddress | E::IllegalDataValue | E::ServerDeviceFailure))
    }

    /// Whether the session ends with it, as no other request has a chance.
    pub(crate) fn ends_session(&self) -> bool {
        matches!(self, Self::Late(_) | Self::Broken(_) | Self::Closed(_))
    }

    /// The driver's error for the property at `span`.
    pub(crate) fn at(&self, span: Span) -> DriverError {
        use ExceptionCode as E;
        let message = format_args!("{span}: {self}");
        match self {
            Self::Exception(E::IllegalFunction | E::IllegalDataAddress | E::IllegalDataValue) | Self::Forbidden => {
                DriverError::refused(message)
            }
            Self::Exception(_) | Self::Short { .. } => DriverError::failed(message),
            Self::Late(_) | Self::Broken(_) | Self::Closed(_) => DriverError::disconnected(message),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exception(code) => write!(f, "the device answers with exception {:#04x}, {code}", u8::from(*code)),
            Self::Short { answered } => write!(f, "the device answers with only {answered} of the registers"),
            Self::Forbidden => f.write_str("the device's `forbidden` says that it must not be read"),
            Self::Late(within) => write!(f, "no answer within {} ms", within.as_millis()),
            // At the end of the stream tokio-modbus gives the thread's last error of the system, whatever that was about.
            Self::Broken(Error::Transport(error)) if error.raw_os_error().is_some() => {
                f.write_str("the connection broke, or the other end closed it")
            }
            Self::Broken(error) => write!(f, "the connection carries something that is not Modbus: {error}"),
            Self::Closed(gateway) => write!(f, "the connection to {gateway} is lost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn an_ipv6_address_is_the_same_host_with_and_without_brackets() {
        let gateways = Gateways::default();
        let gateway = gateways.get("::1", 502);
        assert!(Arc::ptr_eq(&gateway, &gateways.get("[::1]", 502)));
        assert_eq!(gateway.to_string(), "[::1]:502");
        assert_eq!(gateways.get("plc", 502).to_string(), "plc:502");
    }

    #[tokio::test]
    async fn a_gateway_is_reached_by_its_ipv6_address() {
        // A machine may have no IPv6 at all.
        let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
        let gateway = Gateways::default().get("::1", listener.local_addr().unwrap().port());
        let (opened, accepted) = tokio::join!(gateway.open(Duration::from_secs(10)), listener.accept());
        assert!(opened.is_ok() && accepted.is_ok(), "{opened:?}");
    }
}
