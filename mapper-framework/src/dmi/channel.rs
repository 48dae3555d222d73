//! The connection to edgecore's socket.

use std::{
    io,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// Connects to edgecore, once: the channel does not connect again by itself, since a new edgecore must first be registered
/// with. The token is cancelled when the connection has ended, even while no call is under way.
pub(crate) async fn connect(path: &Path) -> Result<(Channel, CancellationToken), tonic::transport::Error> {
    let ended = CancellationToken::new();
    let mut first = Some((path.to_owned(), ended.clone()));
    let connector = service_fn(move |_| {
        let first = first.take();
        async move {
            let (path, ended) = first.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
            let stream = UnixStream::connect(path).await?;
            Ok::<_, io::Error>(TokioIo::new(Watched { stream, _ended: ended.drop_guard() }))
        }
    });
    // The address is never resolved: a unix socket has no authority, and grpc-go sends this one for it.
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(connector).await?;
    Ok((channel, ended))
}

/// A connection that cancels a token when hyper lets go of it.
struct Watched {
    stream: UnixStream,
    _ended: DropGuard,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use crate::dmi::socket::Socket;

    use super::*;

    #[tokio::test]
    async fn the_end_of_the_connection_is_noticed_while_idle() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dmi.sock");
        let socket = Socket::bind(&path).await.expect("the path is free");
        let (connected, accepted) = tokio::join!(connect(&path), socket.accept());
        let (_channel, ended) = connected.expect("the socket is listened on");
        assert!(!ended.is_cancelled());
        drop(accepted);
        ended.cancelled().await;
    }
}
