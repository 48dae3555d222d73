//! From the manifest to the sample.

use tokio::time::Instant;

use crate::{
    model::{DeviceState, Problem as Fault, Quality},
    runtime::{InspectedProperty, Inspection},
    watch::EdgeLink,
};

use super::{
    super::super::{Site, view},
    Explanation, NO_EDGECORE, Stage, Verdict,
};

/// By how many seconds more than its cycles a value may be late.
const LATE: f64 = 5.0;

/// The stages up to the sample.
pub(super) fn stages(
    inspection: &Inspection,
    property: Option<&str>,
    inspected: Option<&InspectedProperty>,
) -> Vec<Stage> {
    let faults = Faults::of(inspection, property);
    let manifest = faults.manifest(inspection);
    let model = faults.model(inspection);
    let config = faults.config(inspection);
    let mut stages = vec![manifest, model, config];
    if stages.iter().any(|stage| stage.verdict == Verdict::Blocked) {
        stages.extend(
            ["session", "read", "conversion"]
                .map(|name| Stage::new(name, Verdict::Unknown, "a stage before holds it up")),
        );
        return stages;
    }
    let session = session(inspection);
    let reads = match session.verdict {
        Verdict::Blocked => {
            ["read", "conversion"].map(|name| Stage::new(name, Verdict::Unknown, "there is no session"))
        }
        _ => reads(inspection, inspected),
    };
    stages.push(session);
    stages.extend(reads);
    stages
}

/// A device that the mapper does not know.
pub(super) async fn unknown(site: &Site, namespace: &str, name: &str) -> Explanation {
    let (link, since) = site.handle().edge();
    let devices = site.handle().devices().await.len();
    let stage = match link {
        EdgeLink::Connected => {
            let cure = format!(
                "see that the name is right, that spec.nodeName is this node and spec.protocol.protocolName is {:?}, and look into edgecore's \
                 log: it may have refused the manifest",
                site.config().common.protocol
            );
            Stage::new("manifest", Verdict::Blocked, "edgecore has given the mapper no such device").cure(cure)
        }
        EdgeLink::Connecting | EdgeLink::Disconnected { .. } => {
            Stage::new("link", Verdict::Blocked, "edgecore has not registered the mapper, so no device is known")
                .cure(NO_EDGECORE)
        }
    };
    let stage = stage.since(since).figure(format!("{devices} devices are known"));
    let held_up_by = Some(stage.name.clone());
    Explanation { device: format!("{namespace}/{name}"), property: None, stages: vec![stage], held_up_by }
}

/// What is wrong with a device or a property, by the stage it belongs to.
struct Faults<'a> {
    of_manifest: Vec<&'a Fault>,
    of_model: Vec<&'a Fault>,
    of_config: Vec<&'a Fault>,
}

impl<'a> Faults<'a> {
    fn of(inspection: &'a Inspection, property: Option<&str>) -> Self {
        let mut faults = Self { of_manifest: Vec::new(), of_model: Vec::new(), of_config: Vec::new() };
        let concerns = |fault: &&Fault| match (property, &fault.property) {
            (_, None) | (None, Some(_)) => true,
            (Some(property), Some(its)) => property == its,
        };
        for fault in inspection.lost.iter().chain(&inspection.problems).filter(concerns) {
            let field = fault.field.as_str();
            let stage = if field.contains("configData") {
                &mut faults.of_config
            } else if field.starts_with("model") || field.starts_with("deviceModelRef") {
                &mut faults.of_model
            } else {
                &mut faults.of_manifest
            };
            stage.push(fault);
        }
        faults
    }

    fn manifest(&self, inspection: &Inspection) -> Stage {
        let properties = format!("{} of {} properties are served", inspection.properties.len(), inspection.named.len());
        if inspection.device.is_none() && self.of_manifest.is_empty() {
            return Stage::new("manifest", Verdict::Ok, "edgecore has brought the device");
        }
        let good = match inspection.doubts.first() {
            Some(doubt) => Stage::new("manifest", Verdict::Warning, doubt.to_string()),
            None => Stage::new("manifest", Verdict::Ok, "nothing is wrong with the manifest"),
        };
        faulty("manifest", &self.of_manifest, inspection).unwrap_or(good).figure(properties)
    }

    fn model(&self, inspection: &Inspection) -> Stage {
        if inspection.device.is_none() {
            let detail = format!("the device model {} has not come", inspection.summary.model);
            let cure = "apply the model in the device's namespace; if the device still waits, apply the device again";
            return Stage::new("model", Verdict::Blocked, detail).cure(cure);
        }
        let good = Stage::new("model", Verdict::Ok, format!("the model is {}", inspection.summary.model));
        faulty("model", &self.of_model, inspection).unwrap_or(good)
    }

    fn config(&self, inspection: &Inspection) -> Stage {
        if inspection.device.is_none() {
            return Stage::new("driver config", Verdict::Unknown, "the driver reads it with the model");
        }
        let good =
            Stage::new("driver config", Verdict::Ok, "the driver has read protocol.configData and visitors.configData");
        let stage = faulty("driver config", &self.of_config, inspection).unwrap_or(good);
        if inspection.has_wrong_config { Stage { verdict: Verdict::Blocked, ..stage } } else { stage }
    }
}

/// What is wrong, if something is. A property that is wrong is left out, and the others go on.
fn faulty(name: &str, faults: &[&Fault], inspection: &Inspection) -> Option<Stage> {
    let first = faults.first()?;
    let is_lost = inspection.lost.as_ref().is_some_and(|lost| faults.contains(&lost));
    let costs_device = is_lost || first.property.is_none() || inspection.properties.is_empty();
    let left_out = |fault: &&&Fault| {
        let names = |name: &String| inspection.properties.iter().any(|it| it.property.name() == name);
        fault.property.as_ref().is_some_and(|name| !names(name))
    };
    let blocks = costs_device || faults.iter().any(|fault| left_out(&fault));
    let verdict = if blocks { Verdict::Blocked } else { Verdict::Warning };
    let more = faults.len() - 1;
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let property = first.property.as_ref().map(|name| format!("property {name:?}, ")).unwrap_or_default();
    let stage = Stage::new(name, verdict, format!("{property}{}: {}{more}", first.field, first.message));
    Some(match &first.cure {
        Some(cure) => stage.cure(cure.clone()),
        None => stage.cure("correct the manifest: `check` of this mapper names file, line and cure"),
    })
}

fn session(inspection: &Inspection) -> Stage {
    let summary = &inspection.summary;
    let reason = summary.reason.clone();
    let stage = match summary.state {
        DeviceState::Disconnected | DeviceState::Offline => {
            let detail = reason.unwrap_or_else(|| "there is no session to the device".to_owned());
            Stage::new("session", Verdict::Blocked, detail)
                .cure("see that the device is on and can be reached from this node, and that protocol.configData is its address")
        }
        DeviceState::Unknown => Stage::new("session", Verdict::Blocked, "the device has not been connected to yet"),
        DeviceState::Unhealthy => {
            Stage::new("session", Verdict::Warning, reason.unwrap_or_else(|| "the device is unhealthy".to_owned()))
        }
        DeviceState::Ok | DeviceState::Online => {
            Stage::new("session", Verdict::Ok, format!("the device is {}", summary.state))
        }
    };
    stage.since(summary.since)
}

fn reads(inspection: &Inspection, inspected: Option<&InspectedProperty>) -> [Stage; 2] {
    let Some(it) = inspected else { return of_all_reads(inspection) };
    let cycle = format!("every {} s", view::seconds(it.property.collect_cycle()));
    match (&it.failure, &it.sample) {
        (Some(failure), _) if failure.has_come => [
            Stage::new("read", Verdict::Ok, "the device answers").figure(cycle),
            Stage::new("conversion", Verdict::Blocked, failure.reason.clone())
                .since(Some(failure.since))
                .cure("set the property's type in the model to what the device gives, or the visitor to where that type stands"),
        ],
        (Some(failure), _) => [
            Stage::new("read", Verdict::Blocked, failure.reason.clone())
                .since(Some(failure.since))
                .figure(cycle)
                .cure("see that visitors.configData names a place that the device has"),
            Stage::new("conversion", Verdict::Unknown, "there is no value to convert"),
        ],
        (None, None) if it.next_read.is_some_and(|next| next > Instant::now()) => [
            Stage::new("read", Verdict::Unknown, "the first read has not come yet").figure(cycle),
            Stage::new("conversion", Verdict::Unknown, "there is no value to convert"),
        ],
        (None, None) => [
            Stage::new("read", Verdict::Blocked, "no value has been read or delivered yet").figure(cycle),
            Stage::new("conversion", Verdict::Unknown, "there is no value to convert"),
        ],
        (None, Some(sample)) => {
            let age = view::age(sample.timestamp);
            let read = if it.next_read.is_some() && age > 3.0 * it.property.collect_cycle().as_secs_f64() + LATE {
                Stage::new("read", Verdict::Warning, "the last read has succeeded, and is older than its cycle")
            } else {
                Stage::new("read", Verdict::Ok, "the last read has succeeded")
            };
            let read = read.since(Some(sample.timestamp));
            let converted = format!("{} as {}", sample.value, it.property.data_type());
            let conversion = match sample.quality {
                Quality::Good => Stage::new("conversion", Verdict::Ok, converted),
                quality => Stage::new("conversion", Verdict::Warning, format!("{converted}, of {quality} quality")),
            };
            [read.figure(format!("{age} s old, {cycle}")), conversion]
        }
    }
}

fn of_all_reads(inspection: &Inspection) -> [Stage; 2] {
    let (all, failing) = (inspection.properties.len(), inspection.summary.failing);
    let read = inspection.properties.iter().filter(|it| it.sample.is_some()).count();
    let figure = format!("{read} of {all} properties have a value, {failing} fail");
    let first = inspection.properties.iter().find_map(|it| it.failure.as_ref());
    let stage = match first {
        Some(failure) => {
            let verdict = if failing == all { Verdict::Blocked } else { Verdict::Warning };
            Stage::new("read", verdict, format!("{:?}: {}", failure.property, failure.reason))
                .since(Some(failure.since))
        }
        None if read == 0 && all > 0 => Stage::new("read", Verdict::Blocked, "no value has been read yet"),
        None => Stage::new("read", Verdict::Ok, "no property fails"),
    };
    [stage.figure(figure), Stage::new("conversion", Verdict::Ok, "ask for a property to see its value")]
}
