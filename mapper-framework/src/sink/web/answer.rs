//! What an answer's status means for the records of a request.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use reqwest::{
    Response, StatusCode,
    header::{HeaderValue, LOCATION, RETRY_AFTER},
};

use super::super::{Outcome, SinkError};

/// The most of an answer's body that is read where little is expected.
const MAX_BODY: usize = 64 << 10;

/// The beginning of the body, which is all of it where the server is sane. To read it lets the connection serve the next request.
/// What is lost on the way is no reason to doubt the status, which has come already.
pub(in crate::sink) async fn body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < MAX_BODY
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    body
}

/// The most characters of an error's body that are repeated.
const EXCERPT: usize = 300;

/// Why a request was refused, with what the server said.
#[derive(Debug)]
pub(in crate::sink) struct Refusal {
    pub(in crate::sink) status: StatusCode,
    /// The beginning of the body.
    pub(in crate::sink) body: String,
    /// Where a redirection points to.
    location: Option<String>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// Whether the request itself is refused, so that the same one would be refused again. A refused credential is not the
    /// request's fault: it may be put right.
    pub(in crate::sink) fn is_final(&self) -> bool {
        let may_pass = [
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        !self.status.is_server_error() && !self.status.is_redirection() && !may_pass.contains(&self.status)
    }

    /// Whether what was sent is at fault, and not the address that it was sent to: a part of it may be taken.
    pub(in crate::sink) fn is_of_content(&self) -> bool {
        let of_content = [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY];
        of_content.contains(&self.status)
    }

    /// The error of a request that may pass when it is sent again.
    pub(in crate::sink) fn into_failure(self) -> SinkError {
        self.with_pause(SinkError::failed(&self))
    }

    /// The error of a request that may pass when it is sent again, or of one that is refused for good.
    pub(in crate::sink) fn into_error(self) -> SinkError {
        let error = if self.is_final() { SinkError::rejected(&self) } else { SinkError::failed(&self) };
        self.with_pause(error)
    }

    /// What the refusal comes to for the records of the request. What only the address is to blame for holds for each of them, so
    /// that they are not sent one by one to hear it again.
    ///
    /// # Errors
    ///
    /// The request may pass when it is sent again, or in parts.
    pub(in crate::sink) fn into_outcomes(self, records: usize) -> Result<Vec<Outcome>, SinkError> {
        if self.is_final() && !self.is_of_content() {
            Ok(vec![Outcome::rejected(&self); records])
        } else {
            Err(self.into_error())
        }
    }

    fn with_pause(&self, error: SinkError) -> SinkError {
        match self.retry_after {
            Some(pause) => error.retry_after(pause),
            None => error,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answers {}", self.status)?;
        if let Some(location) = &self.location {
            return write!(
                f,
                ", a redirection to {location}, which is not followed: write that address into the manifest"
            );
        }
        if self.body.is_empty() { Ok(()) } else { write!(f, ": {}", self.body) }
    }
}

/// The answer to a request, or why it was refused.
pub(in crate::sink) async fn accepted(response: Response) -> Result<Response, Refusal> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let retry_after = text(RETRY_AFTER).and_then(|text| pause(text, SystemTime::now()));
    let location = text(LOCATION).filter(|_| status.is_redirection()).map(str::to_owned);
    let body = String::from_utf8_lossy(&body(response).await).trim().chars().take(EXCERPT).collect();
    Err(Refusal { status, body, location, retry_after })
}

/// `Retry-After`, which is a number of seconds or a date. A date that has passed is no pause.
fn pause(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16) -> Refusal {
        Refusal {
            status: StatusCode::from_u16(status).unwrap(),
            body: "no".to_owned(),
            location: None,
            retry_after: Some(Duration::from_secs(7)),
        }
    }

    #[test]
    fn what_may_pass_later_is_tried_again_after_the_pause_that_was_asked_for() {
        for status in [401, 403, 407, 408, 425, 429, 500, 502, 503, 504] {
            let error = refusal(status).into_outcomes(3).unwrap_err();
            assert!(error.is_retryable() && !error.is_disconnected(), "{status}: {error}");
            assert_eq!(error.pause(), Some(Duration::from_secs(7)), "{status}");
        }
    }

    #[test]
    fn what_the_content_is_to_blame_for_is_split_and_what_the_address_is_to_blame_for_is_not() {
        for status in [400, 413, 422] {
            assert!(!refusal(status).into_outcomes(3).unwrap_err().is_retryable(), "{status}");
        }
        for status in [404, 405, 410, 415] {
            let outcomes = refusal(status).into_outcomes(3).unwrap();
            assert_eq!(outcomes.len(), 3, "{status}");
            assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Rejected(_))), "{status}: {outcomes:?}");
        }
    }

    #[test]
    fn a_redirection_is_shown_with_its_goal_and_the_cure() {
        let refusal = Refusal { location: Some("https://new.example/".to_owned()), ..refusal(301) };
        let message = refusal.to_string();
        assert!(message.contains("https://new.example/") && message.contains("manifest"), "{message}");
    }

    #[test]
    fn a_pause_is_given_in_seconds_or_as_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let in_seconds = |text| pause(text, now).map(|pause| pause.as_secs());
        assert_eq!(in_seconds("120"), Some(120));
        assert_eq!(in_seconds(" 0 "), Some(0));
        assert_eq!(in_seconds("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(in_seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "it has passed");
        assert_eq!(in_seconds("soon"), None);
        assert_eq!(in_seconds("-1"), None);
    }
}
