//! A web server that keeps what it is sent, and answers as the test says.

use std::{
    fmt,
    future::pending,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
    serve::Listener,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::Certificate;
use crate::DEADLINE;

/// A request that has come.
#[derive(Clone, Debug)]
pub struct Received {
    /// Such as `POST`.
    pub method: String,
    /// The path with its query.
    pub target: String,
    /// The body, whole.
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Received {
    /// The value of the header of this name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// If it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("the body is text")
    }
}

/// What a request is answered.
#[derive(Clone, Debug)]
#[must_use]
pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How long it takes; for ever without it.
    delay: Option<Duration>,
}

impl Answer {
    /// An empty answer with this status, at once.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: Some(Duration::ZERO) }
    }

    /// No answer, on a connection that stays open.
    pub fn never() -> Self {
        Self { delay: None, ..Self::status(200) }
    }

    /// The same with this header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with this body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same after this time.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }
}

/// Whom a server with TLS is, and whom it lets in.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverTls<'a> {
    /// The server's.
    pub certificate: &'a Certificate,
    /// The one that clients have to have; without it, they need none.
    pub client: Option<&'a Certificate>,
}

type Answerer = Box<dyn FnMut(&Received) -> Answer + Send>;

struct Shared {
    received: watch::Sender<Vec<Received>>,
    answer: Mutex<Answerer>,
}

/// The server. It stops listening when it is dropped.
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    /// Aborted when the server is dropped.
    serving: JoinHandle<()>,
}

impl Receiver {
    /// Starts a server that answers each request as `answer` says.
    ///
    /// # Panics
    ///
    /// If the system has no port left.
    pub async fn start(answer: impl FnMut(&Received) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("the system has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        Self::serve(listener, port, Box::new(answer))
    }

    /// The same with TLS.
    ///
    /// # Panics
    ///
    /// If a certificate cannot be used.
    pub async fn start_tls(tls: ReceiverTls<'_>, answer: impl FnMut(&Received) -> Answer + Send + 'static) -> Self {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("the system has a free port");
        let port = tcp.local_addr().expect("a bound listener has an address").port();
        let listener = TlsListener { tcp, acceptor: TlsAcceptor::from(Arc::new(tls.config())) };
        Self::serve(listener, port, Box::new(answer))
    }

    /// Starts a server that gives these answers one after the other, and then succeeds without a word.
    pub async fn script(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Self::start(move |_| answers.pop().unwrap_or_else(|| Answer::status(200))).await
    }

    fn serve<L: Listener<Addr: fmt::Debug>>(listener: L, port: u16, answer: Answerer) -> Self {
        let shared = Arc::new(Shared { received: watch::Sender::default(), answer: Mutex::new(answer) });
        let router = Router::new().fallback(respond).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("axum serves until it is stopped");
        });
        Self { port, shared, serving }
    }

    /// Stops listening, and waits until nobody is let in any more. Connections that are there stay.
    pub async fn stop(mut self) {
        self.serving.abort();
        // It ends by being aborted, which is an error.
        drop((&mut self.serving).await);
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// All that has come so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// Waits until this many requests have come, and gives all.
    ///
    /// # Panics
    ///
    /// The future panics when the [`DEADLINE`] passes.
    pub async fn wait_for(&self, requests: usize) -> Vec<Received> {
        let mut received = self.shared.received.subscribe();
        let enough = timeout(DEADLINE, received.wait_for(|received| received.len() >= requests)).await;
        enough.expect("the requests come before the deadline").expect("the server is there").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn respond(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("the body comes whole").to_vec();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let received = Received {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
        body,
    };
    let answer = (shared.answer.lock().unwrap_or_else(PoisonError::into_inner))(&received);
    shared.received.send_modify(|all| all.push(received));
    match answer.delay {
        Some(delay) => sleep(delay).await,
        None => pending().await,
    }
    let response = answer.headers.into_iter().fold(Response::builder().status(answer.status), |response, header| {
        let (name, value) = header;
        response.header(name, value)
    });
    response.body(Body::from(answer.body)).expect("the test's answer is a response")
}

impl ReceiverTls<'_> {
    fn config(self) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring knows the default versions");
        let builder = match self.client {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let mut roots = RootCertStore::empty();
                roots.add(certificate(client)).expect("the client's certificate can be trusted");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.expect("the clients can be verified"))
            }
        };
        let key = PrivateKeyDer::from_pem_file(&self.certificate.key_file).expect("the key can be read");
        builder.with_single_cert(vec![certificate(self.certificate)], key).expect("certificate and key belong together")
    }
}

fn certificate(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&certificate.cert_file).expect("the certificate can be read")
}

struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.tcp).await;
            // Whoever cannot be agreed with is what some tests are about.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
