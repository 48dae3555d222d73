//! The way to edgecore.

use axum::{Json, extract::State};

use crate::{config::ReportVia, twin::rounded, watch::EdgeLink};

use super::{
    super::{
        Site,
        problem::{Problem, Refused},
        view::{Budget, Edgecore, Exceeded, rfc3339, seconds},
    },
    mapper::link_word,
};

/// The link to edgecore, the budget of calls, and what waits
#[utoipa::path(get, path = "/api/v2/edgecore", tag = "mapper", operation_id = "getEdgecore",
    responses((status = 200, body = Edgecore), Refused))]
pub(super) async fn get(State(site): State<Site>) -> Result<Json<Edgecore>, Problem> {
    look(&site).await.map(Json)
}

pub(in crate::http) async fn look(site: &Site) -> Result<Edgecore, Problem> {
    let demand = site.handle().demand().await.ok_or_else(Problem::stopping)?;
    let (link, since) = site.handle().edge();
    let report = &site.config().report;
    let budget = report.budget();
    let exceeded = (demand.calls_per_second > budget).then(|| Exceeded {
        needed_per_second: rounded(demand.calls_per_second),
        accepted_per_second: rounded(budget),
        staleness_seconds: seconds(demand.staleness(budget)),
        cure: demand.advice(budget).to_string(),
    });
    let via = match report.via {
        ReportVia::Dmi => "dmi",
        ReportVia::Eventbus => "eventbus",
        ReportVia::Auto => "auto",
    };
    Ok(Edgecore {
        link: link_word(&link).to_owned(),
        reason: match link {
            EdgeLink::Disconnected { reason } => Some(reason),
            EdgeLink::Connecting | EdgeLink::Connected => None,
        },
        since: since.map(rfc3339),
        socket: site.config().common.edgecore_sock.display().to_string(),
        via: via.to_owned(),
        budget: Budget {
            calls_per_second: report.calls_per_second,
            burst: report.burst,
            rate_per_second: rounded(site.pacer().rate()),
            available_calls: rounded(site.pacer().available()),
        },
        queued_devices: site.outbox().len(),
        oldest_waiting_seconds: site.outbox().waits_since().map(|since| seconds(since.elapsed())),
        exceeded,
    })
}
