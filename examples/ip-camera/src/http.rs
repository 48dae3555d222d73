//! HTTP, as far as cameras need it: one request on a connection of its own, with the login that the camera asks for.
//!
//! No proxy is asked and no redirection followed: a camera is where its manifest says.

use std::{io, time::Duration};

use bytes::Bytes;
use http_auth::{PasswordClient, PasswordParams};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, WWW_AUTHENTICATE},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};
use url::{Position, Url};

use crate::login::Login;

/// Why a request has no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("no connection: {0}")]
    Unreachable(#[from] io::Error),
    #[error("what answers does not speak HTTP: {0}")]
    NoHttp(#[from] hyper::Error),
    #[error("the answer cannot be read, or has more than {0} bytes")]
    TooLong(usize),
    #[error("the request cannot be written: {0}")]
    Unwritable(String),
    #[error("the camera asks for a login in a way that is not known here: {0}")]
    UnknownLogin(String),
}

/// An answer of any status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// How a camera is asked.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) login: Option<Login>,
    /// For each request.
    pub(crate) patience: Duration,
}

impl Http {
    /// Sends a request; a second time with the login, if the camera asks for that. The body is made anew for each, with its media type.
    ///
    /// # Errors
    ///
    /// There is no answer in time, or one of more than `limit` bytes.
    pub(crate) async fn send(
        &self,
        url: &Url,
        limit: usize,
        body: impl Fn() -> Option<(&'static str, String)>,
    ) -> Result<Answer, HttpError> {
        let both = async {
            let first = exchange(request(url, body(), None)?, url).await?;
            let authorization = match &self.login {
                Some(login) if first.status() == StatusCode::UNAUTHORIZED => {
                    authorization(login, url, &first, &body())?
                }
                _ => None,
            };
            let last = match authorization {
                None => first,
                authorization => exchange(request(url, body(), authorization)?, url).await?,
            };
            let status = last.status();
            let body = Limited::new(last.into_body(), limit).collect().await.map_err(|_| HttpError::TooLong(limit))?;
            Ok(Answer { status, body: body.to_bytes() })
        };
        timeout(self.patience, both).await.map_err(|_| HttpError::Late(self.patience))?
    }
}

/// The answer to what the camera asks for, if it asks.
fn authorization(
    login: &Login,
    url: &Url,
    answer: &Response<Incoming>,
    body: &Option<(&'static str, String)>,
) -> Result<Option<String>, HttpError> {
    let challenges = answer.headers().get_all(WWW_AUTHENTICATE);
    let texts: Vec<_> = challenges.iter().filter_map(|challenge| challenge.to_str().ok()).collect();
    if texts.is_empty() {
        return Ok(None);
    }
    let client = texts.iter().fold(PasswordClient::builder(), |client, text| client.challenges(text)).build();
    let mut client = client.map_err(HttpError::UnknownLogin)?;
    let parameters = PasswordParams {
        username: &login.username,
        password: login.password.expose(),
        uri: &url[Position::BeforePath..Position::AfterQuery],
        method: if body.is_some() { "POST" } else { "GET" },
        body: Some(body.as_ref().map_or(&[], |(_, body)| body.as_bytes())),
    };
    client.respond(&parameters).map(Some).map_err(HttpError::UnknownLogin)
}

fn request(
    url: &Url,
    body: Option<(&'static str, String)>,
    authorization: Option<String>,
) -> Result<Request<Full<Bytes>>, HttpError> {
    let unwritable = |error: &dyn std::error::Error| HttpError::Unwritable(error.to_string());
    let mut request = Request::builder()
        .method(if body.is_some() { Method::POST } else { Method::GET })
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .header(HOST, &url[Position::BeforeHost..Position::AfterPort]);
    if let Some((media_type, _)) = &body {
        request = request.header(CONTENT_TYPE, *media_type);
    }
    if let Some(authorization) = authorization {
        let mut value = HeaderValue::try_from(authorization).map_err(|error| unwritable(&error))?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    request.body(Full::from(body.unwrap_or_default().1)).map_err(|error| unwritable(&error))
}

async fn exchange(request: Request<Full<Bytes>>, url: &Url) -> Result<Response<Incoming>, HttpError> {
    let address =
        (url.host_str().unwrap_or_default().trim_matches(['[', ']']), url.port_or_known_default().unwrap_or(80));
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the answer's body, or when that is dropped. What goes wrong in it is the sender's error, too.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}
