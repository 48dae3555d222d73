//! From the sample to edgecore.

use std::time::{Duration, SystemTime};

use crate::{
    config::ReportVia,
    model::{DeviceId, Strategy},
    runtime::{InspectedProperty, Inspection},
    watch::{EdgeLink, Trace},
};

use super::{
    super::{
        super::{Site, problem::Problem, view},
        edgecore,
    },
    NO_EDGECORE, Stage, Verdict,
};

/// After which time a report counts as not accepted.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// The stages from the sample to edgecore.
pub(super) async fn stages(
    site: &Site,
    inspection: &Inspection,
    inspected: Option<&InspectedProperty>,
    is_served: bool,
) -> Result<Vec<Stage>, Problem> {
    let id = &inspection.summary.id;
    let traces = site.handle().twins(id);
    let trace = inspected.and_then(|it| traces.get(it.property.name()));
    let link = link(site, id);
    if !is_served {
        let unknown = |name| Stage::new(name, Verdict::Unknown, "a stage before holds it up");
        return Ok(vec![unknown("strategy"), unknown("legality"), unknown("budget"), link, unknown("edgecore")]);
    }
    if inspected.is_some_and(|it| !it.property.report_to_cloud()) {
        let skipped = |name| Stage::new(name, Verdict::Skipped, "the property has no twin");
        let strategy = strategy(inspection, inspected, trace);
        return Ok(vec![strategy, skipped("legality"), skipped("budget"), link, skipped("edgecore")]);
    }
    let mut stages = vec![strategy(inspection, inspected, trace), legality(inspection, inspected, trace, &traces)];
    stages.push(budget(site, inspection).await?);
    let stored = edgecore_has(site, inspected, trace, &traces);
    stages.extend([link, stored]);
    Ok(stages)
}

fn strategy(inspection: &Inspection, inspected: Option<&InspectedProperty>, trace: Option<&Trace>) -> Stage {
    let reported = inspection.properties.iter().filter(|it| it.property.report_to_cloud()).count();
    let Some(it) = inspected else {
        let figure = format!("{reported} of {} properties have a twin", inspection.properties.len());
        let verdict = if reported > 0 { Verdict::Ok } else { Verdict::Blocked };
        let stage = Stage::new("strategy", verdict, "a property with reportToCloud: true has a twin").figure(figure);
        return if reported > 0 { stage } else { stage.cure(REPORT_TO_CLOUD) };
    };
    if !it.property.report_to_cloud() {
        return Stage::new(
            "strategy",
            Verdict::Blocked,
            "the manifest does not say reportToCloud: true, so the property has no twin",
        )
        .cure(REPORT_TO_CLOUD);
    }
    let last = trace.and_then(|trace| trace.reported);
    let silence = it.twin.max_silence.map_or("never".to_owned(), |time| format!("after {} s", view::seconds(time)));
    match it.twin.strategy {
        Strategy::Always => Stage::new("strategy", Verdict::Ok, "each value is reported").since(last),
        Strategy::OnChange | Strategy::SwingingDoor => {
            let detail = "a value is reported when it has changed, and in any case after the longest silence";
            Stage::new("strategy", Verdict::Ok, detail)
                .since(last)
                .figure(format!("deadband {}, unchanged values {silence}", it.twin.deadband))
        }
    }
}

const REPORT_TO_CLOUD: &str = "set reportToCloud: true at the property in the device's manifest";

fn legality<'a>(
    inspection: &Inspection,
    inspected: Option<&InspectedProperty>,
    trace: Option<&Trace>,
    traces: &'a crate::watch::Traces,
) -> Stage {
    if let Some(lost) = &inspection.lost {
        let cure = lost.cure.clone().unwrap_or_else(|| "use another namespace".to_owned());
        return Stage::new("legality", Verdict::Blocked, lost.message.clone()).cure(cure);
    }
    let of_any = || traces.values().find_map(|trace: &'a Trace| trace.held_back.clone());
    let held_back = if inspected.is_some() { trace.and_then(|trace| trace.held_back.clone()) } else { of_any() };
    match held_back {
        Some((reason, since)) => {
            let verdict = if inspected.is_some() { Verdict::Blocked } else { Verdict::Warning };
            Stage::new("legality", verdict, format!("edgecore would drop the value silently: {reason}"))
                .since(Some(since))
                .cure("set report.illegal or reportIllegal to replace or base64url, or have the driver give other text")
        }
        None => Stage::new("legality", Verdict::Ok, "edgecore takes names and values as they are"),
    }
}

async fn budget(site: &Site, inspection: &Inspection) -> Result<Stage, Problem> {
    let edgecore = edgecore::look(site).await?;
    let waits = site.outbox().device_waits_since(&inspection.summary.id);
    let figure = format!(
        "{} calls a second are taken, {} devices wait{}",
        edgecore.budget.rate_per_second,
        edgecore.queued_devices,
        waits.map(|since| format!(", this one for {} s", view::seconds(since.elapsed()))).unwrap_or_default(),
    );
    let stage = match edgecore.exceeded {
        Some(exceeded) => Stage::new(
            "budget",
            Verdict::Warning,
            format!(
                "the cycles need {} calls a second, so that twins get {} s old",
                exceeded.needed_per_second, exceeded.staleness_seconds
            ),
        )
        .cure(exceeded.cure),
        None => Stage::new("budget", Verdict::Ok, "the cycles fit into what edgecore takes"),
    };
    Ok(stage.since(waits.map(view::by_clock)).figure(figure))
}

fn link(site: &Site, id: &DeviceId) -> Stage {
    let (link, since) = site.handle().edge();
    // Over the event bus nothing waits for long that is answered.
    let waits = site.outbox().device_waits_since(id).filter(|since| since.elapsed() > ANSWERED_WITHIN);
    if let Some(since) = waits.filter(|_| site.config().report.via == ReportVia::Eventbus) {
        return Stage::new("link", Verdict::Blocked, "reports go over the event bus, which does not take them")
            .since(Some(view::by_clock(since)))
            .cure(
                "see that report.eventbus.address is the broker of edgecore's module eventBus, and that this module is enabled: the log says \
                 which of them does not answer; report.via: auto reports by calls meanwhile",
            );
    }
    match link {
        EdgeLink::Connected => Stage::new("link", Verdict::Ok, "edgecore has registered the mapper"),
        EdgeLink::Connecting => {
            Stage::new("link", Verdict::Blocked, "the first attempt to reach edgecore has not ended").cure(NO_EDGECORE)
        }
        EdgeLink::Disconnected { reason } => Stage::new("link", Verdict::Blocked, reason).cure(NO_EDGECORE),
    }
    .since(since)
}

fn edgecore_has(
    site: &Site,
    inspected: Option<&InspectedProperty>,
    trace: Option<&Trace>,
    traces: &crate::watch::Traces,
) -> Stage {
    let beyond = "what comes after is edgecore's and the cloud's: errors of devicetwin in edgecore's log, `kubectl get nodes` says Ready, and \
                  the device controller of cloudcore runs";
    if inspected.is_none() {
        let stored = traces.values().filter(|trace| trace.stored.is_some()).count();
        let last = traces.values().filter_map(|trace| Some(trace.stored.as_ref()?.1)).max();
        let verdict = if stored > 0 { Verdict::Ok } else { Verdict::Unknown };
        let detail = if stored > 0 {
            "edgecore has accepted twins of the device"
        } else {
            "edgecore has accepted no twin of the device yet"
        };
        return Stage::new("edgecore", verdict, detail).since(last).figure(format!("{stored} twins")).cure(beyond);
    }
    let refused = site.handle().stats().eventbus().refused();
    let reported = trace.and_then(|trace| trace.reported);
    let is_unanswered = |since: SystemTime| {
        reported.is_some_and(|reported| reported.duration_since(since).unwrap_or_default() > ANSWERED_WITHIN)
    };
    match trace.and_then(|trace| trace.stored.as_ref()) {
        Some((value, time)) if is_unanswered(*time) => {
            let detail = format!("edgecore has not accepted what was reported since; it has the value {value:?}");
            Stage::new("edgecore", Verdict::Blocked, detail)
                .since(Some(*time))
                .cure("the mapper's log and edgecore's say why; the latest value is sent again after a pause")
        }
        Some((value, time)) => {
            let detail = format!("edgecore has accepted the value {value:?}");
            Stage::new("edgecore", Verdict::Ok, detail).since(Some(*time)).cure(beyond)
        }
        None => {
            let stage = Stage::new("edgecore", Verdict::Unknown, "edgecore has accepted no value of the property yet");
            if refused > 0 { stage.figure(format!("{refused} reports were refused on the event bus")) } else { stage }
        }
    }
}
