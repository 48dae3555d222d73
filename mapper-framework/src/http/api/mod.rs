//! `/api/v2`: the mapper's own API. Its document is made from the handlers, and served at `/api/v2/openapi.json`.

mod config;
mod devices;
pub(super) mod edgecore;
mod events;
mod explain;
mod files;
mod frames;
mod history;
mod mapper;
mod orders;
mod problems;
mod replay;

use axum::http::request::Parts;
use utoipa::openapi::{
    Info, OpenApi,
    security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{model::DeviceId, runtime::Inspection};

use super::{
    Site,
    problem::Problem,
    view::{List, Page},
};

pub(crate) use explain::{Explanation, Stage, Verdict};
pub(crate) use history::Point;
pub(super) use orders::origin;
pub(crate) use problems::{Subject, Trouble};
pub(super) use replay::Replay;

/// The most items of a page.
const MAX_PAGE: usize = 1000;

/// How many items a page has, unless the request says otherwise.
const DEFAULT_PAGE: usize = 500;

pub(super) fn routes() -> OpenApiRouter<Site> {
    OpenApiRouter::new()
        .routes(routes!(mapper::get))
        .routes(routes!(devices::list))
        .routes(routes!(devices::get))
        .routes(routes!(devices::properties))
        .routes(routes!(devices::property, orders::write))
        .routes(routes!(orders::call))
        .routes(routes!(frames::snapshot))
        .routes(routes!(frames::live))
        .routes(routes!(files::list))
        .routes(routes!(files::get))
        .routes(routes!(history::get))
        .routes(routes!(explain::get))
        .routes(routes!(devices::models))
        .routes(routes!(mapper::sinks))
        .routes(routes!(edgecore::get))
        .routes(routes!(config::get))
        .routes(routes!(problems::get))
        .routes(routes!(events::get))
}

/// The document without its paths.
pub(super) fn document(site: &Site) -> OpenApi {
    let package = site.package();
    let mut info = Info::new(format!("{} {}", package.name(), package.version()), env!("CARGO_PKG_VERSION").to_owned());
    info.description = Some(
        "Looks into a running mapper, and writes to its devices. Times are RFC 3339 in UTC, durations numbers of seconds, \
         values text as in a KubeEdge twin; what is absent is null. Errors are problem documents (RFC 9457)."
            .to_owned(),
    );
    let mut document = OpenApi::new(info, utoipa::openapi::Paths::new());
    let mut components = utoipa::openapi::Components::new();
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    document.components = Some(components);
    document
}

/// The device of a path.
pub(super) async fn inspect(site: &Site, namespace: &str, name: &str) -> Result<Inspection, Problem> {
    let id = DeviceId::new(namespace, name);
    site.handle().inspect(&id).await.ok_or_else(|| no_device(&id))
}

fn no_device(id: &DeviceId) -> Problem {
    Problem::not_found(format_args!("there is no device {id}: GET /api/v2/devices lists those that there are"))
}

pub(super) fn no_property(id: &DeviceId, property: &str) -> Problem {
    Problem::not_found(format_args!("device {id} has no property {property:?}"))
}

/// A page of what is sorted by a key, which is how the next page is asked for.
fn page<T, U>(
    items: Vec<T>,
    key: impl Fn(&T) -> String,
    view: impl FnMut(T) -> U,
    limit: Option<usize>,
    after: Option<&str>,
) -> Page<U> {
    let limit = limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let total = items.len();
    let begin = after.map_or(0, |after| items.partition_point(|item| key(item).as_str() <= after));
    let end = (begin + limit).min(total);
    let next = (end < total).then(|| key(&items[end - 1]));
    let items = items.into_iter().skip(begin).take(limit).map(view).collect();
    Page { items, r#continue: next, total }
}

fn list<T>(items: Vec<T>) -> List<T> {
    List { items }
}

/// Reads the query of a request, and names what is wrong with it.
struct Query<T>(T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> axum::extract::FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

/// Reads the path of a request: percent-encoded UTF-8.
struct Path<T>(T);

impl<T: serde::de::DeserializeOwned + Send, S: Send + Sync> axum::extract::FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}
