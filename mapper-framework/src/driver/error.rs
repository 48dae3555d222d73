//! Why a driver could not do what it was asked for.

use std::{error::Error as StdError, fmt, io, sync::Arc};

/// Why a driver could not do what it was asked for, and what the framework does about it.
///
/// Any error turns into a `DriverError` by `?`. An [`io::Error`] that means a lost connection, wherever it stands in the
/// chain of sources, becomes [`disconnected`](Self::disconnected); any other error becomes [`failed`](Self::failed).
///
/// ```
/// use mapper_framework::{DriverError, Value};
///
/// fn parse(answer: &str) -> Result<Value, DriverError> {
///     Ok(answer.trim().parse::<f64>()?.into())
/// }
/// assert!(parse("21.5").is_ok());
/// assert!(parse("ERR").unwrap_err().is_retryable());
/// ```
///
/// Since any error turns into one, `DriverError` is no [`std::error::Error`] itself; it becomes a boxed one by `?`. An error
/// type of a driver's own that has refusals among it should not implement [`std::error::Error`] either, but
/// `From<MyError> for DriverError`, so that a stray `?` does not make a refusal a failure.
///
/// That `?` takes any error is promised: `impl<E: Error> From<E> for DriverError` stays, and with it that `DriverError` never
/// implements [`std::error::Error`]. A driver's calls go to libraries whose errors the framework cannot know, and a `map_err` on
/// each line of a driver would cost more than this type being none itself.
#[derive(Clone)]
pub struct DriverError {
    kind: Kind,
    message: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Failed,
    Disconnected,
    Refused,
    Unsupported,
}

impl DriverError {
    /// This call failed; the session is fine. The next cycle tries again, and so does a desired value, with backoff.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self::of(Kind::Failed, message)
    }

    /// The connection is lost. The framework drops the session and connects again: at once if a round of reads has succeeded on it or
    /// the device has delivered something, for many devices close idle connections; else with backoff.
    pub fn disconnected(message: impl fmt::Display) -> Self {
        Self::of(Kind::Disconnected, message)
    }

    /// The device refuses this for good: an address that does not exist, a value it does not take. A desired value is not
    /// tried again before it changes.
    pub fn refused(message: impl fmt::Display) -> Self {
        Self::of(Kind::Refused, message)
    }

    /// The driver does not offer this. A desired value is not tried again before it changes.
    pub fn unsupported(message: impl fmt::Display) -> Self {
        Self::of(Kind::Unsupported, message)
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, Kind::Failed | Kind::Disconnected)
    }

    /// Whether the session is lost with it.
    pub fn is_disconnected(&self) -> bool {
        self.kind == Kind::Disconnected
    }

    /// The error that caused this one.
    pub fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }

    /// A word for what follows from it.
    pub(crate) fn kind_word(&self) -> &'static str {
        match self.kind {
            Kind::Failed => "failed",
            Kind::Disconnected => "disconnected",
            Kind::Refused => "refused",
            Kind::Unsupported => "unsupported",
        }
    }

    /// The error of this word, or a failure.
    pub(crate) fn of_kind_word(word: &str, message: impl fmt::Display) -> Self {
        let kinds = [Kind::Disconnected, Kind::Refused, Kind::Unsupported];
        let errors = kinds.map(|kind| Self::of(kind, &message));
        errors.into_iter().find(|error| error.kind_word() == word).unwrap_or_else(|| Self::failed(message))
    }

    fn of(kind: Kind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), source: None }
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for DriverError {
    fn from(error: E) -> Self {
        let kind = if tells_of_lost_connection(&error) { Kind::Disconnected } else { Kind::Failed };
        Self::of(kind, &error).with_source(error)
    }
}

/// A `DriverError` as an error of the standard library's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Boxed(DriverError);

impl From<DriverError> for Box<dyn StdError + Send + Sync> {
    fn from(error: DriverError) -> Self {
        Box::new(Boxed(error))
    }
}

impl From<DriverError> for Box<dyn StdError> {
    fn from(error: DriverError) -> Self {
        Box::new(Boxed(error))
    }
}

fn tells_of_lost_connection(error: &(dyn StdError + 'static)) -> bool {
    let mut chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.any(|error| error.downcast_ref::<io::Error>().is_some_and(|error| is_lost_connection(error.kind())))
}

fn is_lost_connection(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as E;
    matches!(
        kind,
        E::BrokenPipe
            | E::ConnectionAborted
            | E::ConnectionRefused
            | E::ConnectionReset
            | E::HostUnreachable
            | E::NetworkDown
            | E::NetworkUnreachable
            | E::NotConnected
            | E::UnexpectedEof
    )
}

impl fmt::Display for DriverError {
    /// The message, and each source that says more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut said = self.message.clone();
        for source in std::iter::successors(self.source(), |error| (*error).source()) {
            let message = source.to_string();
            if !said.contains(&message) {
                write!(f, ": {message}")?;
                said = message;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("register 7 cannot be read")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_lost_connection_is_seen_through_the_chain_of_sources() {
        let error = DriverError::from(Outer(io::ErrorKind::BrokenPipe.into()));
        assert!(error.is_disconnected());
        assert_eq!(error.to_string(), "register 7 cannot be read: broken pipe");
    }

    #[test]
    fn another_error_leaves_the_session_alone() {
        let error = DriverError::from(Outer(io::ErrorKind::InvalidData.into()));
        assert!(!error.is_disconnected() && error.is_retryable());
    }

    #[test]
    fn a_refusal_is_not_tried_again() {
        assert!(!DriverError::refused("no such register").is_retryable());
        assert!(!DriverError::unsupported("read only").is_retryable());
    }
}
