//! The HTTP server: a window into the running mapper, for people, for Prometheus, for Kubernetes' probes and for programs.
//!
//! It asks the mapper by the [`Handle`] and by a few figures of the way to edgecore, and changes it by orders alone. Nothing in the
//! mapper waits for it: who is slow, hostile or gone costs a connection of a bounded number, and its memory.
//!
//! It is the only module that knows axum.

mod access;
mod api;
mod bind;
mod connections;
mod go;
mod hosts;
mod metrics;
mod page;
mod probes;
mod problem;
mod site;
#[cfg(feature = "_tls")]
mod tls;
mod tokens;
pub(crate) mod view;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, StatusCode, header},
    middleware,
    response::Response,
    routing::get,
};
use utoipa_axum::router::OpenApiRouter;

pub(crate) use api::{Explanation, Point, Stage, Subject, Trouble, Verdict};
pub(crate) use bind::{Bound, HttpError, api_socket};
pub(crate) use probes::Probe;
pub(crate) use site::{Site, Sources};

use problem::Problem;

/// The most bytes of a request's body. A value and its frame are far below.
const MAX_BODY: usize = 64 << 10;

/// Serves until it is dropped.
pub(crate) async fn serve(bound: Bound, site: Site) {
    let app = app(&site);
    connections::serve(bound, &app, &site).await;
}

/// All routes, with what holds for all of them.
fn app(site: &Site) -> Router {
    let (api, document) = OpenApiRouter::with_openapi(api::document(site)).merge(api::routes()).split_for_parts();
    let document = serde_json::to_string(&document).unwrap_or_default();
    let serve_document = move || async move { ([(header::CONTENT_TYPE, "application/json")], document) };
    Router::new()
        .merge(api)
        .merge(go::routes())
        .merge(page::routes())
        .merge(probes::guarded())
        .route("/api/v2/openapi.json", get(serve_document))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing here: see /api/v2/openapi.json"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this route does not take that method: see /api/v2/openapi.json",
            )
        })
        .layer(middleware::from_fn_with_state(site.clone(), access::guard))
        // Probes know no token.
        .merge(probes::open())
        .layer(middleware::from_fn(problem::dress))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::map_response(harden))
        .with_state(site.clone())
}

/// What every answer says to browsers.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
