//! HTTP for the sinks that speak it: the client, and what a status means.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, header::RETRY_AFTER};

use crate::config::SinkTlsConfig;

use super::{SinkError, tls};

/// A client that keeps its connections. It has no deadline of its own: the framework's holds.
///
/// # Errors
///
/// A file of the TLS config cannot be used.
pub(super) fn client(tls: &SinkTlsConfig) -> Result<Client, SinkError> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls::client_config(tls)?)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("mapper-framework/", env!("CARGO_PKG_VERSION")));
    Ok(client.build()?)
}

/// The most of an error's body that is told.
const EXCERPT: usize = 300;

/// Why a request was refused, with what the server said.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// The beginning of the body.
    pub(super) body: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// Whether the request itself is refused, so that the same one would be refused again. A refused credential is not the
    /// request's fault: it may be put right.
    pub(super) fn is_final(&self) -> bool {
        let may_pass = [
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        !self.status.is_server_error() && !may_pass.contains(&self.status)
    }

    /// The error of a request that may pass when it is sent again, or of one that is refused for good.
    pub(super) fn into_error(self) -> SinkError {
        let message = self.to_string();
        let error = if self.is_final() { SinkError::rejected(message) } else { SinkError::failed(message) };
        match self.retry_after {
            Some(pause) => error.retry_after(pause),
            None => error,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the server answers {}", self.status)?;
        if self.body.is_empty() { Ok(()) } else { write!(f, ": {}", self.body) }
    }
}

/// The answer to a request, or why it was refused.
pub(super) async fn accepted(response: Response) -> Result<Response, Refusal> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| seconds(value.to_str().ok()?));
    let body = response.text().await.unwrap_or_default();
    let body = body.trim().chars().take(EXCERPT).collect();
    Err(Refusal { status, body, retry_after })
}

/// `Retry-After` in seconds. The other form, a date, is rare, and the framework's own pauses do for it.
fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}
