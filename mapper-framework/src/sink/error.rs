//! Why a sink could not do what it was asked for.

use std::{error::Error as StdError, fmt, time::Duration};

use crate::model::AddressError;

/// Why a sink could not do what it was asked for, and what the framework does about it.
///
/// Any error turns into a `SinkError` by `?`, as [`disconnected`](Self::disconnected): to open a connection anew where it was not
/// needed costs little, and to write on a dead one costs everything. Where an error says more, choose.
///
/// The message must hold no credential.
pub struct SinkError {
    kind: Kind,
    message: String,
    retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Failed,
    Disconnected,
    Misconfigured,
    Refused,
    Rejected,
    Unsupported,
}

impl SinkError {
    /// This call failed, and the connection is sound. The batch comes again after a pause.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Failed, message: message.to_string(), retry_after: None }
    }

    /// The connection is lost, or can no longer be trusted. The batch comes again on another one.
    pub fn disconnected(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Disconnected, ..Self::failed(message) }
    }

    /// Something is wrong with the target, or with a setting that leads to it, for every record: a password, a right, an address that
    /// is somebody else's. The message names the cure. Everything waits until somebody has put it right; each attempt is made on
    /// another connection.
    pub fn misconfigured(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Misconfigured, ..Self::failed(message) }
    }

    /// The target refuses the batch, has taken none of it, and does not say for certain whether a record or the target is at fault.
    /// The framework finds out: it splits the batch, and a record is rejected once others before and after it have been taken. What
    /// is refused alike for all records waits, as by [`misconfigured`](Self::misconfigured).
    pub fn refused(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Refused, ..Self::failed(message) }
    }

    /// A record of the batch is wrong in itself, whatever the target is like: it will be refused for ever. None of the batch has been
    /// taken. The batch is split until that record stands alone, which is then lost, and counted. Choose [`refused`](Self::refused)
    /// where this is the target's word alone.
    pub fn rejected(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Rejected, ..Self::failed(message) }
    }

    /// The sink does not offer this, as one that keeps no history does not offer [`query`](super::Sink::query).
    pub fn unsupported(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Unsupported, ..Self::failed(message) }
    }

    /// The target has said how long to wait. The pause is at least this long, and at most five minutes.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// The same error, as one that somebody has to put right where it comes from a certificate. `section` is that of the config with the
    /// certificates.
    #[cfg(feature = "_tls")]
    #[allow(dead_code, reason = "which sinks are compiled decides")]
    pub(crate) fn of_tls(self, section: &str) -> Self {
        match crate::tls::cure(&self.message, section) {
            Some(cure) => Self { kind: Kind::Misconfigured, message: format!("{self}: {cure}"), ..self },
            None => self,
        }
    }

    /// The same error with the section of the config that has the certificates of a target, where they are not those of `sinks.tls`.
    pub(super) fn naming_tls(self, section: &str) -> Self {
        Self { message: self.message.replace("sinks.tls.", &format!("{section}.")), ..self }
    }

    /// The same error of an attempt to connect, with the place in front: what somebody has to put right stays that, and all else is a
    /// connection that could not be made.
    pub(crate) fn at(self, place: impl fmt::Display) -> Self {
        let kind = if self.is_misconfigured() { Kind::Misconfigured } else { Kind::Disconnected };
        Self { kind, message: format!("{place}: {self}"), ..self }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        !matches!(self.kind, Kind::Rejected | Kind::Unsupported)
    }

    /// Whether the connection is lost with it.
    pub fn is_disconnected(&self) -> bool {
        matches!(self.kind, Kind::Disconnected | Kind::Misconfigured)
    }

    /// Whether it waits for somebody who puts the target, or a setting, right.
    pub fn is_misconfigured(&self) -> bool {
        self.kind == Kind::Misconfigured
    }

    /// Whether the framework has to find out if a record or the target is at fault.
    pub fn is_refused(&self) -> bool {
        self.kind == Kind::Refused
    }

    /// Whether the sink does not offer what it was asked for.
    pub fn is_unsupported(&self) -> bool {
        self.kind == Kind::Unsupported
    }

    /// How long the target asked to wait, if it did.
    pub fn pause(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for SinkError {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        for source in std::iter::successors(error.source(), |error| (*error).source()) {
            let more = source.to_string();
            if !message.contains(&more) {
                message = format!("{message}: {more}");
            }
        }
        Self::disconnected(message)
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.kind)
    }
}

/// Why the samples of a property cannot go where its manifest wants them: which field is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}{}", cure.as_ref().map(|cure| format!(": {cure}")).unwrap_or_default())]
pub struct RouteError {
    /// The field, below the property, such as `pushMethod.mqtt.address`.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) message: String,
    /// What to do about it, where that is said.
    pub(crate) cure: Option<String>,
}

impl RouteError {
    /// A field that cannot be used, and why: `pushMethod.mqtt.address`, `is empty`.
    pub fn new(field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { field: field.into(), message: message.to_string(), cure: None }
    }

    /// A field that holds no address.
    pub(crate) fn of(field: &str, error: AddressError) -> Self {
        Self::new(field, error.message).with_cure(error.cure)
    }

    /// Adds what to do about it: `write host:port`.
    #[must_use]
    pub fn with_cure(self, cure: impl fmt::Display) -> Self {
        Self { cure: Some(cure.to_string()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot write")]
    struct Outer(#[source] io::Error);

    #[test]
    fn any_error_is_a_lost_connection_unless_somebody_knows_better() {
        let error = SinkError::from(Outer(io::Error::other("the wire is cut")));
        assert!(error.is_disconnected() && error.is_retryable());
        assert_eq!(error.to_string(), "cannot write: the wire is cut");
        assert!(!SinkError::failed("busy").is_disconnected());
        assert!(!SinkError::rejected("too long").is_retryable());
        let error = SinkError::misconfigured("no such user");
        assert!(error.is_retryable() && error.is_disconnected() && !error.is_refused());
        let error = SinkError::refused("bad request");
        assert!(error.is_retryable() && !error.is_disconnected() && !error.is_misconfigured());
    }
}
