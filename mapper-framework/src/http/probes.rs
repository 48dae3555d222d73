//! Kubernetes' probes, and Prometheus' scrape.

use std::time::Duration;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::time::timeout;

use crate::watch::EdgeLink;

use super::{Site, metrics, problem::KEEP};

/// How long the owner of the devices may take to answer, who never waits for anything.
const TURNS_WITHIN: Duration = Duration::from_secs(5);

/// What a probe asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Whether the mapper works, which a restart would cure.
    Live,
    /// Whether edgecore has registered it as well.
    Ready,
}

impl Probe {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Live => "/livez",
            Self::Ready => "/readyz",
        }
    }
}

/// What needs no token.
pub(super) fn open() -> Router<Site> {
    Router::new().route(Probe::Live.path(), get(live)).route(Probe::Ready.path(), get(ready))
}

/// What does.
pub(super) fn guarded() -> Router<Site> {
    Router::new().route("/metrics", get(metrics::get))
}

/// Whether the process turns: the owner of the devices answers.
async fn live(State(site): State<Site>, RawQuery(query): RawQuery) -> Response {
    let turns = timeout(TURNS_WITHIN, site.handle().devices()).await.is_ok();
    answer(&[("the device manager answers", turns)], query.as_deref())
}

/// Whether it has work to do: edgecore has registered it.
async fn ready(State(site): State<Site>, RawQuery(query): RawQuery) -> Response {
    let turns = timeout(TURNS_WITHIN, site.handle().devices()).await.is_ok();
    let is_registered = matches!(site.handle().edge(), (EdgeLink::Connected, _));
    let checks = [("the device manager answers", turns), ("edgecore has registered the mapper", is_registered)];
    answer(&checks, query.as_deref())
}

/// `ok`, or what is not; with `?verbose` each check, as Kubernetes' own probes have it.
fn answer(checks: &[(&str, bool)], query: Option<&str>) -> Response {
    let is_ok = checks.iter().all(|(_, is_ok)| *is_ok);
    let is_verbose =
        query.is_some_and(|query| query.split('&').any(|it| it == "verbose" || it.starts_with("verbose=")));
    let line = |(what, is_ok): &(&str, bool)| format!("[{}] {what}\n", if *is_ok { '+' } else { '-' });
    let text = match (is_ok, is_verbose) {
        (true, false) => "ok\n".to_owned(),
        (false, false) => checks.iter().filter(|(_, is_ok)| !is_ok).map(line).collect(),
        (_, true) => checks.iter().map(line).collect::<String>() + if is_ok { "ok\n" } else { "not ok\n" },
    };
    let status = if is_ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CONTENT_TYPE.as_str(), "text/plain; charset=utf-8"), (KEEP, "1")], text).into_response()
}
