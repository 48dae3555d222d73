//! The routes of the Go framework, with the fields of its answers, for programs that were written for it.
//!
//! One of them writes by `GET`: it says how to write instead, unless `http.go_writes` is set, and needs a token then, too.

use axum::{
    Extension, Json, Router,
    extract::{Path, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    model::{DeviceId, ModelProperty, Sample, writable},
    runtime::Order,
    sink::HistoryRequest,
};

use super::{
    Site,
    access::{self, Caller},
    api,
    problem::Problem,
};

pub(super) fn routes() -> Router<Site> {
    Router::new()
        .route("/api/v1/ping", get(ping))
        .route("/api/v1/device/{namespace}/{name}/{property}", get(read))
        .route("/api/v1/devicemethod/{namespace}/{name}", get(methods))
        .route("/api/v1/devicemethod/{namespace}/{name}/{method}/{property}/{data}", get(write))
        .route("/api/v1/meta/model/{namespace}/{name}", get(model))
        .route("/api/v1/database/{namespace}/{name}", get(database))
}

/// The frame of all answers.
#[derive(Debug, Serialize)]
struct Base {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    #[serde(rename = "statusCode")]
    status_code: u16,
    #[serde(rename = "timeStamp")]
    time_stamp: String,
}

impl Base {
    fn ok() -> Self {
        let now = humantime_serde::re::humantime::format_rfc3339_seconds(writable(std::time::SystemTime::now()));
        Self { api_version: "v1", status_code: 200, time_stamp: now.to_string() }
    }
}

/// A value, as the Go framework's sinks have it, too.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    device_name: String,
    property_name: String,
    namespace: String,
    value: String,
    r#type: String,
    time_stamp: i64,
}

impl From<&Sample> for Data {
    fn from(sample: &Sample) -> Self {
        let millis = sample.timestamp.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
        Self {
            device_name: sample.device.name().to_owned(),
            property_name: sample.property.name().to_owned(),
            namespace: sample.device.namespace().to_owned(),
            value: sample.value.to_string(),
            r#type: sample.property.data_type().as_str().to_lowercase(),
            time_stamp: i64::try_from(millis).unwrap_or(i64::MAX),
        }
    }
}

/// An answer: the frame, and one more field.
fn answer(field: &str, value: impl Serialize) -> Response {
    let value = serde_json::to_value(value).unwrap_or_default();
    framed(Map::from_iter([(field.to_owned(), value)]))
}

/// An answer: the frame, and more fields.
fn framed(more: Map<String, Value>) -> Response {
    let mut fields = match serde_json::to_value(Base::ok()) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    fields.extend(more);
    Json(fields).into_response()
}

async fn ping() -> Response {
    answer("Message", "This is v1 API, the server is running normally.")
}

#[derive(Deserialize)]
struct ReadQuery {
    #[serde(default)]
    fresh: bool,
}

/// The last value; with `?fresh=true` the device is read now.
async fn read(
    State(site): State<Site>,
    Path((namespace, name, property)): Path<(String, String, String)>,
    query: Result<axum::extract::Query<ReadQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let id = DeviceId::new(&namespace, &name);
    let fresh = query.map_err(|error| Problem::bad_request(error.body_text()))?.0.fresh;
    if fresh {
        return Ok(answer("Data", Data::from(&site.handle().read(&id, &property).await?)));
    }
    let inspection = api::inspect(&site, &namespace, &name).await?;
    let inspected = inspection.properties.iter().find(|it| it.property.name() == property);
    let inspected = inspected.ok_or_else(|| api::no_property(&id, &property))?;
    match &inspected.sample {
        Some(sample) => Ok(answer("Data", Data::from(sample))),
        None => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format_args!("device {id}, property {property:?}: no value was read yet"),
        )),
    }
}

async fn methods(
    State(site): State<Site>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let inspection = api::inspect(&site, &namespace, &name).await?;
    let waits = || Problem::not_found(format_args!("the model of device {namespace}/{name} has not come"));
    let device = inspection.device.ok_or_else(waits)?;
    let methods = device.methods().iter().map(|method| {
        let parameters = method.property_names.iter().map(|property| {
            let data_type = device.property(property).map_or("", |it| it.data_type().as_str());
            json!({"PropertyName": property, "ValueType": data_type.to_lowercase()})
        });
        let path = format!("/api/v1/devicemethod/{namespace}/{name}/{}/{{propertyName}}/{{data}}", method.name);
        json!({"Name": method.name, "Path": path, "Parameters": parameters.collect::<Vec<_>>()})
    });
    Ok(answer("Data", json!({"Methods": methods.collect::<Vec<_>>()})))
}

/// Calls a method with one argument, if the config says that a GET may.
async fn write(
    State(site): State<Site>,
    method_of_request: Method,
    Path((namespace, name, method, property, data)): Path<(String, String, String, String, String)>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Response> {
    if !site.access().go_writes() {
        let detail = format!(
            "a GET does not write: POST /api/v2/devices/{namespace}/{name}/methods/{method} with {{\"arguments\": {{{property:?}: {data:?}}}}} \
             and a token; http.go_writes has this route work as in the Go framework, with a token"
        );
        let mut response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).into_response();
        response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(""));
        return Err(response);
    }
    if method_of_request == Method::HEAD {
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "a HEAD does not write").into_response());
    }
    access::may_write_by_get(site.access(), &caller)?;
    let id = DeviceId::new(&namespace, &name);
    let order = Order::call(&id, &method, &[(property.as_str(), data.as_str())]).origin(api::origin(caller));
    site.handle().carry_out(order).await.map_err(|error| Problem::from(error).into_response())?;
    Ok(answer("Message", format!("Write data {data} to device {id} successfully.")))
}

async fn model(State(site): State<Site>, Path((namespace, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let id = DeviceId::new(&namespace, &name);
    let models = site.handle().models().await.ok_or_else(Problem::stopping)?;
    // The Go framework's route has the name of a device.
    let of_device = site.handle().inspect(&id).await.map(|inspection| inspection.summary.model);
    let wanted = of_device.unwrap_or(id);
    let found = models.into_iter().find(|it| it.model.id == wanted);
    let found = found.ok_or_else(|| Problem::not_found(format_args!("there is no device or model {wanted}")))?;
    let property = |it: &ModelProperty| {
        without_empty([
            ("name", it.name.clone()),
            ("dataType", it.data_type.to_lowercase()),
            ("description", it.description.clone()),
            ("accessMode", it.access_mode.clone()),
            ("minimum", it.minimum.clone()),
            ("maximum", it.maximum.clone()),
            ("unit", it.unit.clone()),
        ])
    };
    let model = &found.model;
    let mut fields = without_empty([
        ("id", model.id.to_string()),
        ("name", model.id.name().to_owned()),
        ("namespace", model.id.namespace().to_owned()),
    ]);
    fields.insert("properties".to_owned(), model.properties.iter().map(property).collect::<Vec<_>>().into());
    Ok(framed(fields))
}

/// Text fields as the Go framework has them: one that is empty is left out.
fn without_empty<const N: usize>(fields: [(&str, String); N]) -> Map<String, Value> {
    let filled = fields.into_iter().filter(|(_, text)| !text.is_empty());
    filled.map(|(name, text)| (name.to_owned(), text.into())).collect()
}

/// What the sinks have kept of a device: here it answers.
async fn database(
    State(site): State<Site>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let inspection = api::inspect(&site, &namespace, &name).await?;
    let points = site.handle().history(HistoryRequest::of(inspection.summary.id.clone())).await?;
    let type_of = |property: &str| {
        let inspected = inspection.properties.iter().find(|it| it.property.name() == property);
        inspected.map_or("", |it| it.property.data_type().as_str()).to_lowercase()
    };
    let data = points.into_iter().map(|point| Data {
        device_name: name.clone(),
        namespace: namespace.clone(),
        value: point.value.to_string(),
        r#type: type_of(&point.property),
        time_stamp: point.timestamp_ms,
        property_name: point.property,
    });
    Ok(answer("Data", data.collect::<Vec<_>>()))
}
