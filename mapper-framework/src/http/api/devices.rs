//! Devices, their properties, and their models.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{model::DeviceId, runtime::Order};

use super::{
    super::{
        Site,
        problem::{Problem, Refused, Unfulfilled},
        view::{Device, Name, Page, Property, Summary},
    },
    Path, Query, inspect, no_property, page,
};

/// How long somebody waits for a read out of turn.
const FRESH_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DevicesQuery {
    /// Only devices in this state, such as `disconnected`.
    #[param(inline)]
    state: Option<StateFilter>,
    /// Only devices in this namespace.
    namespace: Option<String>,
    /// Only devices of this model, as `namespace/name`.
    model: Option<String>,
    /// Only devices whose `namespace/name` contains this, in any case.
    search: Option<String>,
    /// The most items, at most 1,000. By default 500.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// What the page before gave as `continue`.
    r#continue: Option<String>,
}

/// A device's state.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum StateFilter {
    Ok,
    Online,
    Offline,
    Disconnected,
    Unhealthy,
    Unknown,
}

/// The devices, each in one line
#[utoipa::path(get, path = "/api/v2/devices", tag = "devices", operation_id = "listDevices", params(DevicesQuery),
    responses((status = 200, body = Page<Summary>), Refused))]
pub(super) async fn list(
    State(site): State<Site>,
    Query(query): Query<DevicesQuery>,
) -> Result<Json<Page<Summary>>, Problem> {
    let mut fleet = site.handle().fleet().await.ok_or_else(Problem::stopping)?;
    let state = query.state.map(|state| format!("{state:?}").to_lowercase());
    let search = query.search.as_deref().map(str::to_lowercase);
    fleet.retain(|device| {
        state.as_deref().is_none_or(|state| device.state.as_str() == state)
            && query.namespace.as_deref().is_none_or(|namespace| device.id.namespace() == namespace)
            && query.model.as_deref().is_none_or(|model| device.model.as_str() == model)
            && search.as_deref().is_none_or(|search| device.id.as_str().to_lowercase().contains(search))
    });
    let view = |summary: crate::runtime::DeviceSummary| {
        let connects = site.handle().device_stats(&summary.id).map_or(0, |stats| stats.sessions().opened());
        Summary::of(summary, connects)
    };
    Ok(Json(page(fleet, |it| it.id.to_string(), view, query.limit, query.r#continue.as_deref())))
}

/// A device
#[utoipa::path(get, path = "/api/v2/devices/{namespace}/{name}", tag = "devices", operation_id = "getDevice",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Device), Refused))]
pub(super) async fn get(
    State(site): State<Site>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<Device>, Problem> {
    let inspection = inspect(&site, &namespace, &name).await?;
    let stats = site.handle().device_stats(&inspection.summary.id);
    Ok(Json(Device::of(inspection, stats.as_ref())))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PropertiesQuery {
    /// Only properties whose name contains this, in any case.
    search: Option<String>,
    /// The most items, at most 1,000. By default 500.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// What the page before gave as `continue`.
    r#continue: Option<String>,
}

/// The properties of a device, with their values
#[utoipa::path(get, path = "/api/v2/devices/{namespace}/{name}/properties", tag = "devices", operation_id = "listProperties",
    params(("namespace" = String, Path), ("name" = String, Path), PropertiesQuery),
    responses((status = 200, body = Page<Property>), Refused))]
pub(super) async fn properties(
    State(site): State<Site>,
    Path((namespace, name)): Path<(String, String)>,
    Query(query): Query<PropertiesQuery>,
) -> Result<Json<Page<Property>>, Problem> {
    let inspection = inspect(&site, &namespace, &name).await?;
    let (traces, stats) =
        (site.handle().twins(&inspection.summary.id), site.handle().device_stats(&inspection.summary.id));
    let search = query.search.as_deref().map(str::to_lowercase);
    let mut properties = inspection.properties;
    properties.retain(|it| search.as_deref().is_none_or(|search| it.property.name().to_lowercase().contains(search)));
    properties.sort_unstable_by(|a, b| a.property.name().cmp(b.property.name()));
    let view = |it: crate::runtime::InspectedProperty| {
        let name = it.property.name();
        Property::of(&it, traces.get(name), stats.as_ref().and_then(|stats| stats.property(name)))
    };
    Ok(Json(page(properties, |it| it.property.name().to_owned(), view, query.limit, query.r#continue.as_deref())))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PropertyQuery {
    /// Whether the device is read now, whatever its cycle.
    #[serde(default)]
    fresh: bool,
}

/// A property, with its value
#[utoipa::path(get, path = "/api/v2/devices/{namespace}/{name}/properties/{property}", tag = "devices", operation_id = "getProperty",
    params(("namespace" = String, Path), ("name" = String, Path), ("property" = String, Path), PropertyQuery),
    responses((status = 200, body = Property), Refused, Unfulfilled))]
pub(super) async fn property(
    State(site): State<Site>,
    Path((namespace, name, property)): Path<(String, String, String)>,
    Query(query): Query<PropertyQuery>,
) -> Result<Json<Property>, Problem> {
    let id = DeviceId::new(&namespace, &name);
    if query.fresh {
        let order = Order::read(&id, &[&property]).expires_after(FRESH_WITHIN).origin("http");
        site.handle().carry_out(order).await?;
    }
    let inspection = inspect(&site, &namespace, &name).await?;
    let inspected = inspection.properties.iter().find(|it| it.property.name() == property);
    let inspected = inspected.ok_or_else(|| no_property(&id, &property))?;
    let (traces, stats) = (site.handle().twins(&id), site.handle().device_stats(&id));
    let stats = stats.and_then(|stats| stats.property(&property));
    Ok(Json(Property::of(inspected, traces.get(property.as_str()), stats)))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ModelsQuery {
    /// The most items, at most 1,000. By default 500.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// What the page before gave as `continue`.
    r#continue: Option<String>,
}

/// A model that edgecore has brought.
#[derive(Clone, Debug, serde::Serialize, ToSchema)]
pub(super) struct Model {
    #[serde(flatten)]
    name: Name,
    /// How many devices refer to it.
    devices: usize,
    /// The names of its properties.
    properties: Vec<String>,
}

/// The models that edgecore has brought
#[utoipa::path(get, path = "/api/v2/models", tag = "devices", operation_id = "listModels", params(ModelsQuery),
    responses((status = 200, body = Page<Model>), Refused))]
pub(super) async fn models(
    State(site): State<Site>,
    Query(query): Query<ModelsQuery>,
) -> Result<Json<Page<Model>>, Problem> {
    let models = site.handle().models().await.ok_or_else(Problem::stopping)?;
    let view = |it: crate::runtime::InspectedModel| Model {
        name: Name::from(&it.model.id),
        devices: it.devices,
        properties: it.model.properties.iter().map(|property| property.name.clone()).collect(),
    };
    Ok(Json(page(models, |it| it.model.id.to_string(), view, query.limit, query.r#continue.as_deref())))
}
