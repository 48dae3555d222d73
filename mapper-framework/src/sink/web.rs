//! HTTP for the sinks that speak it: the client, its credentials, and the answers that it gets.

mod answer;
mod body;
mod client;
mod fault;
mod gzip;
mod headers;

use reqwest::{Url, header::HeaderValue};

use super::{Endpoint, RouteError, SinkError};
pub(super) use answer::{Refusal, accepted};
pub(super) use body::{HISTORY, STATEMENT, body, excerpt, parsed, whole};
pub(super) use client::{ProxySettings, client};
pub(super) use fault::{Fault, cure};
pub(super) use gzip::Encoding;
pub(super) use headers::parse_headers;

/// Where a URL leads to; `None` if it names no host. `field` is that of the manifest which names it.
pub(super) fn endpoint(url: &Url, field: &'static str) -> Option<Endpoint> {
    let is_encrypted = matches!(url.scheme(), "https" | "wss");
    Some(Endpoint::new(url.host_str()?, url.port_or_known_default()?).with_tls(is_encrypted).named_by(field))
}

/// The value of an `Authorization` header, which no log shows.
///
/// # Errors
///
/// The token holds what cannot stand in a header, such as a line break.
pub(super) fn authorization(scheme: &str, secret: &str) -> Result<HeaderValue, SinkError> {
    let mut value = HeaderValue::try_from(format!("{scheme} {secret}")).map_err(|_| {
        SinkError::failed("the token holds characters that cannot stand in a header, such as a line break")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why no answer has come. It does not repeat the address, whose query may hold what should not be seen.
pub(super) fn unanswered(error: reqwest::Error) -> SinkError {
    if error.is_timeout() {
        return SinkError::disconnected("the server has not answered in time");
    }
    SinkError::from(error.without_url()).of_tls("sinks.tls")
}

/// Parts of the names that a query gives to what nobody else should see.
const SECRET_KEYS: [&str; 7] = ["token", "key", "secret", "password", "passwd", "signature", "credential"];

/// Refuses a URL of a manifest that holds a credential in its query. It would stand in logs, and on disk beside what waits.
///
/// # Errors
///
/// It does; the credential is not repeated.
pub(super) fn refuse_secrets(field: &str, url: &Url) -> Result<(), RouteError> {
    let is_secret = |name: &str| SECRET_KEYS.iter().any(|key| name.to_ascii_lowercase().contains(key));
    match url.query_pairs().find(|(name, _)| is_secret(name)) {
        Some((name, _)) => Err(RouteError::new(
            field,
            format_args!("gives a {name:?} in its query, which everybody can read in a manifest"),
        )
        .with_cure("take it out, and give it to the mapper by the environment or by a mounted Secret, as a token")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_in_a_query_is_refused_and_not_repeated() {
        let refused = |url: &str| refuse_secrets("requestPath", &url.parse().unwrap());
        assert_eq!(refused("http://h/ingest?tenant=7"), Ok(()));
        let error = refused("http://h/ingest?api_Key=hunter2").unwrap_err().to_string();
        assert!(
            error.starts_with("requestPath: ") && error.contains("api_Key") && !error.contains("hunter2"),
            "{error}"
        );
    }

    #[test]
    fn a_token_is_not_shown_and_must_fit_into_a_header() {
        let header = authorization("Bearer", "hunter2").unwrap();
        assert_eq!(header, "Bearer hunter2");
        assert!(!format!("{header:?}").contains("hunter2"));
        let error = authorization("Bearer", "hunter2\nX-Evil: 1").unwrap_err().to_string();
        assert!(error.contains("line break") && !error.contains("hunter2"), "{error}");
    }
}
