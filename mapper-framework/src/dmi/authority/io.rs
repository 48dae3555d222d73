//! Sockets with a [`Rewriter`] on one direction.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use super::{AuthorityError, Rewriter};

/// A socket whose incoming authorities `h2` accepts. Writes go straight to the socket.
///
/// An error of kind `InvalidData` carries an [`AuthorityError`]: the client is hostile or broken, drop the connection.
#[derive(Debug)]
pub(crate) struct SanitisedStream<S> {
    inner: S,
    rewriter: Rewriter,
    /// Rewritten bytes that the reader has not taken yet. Filled by one read of `inner` at a time, only when empty.
    ready: BytesMut,
}

impl<S> SanitisedStream<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, rewriter: Rewriter::sanitising(), ready: BytesMut::new() }
    }
}

impl<S: Connected> Connected for SanitisedStream<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.inner.connect_info()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SanitisedStream<S> {
    /// Reads into `buf` itself: what passes unchanged, which is nearly all, is not copied.
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let start = buf.filled().len();
        while this.ready.is_empty() {
            ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
            let fresh = &buf.filled()[start..];
            // At the end, a block still held is one that the client did not finish: it is lost in any case.
            if fresh.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let passed = this.rewriter.pass(fresh);
            let pushed = this.rewriter.push(&fresh[passed..], &mut this.ready);
            // Before an error is returned, too: readers of tokio panic where an error comes with bytes.
            buf.set_filled(start + if pushed.is_ok() { passed } else { 0 });
            pushed?;
            if passed > 0 {
                break;
            }
        }
        let now = this.ready.len().min(buf.remaining());
        buf.put_slice(&this.ready[..now]);
        this.ready.advance(now);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SanitisedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

/// A socket that puts a raw authority on the wire, as edgecore does, where its user writes a legal placeholder.
/// Reads come straight from the socket.
#[derive(Debug)]
pub(crate) struct SubstitutingStream<S> {
    inner: S,
    rewriter: Rewriter,
    /// Rewritten bytes that `inner` has not taken yet. No write is accepted before they are gone.
    unsent: BytesMut,
}

impl<S> SubstitutingStream<S> {
    pub(crate) fn new(inner: S, placeholder: &str, raw: &str) -> Result<Self, AuthorityError> {
        let rewriter = Rewriter::substituting(placeholder, raw)?;
        Ok(Self { inner, rewriter, unsent: BytesMut::new() })
    }
}

impl<S: AsyncWrite + Unpin> SubstitutingStream<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SubstitutingStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SubstitutingStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        this.rewriter.push(buf, &mut this.unsent)?;
        // The bytes are accepted even if the socket is not ready for them: the next write or flush sends the rest.
        match this.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(buf.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
