//! Connections: a bounded number of them, none of which may take its time.

use std::{sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper::server::conn::http1;

use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};
use tokio_io_timeout::TimeoutStream;

use super::{Bound, Site, access::Peer};

/// The most connections by TCP, and by the unix socket, at a time. More are closed at once.
const MAX_CONNECTIONS: usize = 256;

/// How long a client may take for the head of a request, the time between two requests on a connection included.
const HEAD_WITHIN: Duration = Duration::from_secs(15);

/// How long a client may leave an answer unread. An event stream that nobody reads ends with it.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// The most bytes of a request's head.
const MAX_HEAD: usize = 32 << 10;

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// The pause after the operating system had no connection to give, as when there are no file descriptors left.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

pub(super) async fn serve(bound: Bound, app: &Router, site: &Site) {
    let Bound { tcp, socket, .. } = bound;
    let by_tcp = async {
        let mut connections = Connections::default();
        loop {
            match tcp.accept().await {
                Ok((stream, _)) => connections.add(stream, serve_tcp, app, site),
                Err(error) => Connections::failed(&error).await,
            }
        }
    };
    let by_socket = async {
        let Some(socket) = socket else { return std::future::pending().await };
        let mut connections = Connections::default();
        loop {
            match socket.accept().await {
                Ok(stream) => {
                    let serve = |stream, app: Router, _| serve_stream(stream, app, Peer::Socket);
                    connections.add(stream, serve, app, site);
                }
                Err(error) => Connections::failed(&error).await,
            }
        }
    };
    tokio::join!(by_tcp, by_socket);
}

/// The connections of one listener. Dropped with it.
struct Connections {
    places: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Default for Connections {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(MAX_CONNECTIONS)), tasks: JoinSet::new() }
    }
}

impl Connections {
    /// Serves a connection, or closes it if there is no place.
    fn add<S, F: Future<Output = ()> + Send + 'static>(
        &mut self,
        stream: S,
        serve: impl FnOnce(S, Router, Site) -> F,
        app: &Router,
        site: &Site,
    ) {
        while self.tasks.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        let served = serve(stream, app.clone(), site.clone());
        self.tasks.spawn(async move {
            served.await;
            drop(place);
        });
    }

    async fn failed(error: &std::io::Error) {
        tracing::debug!(%error, "no connection of the HTTP server can be accepted");
        tokio::time::sleep(AFTER_FAILURE).await;
    }
}

#[cfg(feature = "_tls")]
async fn serve_tcp(stream: TcpStream, app: Router, site: Site) {
    let tls = &site.config().http.tls;
    if !tls.is_on() {
        return serve_stream(stream, app, Peer::Tcp { certificate: None }).await;
    }
    let shaken = tokio::time::timeout(HEAD_WITHIN, super::tls::accept(tls, stream)).await;
    match shaken {
        Ok(Ok((stream, certificate))) => serve_stream(stream, app, Peer::Tcp { certificate }).await,
        Ok(Err(error)) => tracing::debug!(%error, "a client of the HTTP server does not speak TLS as it should"),
        Err(_) => {}
    }
}

#[cfg(not(feature = "_tls"))]
async fn serve_tcp(stream: TcpStream, app: Router, _: Site) {
    serve_stream(stream, app, Peer::Tcp { certificate: None }).await;
}

async fn serve_stream(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, app: Router, peer: Peer) {
    let service = TowerToHyperService::new(app.layer(Extension(peer)));
    let mut patient = TimeoutStream::new(stream);
    patient.set_write_timeout(Some(READ_WITHIN));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Box::pin(patient)), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the HTTP server has ended");
    }
}
