//! Writes and calls of methods. They go the way of all orders: mode, policy, interlock, dry run, audit.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Extension, Json,
    extract::{FromRequest, Request, State, rejection::JsonRejection},
    http::StatusCode,
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::{model::DeviceId, runtime::Order};

use super::{
    super::{
        Site,
        access::Caller,
        problem::{Problem, Refused, Unfulfilled},
        view::OrderAnswer,
    },
    Path,
};

/// After how many seconds an order is not carried out any more, unless it says otherwise.
const EXPIRES_AFTER: f64 = 30.0;

/// How long an order may wait for its device, at least and at most.
const WAITS: std::ops::RangeInclusive<f64> = 0.1..=300.0;

/// How long a client may take for the body of a request.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// A write.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Write {
    /// The value, as a manifest has it in `desired`.
    value: String,
    /// After how many seconds it is not carried out any more: 0.1 to 300. By default 30.
    #[schema(minimum = 0.1, maximum = 300.0, default = 30.0)]
    expires_after_seconds: Option<f64>,
}

/// The call of a method.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Call {
    /// The arguments, by the names of the properties that the method names.
    #[serde(default)]
    arguments: BTreeMap<String, String>,
    /// After how many seconds it is not carried out any more: 0.1 to 300. By default 30.
    #[schema(minimum = 0.1, maximum = 300.0, default = 30.0)]
    expires_after_seconds: Option<f64>,
}

/// Writes a property, and reads it back
#[utoipa::path(put, path = "/api/v2/devices/{namespace}/{name}/properties/{property}", tag = "devices", operation_id = "writeProperty",
    params(("namespace" = String, Path), ("name" = String, Path), ("property" = String, Path)), request_body = Write, security(("token" = [])),
    responses((status = 200, body = OrderAnswer), Refused, Unfulfilled))]
pub(super) async fn write(
    State(site): State<Site>,
    Path((namespace, name, property)): Path<(String, String, String)>,
    Extension(caller): Extension<Caller>,
    Body(write): Body<Write>,
) -> Result<Json<OrderAnswer>, Problem> {
    let order = Order::write(&DeviceId::new(&namespace, &name), &property, &write.value);
    carry_out(&site, order, write.expires_after_seconds, caller).await
}

/// Calls a method
#[utoipa::path(post, path = "/api/v2/devices/{namespace}/{name}/methods/{method}", tag = "devices", operation_id = "callMethod",
    params(("namespace" = String, Path), ("name" = String, Path), ("method" = String, Path)), request_body = Call, security(("token" = [])),
    responses((status = 200, body = OrderAnswer), Refused, Unfulfilled))]
pub(super) async fn call(
    State(site): State<Site>,
    Path((namespace, name, method)): Path<(String, String, String)>,
    Extension(caller): Extension<Caller>,
    Body(call): Body<Call>,
) -> Result<Json<OrderAnswer>, Problem> {
    let arguments: Vec<_> = call.arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let order = Order::call(&DeviceId::new(&namespace, &name), &method, &arguments);
    carry_out(&site, order, call.expires_after_seconds, caller).await
}

async fn carry_out(
    site: &Site,
    order: Order,
    expires: Option<f64>,
    caller: Caller,
) -> Result<Json<OrderAnswer>, Problem> {
    let expires = expires.unwrap_or(EXPIRES_AFTER);
    if !WAITS.contains(&expires) {
        let detail = format!("expiresAfterSeconds must be from {} to {}; found {expires}", WAITS.start(), WAITS.end());
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let order = order.expires_after(Duration::from_secs_f64(expires)).origin(origin(caller));
    let answer = site.handle().carry_out(order).await?;
    Ok(Json(OrderAnswer::from(&answer)))
}

/// Who gives an order, for the audit.
pub(in crate::http) fn origin(caller: Caller) -> String {
    match caller {
        Caller::Anybody => "http".to_owned(),
        Caller::Known { name, .. } => format!("http, {name}"),
    }
}

/// A body of JSON. What is wrong with it is named.
pub(super) struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = tokio::time::timeout(BODY_WITHIN, Json::<T>::from_request(request, state)).await;
        let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body has not come in time");
        match read.map_err(late)? {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "write JSON, with content-type: application/json"))
            }
            Err(error) => Err(Problem::new(error.status(), error.body_text())),
        }
    }
}
