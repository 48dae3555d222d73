//! Reads, in as few requests as the server takes.

use mapper_framework::DriverError;
use ua::{
    client::{Session, UARequest, services::Read},
    types::{AttributeId, DataValue, NodeId, NumericRange, QualifiedName, ReadValueId, StatusCode, TimestampsToReturn},
};

use crate::status;

/// The server's answer for one node, or why the request came to nothing.
pub(crate) type Answer = Result<DataValue, DriverError>;

/// The value of a node, or a part of it.
pub(crate) fn value_of(node_id: NodeId, range: &NumericRange) -> ReadValueId {
    ReadValueId {
        node_id,
        attribute_id: AttributeId::Value as u32,
        index_range: range.clone(),
        data_encoding: QualifiedName::null(),
    }
}

/// Reads the first `most` of these, and returns an answer for each of them: at least one, unless nothing is wanted. A request that is too large
/// for the server is halved, and `most` with it. What fails otherwise fails for the nodes of that request.
///
/// # Errors
///
/// The connection is lost.
pub(crate) async fn fetch(
    session: &Session,
    wanted: &[ReadValueId],
    most: &mut usize,
) -> Result<Vec<Answer>, DriverError> {
    loop {
        let part = &wanted[..wanted.len().min(*most)];
        let request = Read::new(session).nodes_to_read(part.to_vec()).timestamps_to_return(TimestampsToReturn::Both);
        match request.send(session.channel()).await {
            Ok(answer) => {
                let mut answers = answer.results.unwrap_or_default().into_iter();
                let unanswered = || DriverError::failed("the server does not answer all of a request");
                return Ok(part.iter().map(|_| answers.next().ok_or_else(unanswered)).collect());
            }
            Err(error) if is_too_large(error.status()) && part.len() > 1 => *most = part.len().div_ceil(2),
            Err(error) => {
                let error = status::of_request("reading", error);
                return if error.is_disconnected() { Err(error) } else { Ok(vec![Err(error); part.len()]) };
            }
        }
    }
}

/// Reads all of these, as [`fetch`] does.
///
/// # Errors
///
/// The connection is lost.
pub(crate) async fn fetch_all(
    session: &Session,
    wanted: &[ReadValueId],
    most: &mut usize,
) -> Result<Vec<Answer>, DriverError> {
    let mut answers = Vec::with_capacity(wanted.len());
    while answers.len() < wanted.len() {
        answers.extend(fetch(session, &wanted[answers.len()..], most).await?);
    }
    Ok(answers)
}

/// Whether a request asks for more than the server takes at once, or than it can answer at once.
pub(crate) fn is_too_large(code: StatusCode) -> bool {
    matches!(
        code,
        StatusCode::BadTooManyOperations
            | StatusCode::BadRequestTooLarge
            | StatusCode::BadResponseTooLarge
            | StatusCode::BadEncodingLimitsExceeded
    )
}
