//! The connections, each shared by all devices behind one gateway.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};

use mapper_framework::DriverError;
use tokio::{net::TcpStream, sync::Mutex, time::timeout};
use tokio_modbus::{
    Error, ExceptionCode, Request, Response, Slave,
    client::{Client, Context, tcp},
    slave::SlaveContext,
};

use crate::plan::Span;

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
        let address = (host.to_owned(), port);
        if let Some(gateway) = open.get(&address).and_then(Weak::upgrade) {
            return gateway;
        }
        let gateway = Arc::new(Gateway { address: address.clone(), wire: Mutex::default() });
        open.insert(address, Arc::downgrade(&gateway));
        gateway
    }
}

/// One TCP connection, or the lack of it.
pub(crate) struct Gateway {
    address: (String, u16),
    /// Locked from a request to its answer, so that there is one request at a time. Empty before [`open`](Self::open), and again
    /// as soon as something went wrong.
    wire: Mutex<Option<Context>>,
}

impl Gateway {
    /// Connects, unless there is a connection.
    pub(crate) async fn open(&self, within: Duration) -> io::Result<()> {
        let mut wire = self.wire.lock().await;
        if wire.is_none() {
            let (host, port) = &self.address;
            let stream = timeout(within, TcpStream::connect((host.as_str(), *port))).await??;
            stream.set_nodelay(true)?;
            *wire = Some(tcp::attach(stream));
        }
        Ok(())
    }

    /// Sends a request to a unit and waits for its answer.
    ///
    /// The connection is off the wire meanwhile and goes back only after an answer. If none comes in time, or if this future is
    /// dropped, the connection is dropped with it: a late answer finds nobody who could take it for another's. Everybody else
    /// gets [`Fault::Closed`] until somebody connects again.
    pub(crate) async fn call(&self, unit: u8, request: Request<'_>, within: Duration) -> Result<Response, Fault> {
        let mut wire = self.wire.lock().await;
        let mut connection = wire.take().ok_or_else(|| Fault::Closed(self.to_string()))?;
        connection.set_slave(Slave(unit));
        let answer = timeout(within, connection.call(request)).await.map_err(|_| Fault::Late(within))?;
        let answer = answer.map_err(Fault::Broken)?;
        *wire = Some(connection);
        answer.map_err(Fault::Exception)
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = &self.address;
        write!(f, "{host}:{port}")
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

    /// What the framework is told about the property at `span`.
    pub(crate) fn at(&self, span: Span) -> DriverError {
        use ExceptionCode as E;
        let message = format_args!("{span}: {self}");
        match self {
            Self::Exception(E::IllegalFunction | E::IllegalDataAddress | E::IllegalDataValue) => {
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
