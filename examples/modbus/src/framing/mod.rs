//! The bytes of a connection, so that tokio-modbus sees nothing but the answer to its latest request.
//!
//! - `tcp`: Modbus TCP, where a transaction id says to which request an answer belongs
//! - `rtu`: Modbus RTU, as on a serial line, where a checksum says whether an answer is whole

mod rtu;
mod tcp;

use std::{
    fmt, io,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::{Context, Poll},
};

use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
};

pub(crate) use rtu::Rtu;
pub(crate) use tcp::LatestAnswers;

/// How requests and answers are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Framing {
    #[default]
    Tcp,
    Rtu,
}

/// The start of a request or an answer of Modbus TCP: transaction id, protocol id, and the length of the rest, two bytes each.
const HEADER: usize = 6;

/// The most bytes that are taken in before a request. Who sends more does not speak Modbus.
const STALE: usize = 1 << 16;

/// What came in the place of an answer, and is not handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stray {
    /// Something damaged, or no answer to the request.
    #[default]
    Damaged,
    /// An answer to the request, by this other unit.
    OfUnit(u8),
}

/// What a framing notices beside the answers.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Set when a late answer is skipped.
    pub(crate) skipped: AtomicBool,
    /// Set when a request was not sent, since the other end had closed the connection before.
    pub(crate) closed: AtomicBool,
    /// Changes when something else comes in the place of an answer.
    pub(crate) stray: watch::Sender<Stray>,
}

impl Signals {
    /// Takes in what has come before a request.
    ///
    /// # Errors
    ///
    /// The other end has closed the connection, or never stops sending.
    fn drain<S: AsyncRead + Unpin>(&self, inner: &mut S, into: &mut Vec<u8>, cx: &mut Context<'_>) -> io::Result<()> {
        let before = into.len();
        loop {
            let mut chunk = [0; 512];
            let mut chunk = ReadBuf::new(&mut chunk);
            let outcome = match Pin::new(&mut *inner).poll_read(cx, &mut chunk) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(())) if chunk.filled().is_empty() => Err(io::ErrorKind::BrokenPipe.into()),
                Poll::Ready(Ok(())) if into.len() - before > STALE => Err(io::ErrorKind::InvalidData.into()),
                Poll::Ready(outcome) => outcome,
            };
            if outcome.is_err() {
                self.closed.store(true, Relaxed);
                return outcome;
            }
            into.extend_from_slice(chunk.filled());
        }
    }
}

/// A connection of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Stream for S {}
