//! The mapper as a whole, and its sinks.

use std::time::SystemTime;

use axum::{Json, extract::State};

use crate::{config::WritesMode, model::DeviceState, sink::SinkState, watch::EdgeLink};

use super::{
    super::{
        Site,
        problem::{Problem, Refused},
        view::{List, Mapper, Sink, SinkStates, States, rfc3339, seconds},
    },
    list, problems,
};

/// The mapper as a whole
#[utoipa::path(get, path = "/api/v2/mapper", tag = "mapper", operation_id = "getMapper",
    responses((status = 200, body = Mapper), Refused))]
pub(super) async fn get(State(site): State<Site>) -> Result<Json<Mapper>, Problem> {
    let fleet = site.handle().fleet().await.ok_or_else(Problem::stopping)?;
    let mut devices = States { total: fleet.len(), ..States::default() };
    for device in &fleet {
        *match device.state {
            DeviceState::Ok => &mut devices.ok,
            DeviceState::Online => &mut devices.online,
            DeviceState::Offline => &mut devices.offline,
            DeviceState::Disconnected => &mut devices.disconnected,
            DeviceState::Unhealthy => &mut devices.unhealthy,
            DeviceState::Unknown => &mut devices.unknown,
        } += 1;
    }
    let statuses = site.handle().sinks();
    let mut sinks = SinkStates { total: statuses.len(), ..SinkStates::default() };
    for sink in &statuses {
        *match sink.state() {
            SinkState::Connecting => &mut sinks.connecting,
            SinkState::Up => &mut sinks.up,
            SinkState::Down => &mut sinks.down,
        } += 1;
    }
    let (started, began) = site.started();
    let (config, package) = (site.config(), site.package());
    let writes = match config.writes.mode {
        WritesMode::ReadOnly => "readOnly",
        WritesMode::Enabled if config.writes.dry_run => "dryRun",
        WritesMode::Enabled => "enabled",
    };
    let problems = problems::all(&site).await?.len();
    Ok(Json(Mapper {
        name: config.common.name.clone(),
        version: package.version().to_owned(),
        framework_version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: config.common.protocol.clone(),
        started: rfc3339(started),
        now: rfc3339(SystemTime::now()),
        uptime_seconds: seconds(began.elapsed()),
        devices,
        sinks,
        edgecore: link_word(&site.handle().edge().0).to_owned(),
        problems,
        writes: writes.to_owned(),
        writable: site.access().is_writable(),
    }))
}

/// The targets of samples, with their ledgers
#[utoipa::path(get, path = "/api/v2/sinks", tag = "mapper", operation_id = "listSinks",
    responses((status = 200, body = List<Sink>), Refused))]
pub(super) async fn sinks(State(site): State<Site>) -> Json<List<Sink>> {
    Json(list(site.handle().sinks().iter().map(Sink::from).collect()))
}

/// The word for the link to edgecore.
pub(super) fn link_word(link: &EdgeLink) -> &'static str {
    match link {
        EdgeLink::Connecting => "connecting",
        EdgeLink::Connected => "connected",
        EdgeLink::Disconnected { .. } => "disconnected",
    }
}
