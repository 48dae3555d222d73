//! What an answer's status means for the records of a request.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use reqwest::{
    Response, StatusCode,
    header::{HeaderValue, LOCATION, RETRY_AFTER},
};

use super::{
    super::SinkError,
    body::{body, excerpt},
    fault::{Fault, cure},
};

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
    /// Who is at fault.
    pub(in crate::sink) fn fault(&self) -> Fault {
        Fault::of(self.status, &self.body)
    }

    /// The error that it comes to for a batch. `kind` is the sink's.
    pub(in crate::sink) fn into_error(self, kind: &str) -> SinkError {
        let error = match self.fault() {
            Fault::Content => SinkError::refused(&self),
            Fault::Target => SinkError::misconfigured(format_args!("{self}: {}", cure(kind, self.status, &self.body))),
            Fault::Moment => SinkError::failed(&self),
        };
        self.with_pause(error)
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
            return write!(f, ", a redirection to {location}, which is not followed");
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
    let headers = response.headers().clone();
    let body = excerpt(&headers, &body(response).await);
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
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let error = refusal(status).into_error("http");
            assert!(error.is_retryable() && !error.is_disconnected(), "{status}: {error}");
            assert_eq!(error.pause(), Some(Duration::from_secs(7)), "{status}");
        }
    }

    #[test]
    fn what_the_content_may_be_to_blame_for_is_found_out_and_the_target_waits_for_its_cure() {
        for status in [400, 413, 422] {
            assert!(refusal(status).into_error("http").is_refused(), "{status}");
        }
        for status in [401, 403, 404, 405, 410, 415] {
            let error = refusal(status).into_error("http");
            assert!(error.is_misconfigured() && error.pause() == Some(Duration::from_secs(7)), "{status}: {error}");
        }
        let error = refusal(401).into_error("http").to_string();
        assert!(
            error.starts_with("the server answers 401 Unauthorized: no: ") && error.contains("credentials"),
            "{error}"
        );
    }

    #[test]
    fn a_redirection_is_shown_with_its_goal_and_the_cure() {
        let refusal = Refusal { location: Some("https://new.example/".to_owned()), ..refusal(301) };
        let message = refusal.into_error("http").to_string();
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
