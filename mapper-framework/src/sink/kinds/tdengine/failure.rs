//! Why TDengine or the way to it has failed, and what follows.

use std::fmt;

use reqwest::StatusCode;

use super::super::super::{SinkError, web};

/// Why a statement has not been executed.
#[derive(Debug)]
pub(super) enum Failure {
    /// TDengine refuses it. The codes are the lower 16 bits of those in TDengine's `taoserror.h`.
    Answer { code: u32, message: String },
    /// The connection is lost, or what comes over it makes no sense.
    Lost(String),
    /// Something between TDengine and here refuses it, by HTTP.
    Http { status: StatusCode, body: String },
}

impl Failure {
    /// TDengine's answer. taosAdapter gives the lower bits, other servers the whole code, in which the highest bit is set.
    pub(super) fn answer(code: i64, message: impl Into<String>) -> Self {
        let code = u32::try_from(code & 0xffff).expect("16 bits fit");
        Self::Answer { code, message: message.into() }
    }

    /// Whether the database or a table is not there.
    pub(super) fn is_missing(&self) -> bool {
        let Self::Answer { code, .. } = self else { return false };
        matches!(
            code,
            // From the client: the database is not specified or available, the table does not exist.
            0x0217 | 0x0218
            // From the mnode: no supertable; no database selected, dropping, absent.
            | 0x0362 | 0x036D | 0x0380 | 0x0386 | 0x0388
            // From the vnode: no table, no supertable.
            | 0x0618 | 0x061A
            // From the parser: no table.
            | 0x2603
        )
    }

    /// Whether the user has no right to it: `MND_NO_RIGHTS`, or the parser's `PAR_PERMISSION_DENIED`.
    pub(super) fn is_denied(&self) -> bool {
        matches!(self, Self::Answer { code: 0x0303 | 0x2644, .. })
    }

    /// Who is at fault. What is not known waits: the vnode is not ready, the disk is full.
    fn fault(&self) -> web::Fault {
        let code = match self {
            Self::Answer { code, .. } => code,
            // What a proxy finds too large is split. It refuses all else without having read it.
            Self::Http { status, .. } if *status == StatusCode::PAYLOAD_TOO_LARGE => return web::Fault::Content,
            Self::Http { status, .. } if status.is_server_error() => return web::Fault::Moment,
            Self::Http { .. } => return web::Fault::Target,
            Self::Lost(_) => return web::Fault::Moment,
        };
        match code {
            // Who logs in is unknown, disabled, or has another password.
            0x0350..=0x035A => web::Fault::Target,
            _ if self.is_denied() => web::Fault::Target,
            // Column and tag names that do not exist or do not match: the supertable is not the mapper's own.
            0x2602 | 0x260D | 0x260E => web::Fault::Target,
            // The parser could not ask for the table.
            0x2662 => web::Fault::Moment,
            0x2600..=0x26ff if !self.is_missing() => web::Fault::Content,
            // From the client: an invalid value, a syntax error, too long a statement, a bad length of a tag or a column, a value out
            // of range.
            0x0203 | 0x0216 | 0x0219 | 0x021E | 0x021F | 0x0224 => web::Fault::Content,
            // From the vnode: a time that the database does not keep, a bad tag.
            0x060B | 0x0615 => web::Fault::Content,
            _ => web::Fault::Moment,
        }
    }

    /// What to do where the target is at fault.
    fn cure(&self) -> String {
        match self {
            Self::Http { status, body } => web::cure("tdengine", *status, body),
            Self::Answer { code: 0x2602 | 0x260D | 0x260E, .. } => {
                "the table is not one of the mapper's: name another database by dbName".to_owned()
            }
            _ if self.is_denied() => "grant the user the rights to write, or make the tables".to_owned(),
            _ => "put right user and password in the folder sinks.tdengine.credentials".to_owned(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { code, message } => write!(f, "TDengine answers {code:#06x}: {message}"),
            Self::Lost(message) => f.write_str(message),
            Self::Http { status, body } => write!(f, "the server answers {status}: {body}"),
        }
    }
}

impl From<Failure> for SinkError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(message) => Self::disconnected(message).of_tls("sinks.tls"),
            failure => match failure.fault() {
                web::Fault::Content => Self::refused(failure),
                web::Fault::Target => Self::misconfigured(format_args!("{failure}: {}", failure.cure())),
                web::Fault::Moment => Self::failed(failure),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: i64) -> SinkError {
        Failure::answer(code, "why").into()
    }

    #[test]
    fn what_may_lie_in_the_record_is_found_out() {
        for code in [0x2600, 0x2605, 0x2610, 0x2653, 0x060B, 0x0216, 0x0219] {
            assert!(error(code).is_refused(), "{code:#x}");
        }
    }

    #[test]
    fn a_password_a_right_and_a_foreign_table_wait_for_their_cure() {
        for (code, cure) in
            [(0x0357, "sinks.tdengine.credentials"), (0x0303, "grant"), (0x2644, "grant"), (0x2602, "dbName")]
        {
            let error = error(code);
            assert!(error.is_misconfigured() && error.to_string().contains(cure), "{code:#x}: {error}");
        }
    }

    #[test]
    fn all_else_is_a_matter_of_time() {
        // A full disk, no memory, a vnode that is closed, a leader that restores, a missing table, and what nobody knows.
        for code in [0x012B, 0x0102, 0x0503, 0x0914, 0x2603, 0x0388, 0xBEEF] {
            let error = error(code);
            assert!(error.is_retryable() && !error.is_refused() && !error.is_disconnected(), "{code:#x}: {error:?}");
        }
    }

    #[test]
    fn a_code_is_the_same_with_and_without_its_highest_bit() {
        let failure = Failure::answer(-0x7FFF_FC78, "Database not exist");
        assert!(failure.is_missing());
        assert_eq!(failure.to_string(), "TDengine answers 0x0388: Database not exist");
    }

    #[test]
    fn a_proxy_refuses_no_record_but_what_is_too_large() {
        let refusal = |status| SinkError::from(Failure::Http { status, body: "why".into() });
        for status in [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED] {
            assert!(refusal(status).is_misconfigured(), "{status}");
        }
        let busy = refusal(StatusCode::BAD_GATEWAY);
        assert!(busy.is_retryable() && !busy.is_misconfigured(), "{busy}");
        assert!(refusal(StatusCode::PAYLOAD_TOO_LARGE).is_refused(), "it is split");
    }

    #[test]
    fn a_lost_connection_is_opened_anew() {
        assert!(SinkError::from(Failure::Lost("closed".into())).is_disconnected());
    }
}
