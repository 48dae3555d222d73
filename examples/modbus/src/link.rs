//! How a device is reached.

use std::{fmt, io};

use mapper_framework::Tap;
use tokio::net::TcpStream;

use crate::{
    framing::{Framing, Stream},
    serial::Line,
    tls::Tls,
};

/// The way to a device, or to the gateway or the line that it shares with others. Devices with the same link share its connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Link {
    Net { host: String, port: u16, framing: Framing, tls: Option<Tls> },
    Serial(Line),
}

impl Link {
    pub(crate) fn framing(&self) -> Framing {
        match self {
            Self::Net { framing, .. } => *framing,
            Self::Serial(_) => Framing::Rtu,
        }
    }

    /// Whether it is another's serial port, with other settings.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Serial(one), Self::Serial(two)) if one.path == two.path && one != two)
    }

    /// Opens the connection, whose bytes are recorded while the mapper records.
    pub(crate) async fn open(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Net { host, port, tls, .. } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                match tls {
                    None => Ok(Box::new(Tap::new(stream))),
                    Some(tls) => Ok(Box::new(Tap::new(tls.secure(stream, host).await?))),
                }
            }
            Self::Serial(line) => Ok(Box::new(Tap::new(line.open()?))),
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Net { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Serial(line) => line.fmt(f),
        }
    }
}
