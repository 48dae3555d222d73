//! The way of a value, stage by stage, up to the one that holds it up.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    super::{
        Site,
        problem::{Problem, Refused},
    },
    Path, Query, inspect,
};

mod cloud;
mod device;
mod sinks;

/// What to do where there is no connection to edgecore.
const NO_EDGECORE: &str = "see that edgecore runs with its module deviceTwin, and that common.edgecore_sock is its socket, mounted into the mapper";

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// The property. Without it, what holds for all of the device.
    property: Option<String>,
}

/// The way of a value.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    /// `namespace/name`.
    pub(crate) device: String,
    pub(crate) property: Option<String>,
    /// From the manifest to edgecore, and then to each sink.
    pub(crate) stages: Vec<Stage>,
    /// The first stage on the way to edgecore that holds the value up; `null` if none does.
    pub(crate) held_up_by: Option<String>,
}

/// A stage on the way of a value.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Stage {
    /// `manifest`, `model`, `driver config`, `session`, `read`, `conversion`, `strategy`, `legality`, `budget`, `link`, `edgecore`, or `sink`
    /// and the target.
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// Since when, where that is known.
    pub(crate) since: Option<String>,
    /// What is so.
    pub(crate) detail: String,
    /// The figure that shows it.
    pub(crate) figure: Option<String>,
    /// What to do about it.
    pub(crate) cure: Option<String>,
}

/// How a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Values pass.
    Ok,
    /// Values pass, late or not all of them.
    Warning,
    /// Nothing passes.
    Blocked,
    /// The value does not take this way, as the manifest has it.
    Skipped,
    /// A stage before holds it up, so that nothing is known here.
    Unknown,
}

impl Stage {
    fn new(name: &str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict, since: None, detail: detail.into(), figure: None, cure: None }
    }

    fn since(mut self, since: Option<std::time::SystemTime>) -> Self {
        self.since = since.map(super::super::view::rfc3339);
        self
    }

    fn figure(mut self, figure: impl Into<String>) -> Self {
        self.figure = Some(figure.into());
        self
    }

    fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}

/// The way of a value, stage by stage, up to the one that holds it up
#[utoipa::path(get, path = "/api/v2/devices/{namespace}/{name}/explain", tag = "devices", operation_id = "explain",
    params(("namespace" = String, Path), ("name" = String, Path), ExplainQuery),
    responses((status = 200, body = Explanation), Refused))]
pub(super) async fn get(
    State(site): State<Site>,
    Path((namespace, name)): Path<(String, String)>,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explanation>, Problem> {
    let Ok(inspection) = inspect(&site, &namespace, &name).await else {
        // Whoever asks why a device shows nothing may ask for one that has never come.
        return Ok(Json(device::unknown(&site, &namespace, &name).await));
    };
    let property = query.property.as_deref();
    if let Some(property) = property
        && !inspection.named.iter().any(|named| named == property)
    {
        return Err(super::no_property(&inspection.summary.id, property));
    }
    let inspected = property.and_then(|name| inspection.properties.iter().find(|it| it.property.name() == name));
    let mut stages = device::stages(&inspection, property, inspected);
    // Nothing is known of what is left out, and of a device without its model.
    let is_served = inspection.device.is_some() && (property.is_none() || inspected.is_some());
    stages.extend(cloud::stages(&site, &inspection, inspected, is_served).await?);
    let held_up_by = held_up_by(&stages);
    if is_served {
        stages.extend(sinks::stages(&site, inspected));
    }
    Ok(Json(Explanation { device: inspection.summary.id.to_string(), property: query.property, stages, held_up_by }))
}

/// The first stage that holds the value up.
fn held_up_by(stages: &[Stage]) -> Option<String> {
    stages.iter().find(|stage| stage.verdict == Verdict::Blocked).map(|stage| stage.name.clone())
}
