//! Requests to a running mapper.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use super::{RemoteError, Target};

/// How long an answer may take. An order is carried out within 300 seconds, or expires.
const ANSWER_WITHIN: Duration = Duration::from_secs(310);

/// How long it may take to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Asks a running mapper, on a connection for each request.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    target: Target,
}

/// An answer that is still coming.
pub(super) struct Coming {
    response: Response<Incoming>,
    target: Target,
    _connection: AbortOnDropHandle<()>,
}

/// What a problem document says.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Client {
    pub(crate) fn new(target: Target) -> Self {
        Self { target }
    }

    /// The text of the answer to a `GET`.
    pub(super) async fn get(&self, path: &str) -> Result<String, RemoteError> {
        self.ask(Method::GET, path, None).await
    }

    /// The answer to a `GET`, understood.
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, RemoteError> {
        Ok(serde_json::from_str(&self.get(path).await?)?)
    }

    /// The text of the answer to a request with or without a body of JSON.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<serde_json::Value>,
    ) -> Result<String, RemoteError> {
        let answer = async { self.send(method, path, body).await?.successful().await?.text().await };
        self.within(ANSWER_WITHIN, answer).await
    }

    /// What `work` returns, unless it takes too long.
    pub(super) async fn within<T>(
        &self,
        time: Duration,
        work: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<T, RemoteError> {
        timeout(time, work).await.unwrap_or_else(|_| Err(RemoteError::Late(self.target.clone(), time)))
    }

    /// Sends a request, and returns when its answer begins.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<serde_json::Value>,
    ) -> Result<Coming, RemoteError> {
        let mut request = Request::builder().method(method).uri(path).header(ACCEPT, "*/*");
        request = match &self.target {
            Target::Socket(_) => request.header(HOST, "localhost"),
            Target::Tcp(server) => request.header(HOST, &server.authority),
        };
        if let Target::Tcp(server) = &self.target
            && let Some(token) = server.token()?
        {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = match body {
            Some(body) => {
                request.header(CONTENT_TYPE, "application/json").body(Full::new(Bytes::from(body.to_string())))
            }
            None => request.body(Full::default()),
        };
        let request = request?;
        match &self.target {
            Target::Socket(path) => self.exchange(self.connected(UnixStream::connect(path)).await?, request).await,
            Target::Tcp(server) => {
                self.exchange(self.connected(TcpStream::connect(&server.authority)).await?, request).await
            }
        }
    }

    async fn connected<S>(&self, connecting: impl Future<Output = io::Result<S>>) -> Result<S, RemoteError> {
        let connected = self.within(CONNECT_WITHIN, async { Ok(connecting.await) }).await?;
        let target = self.target.clone();
        connected.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => RemoteError::NobodyListens(target.sought()),
            io::ErrorKind::PermissionDenied => RemoteError::Denied(target),
            _ => RemoteError::Connect { target, source },
        })
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: Request<Full<Bytes>>,
    ) -> Result<Coming, RemoteError> {
        let broken = |source| RemoteError::Broken { target: self.target.clone(), source };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // What goes wrong with the connection is what the request and its body report.
        let connection = tokio::spawn(async move { connection.await.unwrap_or_default() });
        let connection = AbortOnDropHandle::new(connection);
        let response = sender.send_request(request).await.map_err(broken)?;
        Ok(Coming { response, target: self.target.clone(), _connection: connection })
    }
}

impl Coming {
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// This answer, unless it is a refusal.
    pub(super) async fn successful(self) -> Result<Self, RemoteError> {
        let status = self.status();
        if status.is_success() {
            return Ok(self);
        }
        let target = self.target.clone();
        let text = self.text().await?;
        Err(match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => RemoteError::Refused(problem.detail),
            Err(_) => RemoteError::Foreign { target, status },
        })
    }

    /// The whole body.
    pub(super) async fn text(self) -> Result<String, RemoteError> {
        let Self { response, target, _connection } = self;
        let body = response.into_body().collect().await.map_err(|source| RemoteError::Broken { target, source })?;
        Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
    }

    /// The next piece of the body; `None` at its end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, RemoteError> {
        while let Some(frame) = self.response.body_mut().frame().await {
            let frame = frame.map_err(|source| RemoteError::Broken { target: self.target.clone(), source })?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// A name as a part of a path, or of a query.
pub(super) fn encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// A path with what of the query has a value.
pub(super) fn with_query(path: &str, query: &[(&str, Option<String>)]) -> String {
    let pairs = query.iter().filter_map(|(key, value)| Some(format!("{key}={}", encoded(value.as_ref()?))));
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_for_paths_and_queries() {
        assert_eq!(encoded("a b/ü+&"), "a%20b%2F%C3%BC%2B%26");
        let query = [("search", Some("a b".to_owned())), ("state", None), ("limit", Some("5".to_owned()))];
        assert_eq!(with_query("/devices", &query), "/devices?search=a%20b&limit=5");
        assert_eq!(with_query("/devices", &[("state", None)]), "/devices");
    }
}
