//! What went wrong, as an answer: a problem document (RFC 9457).

use std::{collections::BTreeMap, fmt::Display};

use axum::{
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{self, RefOr, ResponseBuilder},
};

use crate::{runtime::OperationError, sink::HistoryError};

/// A problem document. `type` is always `about:blank`: `status` says what kind of problem it is, and `detail` what, where and the cure.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Problem {
    /// `about:blank`.
    #[serde(rename = "type")]
    kind: String,
    /// The words for the status.
    title: String,
    /// The status.
    status: u16,
    /// What is wrong, and what to do about it.
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Display) -> Self {
        Self {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.to_string(),
        }
    }

    pub(super) fn bad_request(detail: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn not_found(detail: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// The mapper has stopped meanwhile.
    pub(super) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the mapper is stopping")
    }
}

/// What every route of the API may answer besides, for its document: a problem of the request, or that the mapper cannot answer now.
pub(super) struct Refused;

/// What an order may come to besides: the driver failed, or it took too long.
pub(super) struct Unfulfilled;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        responses([("4XX", "the request cannot be answered as it is"), ("503", "not now: see the detail")])
    }
}

impl IntoResponses for Unfulfilled {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        responses([("502", "the driver or the sink has failed"), ("504", "it took too long")])
    }
}

fn responses<const N: usize>(all: [(&str, &str); N]) -> BTreeMap<String, RefOr<openapi::Response>> {
    let content = || openapi::Content::new(Some(Problem::schema()));
    let response =
        |text: &str| ResponseBuilder::new().description(text).content("application/problem+json", content()).build();
    all.into_iter().map(|(status, text)| (status.to_owned(), RefOr::T(response(text)))).collect()
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        let status = match &error {
            OperationError::NotFound(_) => StatusCode::NOT_FOUND,
            OperationError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            OperationError::Unavailable { .. } | OperationError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            OperationError::Failed { .. } => StatusCode::BAD_GATEWAY,
            OperationError::Refused { .. } => StatusCode::CONFLICT,
            OperationError::Forbidden { .. } => StatusCode::FORBIDDEN,
            OperationError::Expired { .. } => StatusCode::GATEWAY_TIMEOUT,
        };
        Self::new(status, error)
    }
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::NotFound(_) | HistoryError::NoHistory(_) => Self::not_found(error),
            HistoryError::Failed { .. } => Self::new(StatusCode::BAD_GATEWAY, error),
            HistoryError::Stopping => Self::stopping(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

/// Makes a problem document of what axum's own extractors say in plain text.
pub(super) async fn dress(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let (status, is_meant) = (response.status(), response.headers_mut().remove(KEEP).is_some());
    let is_plain = |response: &Response| {
        let kind = response.headers().get(header::CONTENT_TYPE);
        kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
    };
    if !(status.is_client_error() && is_plain(&response)) || is_meant {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = axum::body::to_bytes(body, 4096).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let detail = if text.is_empty() { "the request cannot be taken" } else { &*text };
    let mut dressed = Problem::new(status, detail).into_response();
    for (name, value) in &parts.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            dressed.headers_mut().append(name, value.clone());
        }
    }
    dressed
}

/// Marks an answer in plain text that is meant to be one.
pub(super) const KEEP: &str = "x-plain-answer";
