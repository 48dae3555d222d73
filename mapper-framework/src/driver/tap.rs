//! A stream of bytes that `my-mapper record` keeps.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Takes the bytes of a stream.
pub(crate) trait Wire: Send + Sync {
    fn sent(&self, bytes: &[u8]);
    fn received(&self, bytes: &[u8]);
}

tokio::task_local! {
    /// Where the streams go that a driver opens in a call that is recorded.
    pub(crate) static WIRE: Arc<dyn Wire>;
}

/// A stream of bytes, such as a TCP connection, whose bytes are part of the recording while `my-mapper record` runs. At all other times it is
/// the stream alone.
///
/// Wrap a connection where it is opened, in [`Driver::connect`](crate::Driver::connect) or another method of the driver or session. One that is
/// opened in a task of the driver's own is not recorded. What is secret in the device's
/// [credentials](crate::Device::credentials) and config is redacted, unless it comes in several pieces.
///
/// ```
/// use mapper_framework::Tap;
/// use tokio::net::TcpStream;
///
/// async fn open(host: &str, port: u16) -> std::io::Result<Tap<TcpStream>> {
///     Ok(Tap::new(TcpStream::connect((host, port)).await?))
/// }
/// ```
pub struct Tap<S> {
    stream: S,
    /// `None` while nothing is recorded.
    wire: Option<Arc<dyn Wire>>,
}

impl<S> Tap<S> {
    /// Wraps a stream.
    pub fn new(stream: S) -> Self {
        Self { stream, wire: WIRE.try_with(Arc::clone).ok() }
    }

    /// The stream within.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream within. What is read from it or written to it directly is not recorded.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream alone.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: fmt::Debug> fmt::Debug for Tap<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tap").field(&self.stream).finish()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let (Poll::Ready(Ok(())), Some(wire), received @ [_, ..]) = (&read, &self.wire, &buffer.filled()[before..]) {
            wire.received(received);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let (Poll::Ready(Ok(length @ 1..)), Some(wire)) = (&written, &self.wire) {
            wire.sent(&bytes[..*length]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
