//! What the sinks have kept.

use std::time::{Duration, SystemTime};

use axum::{Json, extract::State};
use humantime_serde::re::humantime::parse_rfc3339_weak;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{model::DeviceId, sink::HistoryRequest};

use super::{
    super::{
        Site,
        problem::{Problem, Refused, Unfulfilled},
        view::{List, rfc3339},
    },
    Path, Query, list,
};

/// The most points of an answer, which is held in memory as a whole.
const MAX_POINTS: usize = 10_000;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// Nothing older than this: RFC 3339, such as `2026-05-01T08:00:00Z`.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Nothing newer than this.
    #[param(format = DateTime)]
    to: Option<String>,
    /// The most points, the newest of the range: at most 10,000. By default 1,000.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<usize>,
    /// Only this property.
    property: Option<String>,
    /// From the sink of this kind, such as `redis`. By default from the first that keeps a history.
    sink: Option<String>,
}

/// A value of the history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Point {
    pub(crate) property: String,
    pub(crate) value: String,
    pub(crate) time: String,
}

/// What the sinks have kept of a device, oldest first
#[utoipa::path(get, path = "/api/v2/devices/{namespace}/{name}/history", tag = "devices", operation_id = "getHistory",
    params(("namespace" = String, Path), ("name" = String, Path), HistoryQuery),
    responses((status = 200, body = List<Point>), Refused, Unfulfilled))]
pub(super) async fn get(
    State(site): State<Site>,
    Path((namespace, name)): Path<(String, String)>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<List<Point>>, Problem> {
    let mut request = HistoryRequest::of(DeviceId::new(&namespace, &name));
    if let Some(from) = query.from {
        request = request.from(time("from", &from)?);
    }
    if let Some(to) = query.to {
        request = request.to(time("to", &to)?);
    }
    if let Some(limit) = query.limit {
        request = request.limit(limit.min(MAX_POINTS));
    }
    if let Some(property) = query.property {
        request = request.property(property);
    }
    if let Some(sink) = query.sink {
        request = request.kind(sink);
    }
    let points = site.handle().history(request).await?;
    let point = |point: crate::sink::Point| Point {
        property: point.property,
        value: point.value.to_string(),
        time: rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(point.timestamp_ms.max(0).unsigned_abs())),
    };
    Ok(Json(list(points.into_iter().map(point).collect())))
}

fn time(key: &str, text: &str) -> Result<SystemTime, Problem> {
    // In a URL a plus stands for a space.
    let time = parse_rfc3339_weak(text.trim_end_matches("+00:00").trim_end_matches(" 00:00"));
    time.map_err(|error| {
        Problem::bad_request(format_args!("{key}: {text:?} is no time as 2026-05-01T08:00:00Z is: {error}"))
    })
}
