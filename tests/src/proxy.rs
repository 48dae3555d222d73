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
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

/// Passes bytes on to a server, in the way that it is set to. Dropped, it is gone, and so are its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    line: watch::Sender<Line>,
    _task: AbortOnDropHandle<()>,
}

/// What the line is like.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// Whether new connections are let through.
    open: bool,
    /// How many bytes a second go through in each direction; as many as like without.
    bytes_per_second: Option<u32>,
}

/// How many bytes are passed on at once.
const PIECE: usize = 1024;

impl Proxy {
    /// Starts in front of a server on this port of the loopback interface.
    ///
    /// # Errors
    ///
    /// The system has no port left.
    pub async fn start(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (line, lines) = watch::channel(Line { open: true, bytes_per_second: None });
        let task = tokio::spawn(accept(listener, (Ipv4Addr::LOCALHOST, server).into(), lines));
        Ok(Self { port, line, _task: AbortOnDropHandle::new(task) })
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends new connections at once, or no longer does.
    pub fn set_open(&self, open: bool) {
        self.line.send_modify(|line| line.open = open);
    }

    /// From now on so many bytes a second go through in each direction.
    pub fn slow_down(&self, bytes_per_second: u32) {
        self.line.send_modify(|line| line.bytes_per_second = Some(bytes_per_second));
    }

    /// From now on as many bytes a second as like go through.
    pub fn speed_up(&self) {
        self.line.send_modify(|line| line.bytes_per_second = None);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, line: watch::Receiver<Line>) {
    let mut connections = JoinSet::new();
    loop {
        // A client that went away before it was accepted is no concern of ours.
        let Ok((client, _)) = listener.accept().await else { continue };
        if !line.borrow().open {
            continue;
        }
        let line = line.clone();
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(server).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::join!(pass(from_client, to_server, &line), pass(from_server, to_client, &line));
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Passes bytes on until either side ends.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: &watch::Receiver<Line>) {
    let (mut piece, mut line) = ([0; PIECE], line.clone());
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        let pace = line.borrow_and_update().bytes_per_second;
        if let Some(bytes_per_second) = pace {
            let pause = Duration::from_secs_f64(count as f64 / f64::from(bytes_per_second));
            // At another pace what is on the way arrives.
            drop(timeout(pause, line.changed()).await);
        }
        if to.write_all(&piece[..count]).await.is_err() {
            break;
        }
    }
}
