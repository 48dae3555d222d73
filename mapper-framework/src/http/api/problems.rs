//! What is not as it should be, with its cure.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    model::{DeviceId, DeviceState, Problem as Fault},
    runtime::DeviceSummary,
    sink::SinkState,
    watch::DesiredPhase,
};

use super::{
    super::{
        Site,
        problem::{Problem, Refused},
        view::{List, rfc3339},
    },
    edgecore, list,
};

/// The most problems that are listed. The first ones concern the most.
const MOST: usize = 1000;

/// Something that is not as it should be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Trouble {
    /// `error` where values do not arrive, `warning` else.
    pub(crate) severity: String,
    pub(crate) subject: Subject,
    pub(crate) message: String,
    /// What to do about it, where that is known.
    pub(crate) cure: Option<String>,
    /// Since when, where that is known.
    pub(crate) since: Option<String>,
}

/// What it is about.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Subject {
    /// `edgecore`, `sink`, `device` or `property`.
    pub(crate) kind: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) property: Option<String>,
    pub(crate) target: Option<String>,
}

/// What is not as it should be, with its cure
#[utoipa::path(get, path = "/api/v2/problems", tag = "mapper", operation_id = "listProblems",
    responses((status = 200, body = List<Trouble>), Refused))]
pub(super) async fn get(State(site): State<Site>) -> Result<Json<List<Trouble>>, Problem> {
    let mut all = all(&site).await?;
    all.truncate(MOST);
    Ok(Json(list(all)))
}

/// All problems: what concerns all devices first.
pub(super) async fn all(site: &Site) -> Result<Vec<Trouble>, Problem> {
    let mut troubles = of_edgecore(site).await?;
    troubles.extend(site.handle().sinks().iter().flat_map(of_sink));
    for device in site.handle().fleet().await.ok_or_else(Problem::stopping)? {
        of_device(site, &device, &mut troubles).await;
    }
    Ok(troubles)
}

async fn of_edgecore(site: &Site) -> Result<Vec<Trouble>, Problem> {
    let edgecore = edgecore::look(site).await?;
    let subject = || Subject { kind: "edgecore".to_owned(), ..Subject::default() };
    let mut troubles = Vec::new();
    if let Some(reason) = edgecore.reason {
        troubles.push(Trouble {
            severity: "error".to_owned(),
            subject: subject(),
            message: format!("there is no connection to edgecore: {reason}"),
            cure: Some(format!(
                "see that edgecore runs with its module deviceTwin, and that {} is its socket, mounted into the mapper",
                edgecore.socket
            )),
            since: edgecore.since,
        });
    }
    if let Some(exceeded) = edgecore.exceeded {
        troubles.push(Trouble {
            severity: "warning".to_owned(),
            subject: subject(),
            message: format!(
                "the cycles need {} calls a second, and edgecore takes {}: twins get {} s old",
                exceeded.needed_per_second, exceeded.accepted_per_second, exceeded.staleness_seconds
            ),
            cure: Some(exceeded.cure),
            since: None,
        });
    }
    Ok(troubles)
}

fn of_sink(sink: &crate::sink::SinkStatus) -> Vec<Trouble> {
    let ledger = sink.ledger();
    let trouble = |severity: &str, message: String, cure: Option<&str>| Trouble {
        severity: severity.to_owned(),
        subject: Subject { kind: "sink".to_owned(), target: Some(sink.target().to_string()), ..Subject::default() },
        message,
        cure: cure.map(str::to_owned),
        since: None,
    };
    let mut troubles = Vec::new();
    if sink.state() == SinkState::Down {
        let reason = sink.reason().unwrap_or("it does not answer");
        troubles.push(trouble(
            "error",
            format!("{} records wait, since it cannot be written to: {reason}", ledger.in_flight()),
            None,
        ));
    }
    if ledger.rejected() > 0 {
        let cure = "the log names a record of each kind and the target's reason";
        troubles.push(trouble("warning", format!("{} records were rejected for good", ledger.rejected()), Some(cure)));
    }
    if ledger.dropped() > 0 {
        let cure = "raise spool.max_bytes, or see to it that the target is reached; the log says when and why";
        troubles.push(trouble(
            "error",
            format!("{} records were lost for want of room, or damaged on disk", ledger.dropped()),
            Some(cure),
        ));
    }
    troubles
}

async fn of_device(site: &Site, device: &DeviceSummary, troubles: &mut Vec<Trouble>) {
    let id = &device.id;
    let since = device.since.map(rfc3339);
    let is_wrong = matches!(device.state, DeviceState::Disconnected | DeviceState::Unhealthy);
    let has_model = device.since.is_some();
    if device.problems > 0 || device.failing > 0 {
        of_manifest_and_reads(site, id, troubles).await;
    }
    // A device with a wrong manifest has that for its reason.
    if (is_wrong && device.problems == 0) || !has_model {
        let cure = (!has_model).then(|| "apply the model, and then the device again".to_owned());
        let message = device.reason.clone().unwrap_or_else(|| format!("it is {}", device.state));
        troubles.push(Trouble { severity: "error".to_owned(), subject: of(id, None), message, cure, since });
    }
    for desired in site.handle().desired(id) {
        let is_open = matches!(desired.phase, DesiredPhase::Refused | DesiredPhase::Expired | DesiredPhase::Held);
        if is_open {
            let reason = desired.reason.as_deref().unwrap_or("it is given up until it changes");
            troubles.push(Trouble {
                severity: "warning".to_owned(),
                subject: of(id, Some(&desired.property)),
                message: format!("the desired value {:?} is {}: {reason}", desired.desired, desired.phase),
                cure: None,
                since: None,
            });
        }
    }
    for (property, trace) in site.handle().twins(id) {
        if let Some((reason, since)) = trace.held_back {
            troubles.push(Trouble {
                severity: "error".to_owned(),
                subject: of(id, Some(&property)),
                message: format!("edgecore would drop its value silently, so it is not reported: {reason}"),
                cure: Some(
                    "set report.illegal or reportIllegal to replace or base64url, or have the driver give other text"
                        .to_owned(),
                ),
                since: Some(rfc3339(since)),
            });
        }
    }
}

async fn of_manifest_and_reads(site: &Site, id: &DeviceId, troubles: &mut Vec<Trouble>) {
    let Some(inspection) = site.handle().inspect(id).await else { return };
    let fault = |fault: &Fault| Trouble {
        severity: "error".to_owned(),
        subject: of(id, fault.property.as_deref()),
        message: format!("{}: {}", fault.field, fault.message),
        cure: fault.cure.clone(),
        since: None,
    };
    troubles.extend(inspection.lost.iter().chain(&inspection.problems).map(fault));
    let failures = inspection.properties.iter().filter_map(|it| it.failure.as_ref());
    troubles.extend(failures.map(|failure| Trouble {
        severity: "warning".to_owned(),
        subject: of(id, Some(&failure.property)),
        message: format!("it cannot be read: {}", failure.reason),
        cure: None,
        since: Some(rfc3339(failure.since)),
    }));
}

/// A device, or a property of it.
fn of(id: &DeviceId, property: Option<&str>) -> Subject {
    Subject {
        kind: if property.is_some() { "property" } else { "device" }.to_owned(),
        namespace: Some(id.namespace().to_owned()),
        name: Some(id.name().to_owned()),
        property: property.map(str::to_owned),
        target: None,
    }
}
