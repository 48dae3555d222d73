//! A TCP proxy that makes a good connection a bad one.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
    task::JoinSet,
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;

/// Passes bytes on to a server, as it is told. Dropped, it is gone, and so are its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    delay: watch::Sender<Duration>,
    open: watch::Sender<bool>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Starts in front of a server on this port of the loopback interface.
    ///
    /// # Errors
    ///
    /// The system has no port left.
    pub async fn start(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (delay, delays) = watch::channel(Duration::ZERO);
        let (open, gate) = watch::channel(true);
        let task = tokio::spawn(accept(listener, (Ipv4Addr::LOCALHOST, server).into(), delays, gate));
        Ok(Self { port, delay, open, _task: AbortOnDropHandle::new(task) })
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends new connections at once, or no longer does.
    pub fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// From now on each piece of the server's answers is held up for this long.
    pub fn slow_down(&self, delay: Duration) {
        self.delay.send_replace(delay);
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    delay: watch::Receiver<Duration>,
    open: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        // A client that went away before it was accepted is no concern of ours.
        let Ok((client, _)) = listener.accept().await else { continue };
        if !*open.borrow() {
            continue;
        }
        let delay = delay.clone();
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(server).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::join!(pass(from_client, to_server, None), pass(from_server, to_client, Some(delay)));
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Passes bytes on until either side ends.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Option<watch::Receiver<Duration>>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let pause = delay.as_ref().map_or(Duration::ZERO, |delay| *delay.borrow());
        sleep(pause).await;
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}
