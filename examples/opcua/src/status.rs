//! What a status code of a server's means for the framework.

use std::fmt::Display;

use mapper_framework::DriverError;
use ua::types::{Error, StatusCode};

/// A request that came to nothing, and what it was for.
pub(crate) fn of_request(what: impl Display, error: Error) -> DriverError {
    let code = error.status();
    let message = format!("{what}: {}", words(code));
    let fault = if ends_session(code) { DriverError::disconnected(message) } else { DriverError::failed(message) };
    fault.with_source(error)
}

/// An operation of a request that the server did not carry out, and what it was on.
pub(crate) fn of_operation(what: impl Display, code: StatusCode) -> DriverError {
    let message = format!("{what}: {}", words(code));
    if is_final(code) { DriverError::refused(message) } else { DriverError::failed(message) }
}

/// The name of a code, with its cure where one is known.
pub(crate) fn words(code: StatusCode) -> String {
    match cure(code) {
        Some(cure) => format!("{code}: {cure}"),
        None => code.to_string(),
    }
}

fn cure(code: StatusCode) -> Option<&'static str> {
    Some(match code {
        StatusCode::BadNodeIdUnknown => "the server has no such node: correct `nodeID`",
        StatusCode::BadNotReadable => "the node has no value that can be read",
        StatusCode::BadNotWritable => "the node can only be read",
        StatusCode::BadUserAccessDenied => "the server grants this user no access to it",
        StatusCode::BadTypeMismatch => "the node is of another type",
        StatusCode::BadTimeout => "no answer within `timeout`",
        StatusCode::BadIndexRangeNoData => "the value has no such element: correct `indexRange`",
        StatusCode::BadIndexRangeInvalid => "correct `indexRange`",
        _ => return None,
    })
}

/// Whether the connection, or the session on it, is of no use any more.
fn ends_session(code: StatusCode) -> bool {
    matches!(
        code,
        StatusCode::BadCommunicationError
            | StatusCode::BadConnectionClosed
            | StatusCode::BadConnectionRejected
            | StatusCode::BadDisconnect
            | StatusCode::BadEndOfStream
            | StatusCode::BadNotConnected
            | StatusCode::BadRequestTimeout
            | StatusCode::BadSecureChannelClosed
            | StatusCode::BadSecureChannelIdInvalid
            | StatusCode::BadSecureChannelTokenUnknown
            | StatusCode::BadServerHalted
            | StatusCode::BadServerNotConnected
            | StatusCode::BadSessionClosed
            | StatusCode::BadSessionIdInvalid
            | StatusCode::BadSessionNotActivated
            | StatusCode::BadShutdown
            | StatusCode::BadTcpInternalError
            | StatusCode::BadTimeout
    )
}

/// Whether the same operation will be refused the next time, too.
fn is_final(code: StatusCode) -> bool {
    matches!(
        code,
        StatusCode::BadArgumentsMissing
            | StatusCode::BadAttributeIdInvalid
            | StatusCode::BadIndexRangeInvalid
            | StatusCode::BadInvalidArgument
            | StatusCode::BadMethodInvalid
            | StatusCode::BadNodeIdInvalid
            | StatusCode::BadNodeIdUnknown
            | StatusCode::BadNotExecutable
            | StatusCode::BadNotReadable
            | StatusCode::BadNotSupported
            | StatusCode::BadNotWritable
            | StatusCode::BadOutOfRange
            | StatusCode::BadTooManyArguments
            | StatusCode::BadTypeMismatch
            | StatusCode::BadUserAccessDenied
            | StatusCode::BadWriteNotSupported
    )
}
