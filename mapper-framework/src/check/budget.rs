//! Whether edgecore takes as many reports as the cycles ask for.

use std::{collections::BTreeMap, sync::Arc};

use super::{Finding, Severity, finding::Place};
use crate::{
    manifest::{DeviceManifest, Fault},
    model::{Device, ReportRules},
    twin::{Demand, rounded},
};

/// A device with its place.
type Known<'a> = (&'a Place<'a>, &'a Arc<DeviceManifest>, Device);

/// Checks the devices of each node together, for they share its edgecore. What is found stands at the first of them.
pub(super) fn check(devices: &[Known<'_>], budget: f64, twins: &ReportRules) -> Vec<Finding> {
    let mut nodes: BTreeMap<&str, Vec<&Known<'_>>> = BTreeMap::new();
    for known in devices {
        // A device without a node is sent to none.
        if let Some(node) = known.1.spec.node_name.as_deref() {
            nodes.entry(node).or_default().push(known);
        }
    }
    nodes.into_iter().filter_map(|(node, devices)| over_budget(node, &devices, budget, twins)).collect()
}

fn over_budget(node: &str, devices: &[&Known<'_>], budget: f64, twins: &ReportRules) -> Option<Finding> {
    let demand = Demand::of(devices.iter().map(|(_, _, device)| device), twins);
    if demand.calls_per_second <= budget {
        return None;
    }
    let (count, needed, age) =
        (devices.len(), rounded(demand.calls_per_second), demand.staleness(budget).as_secs_f64());
    let at_most = rounded(demand.at_most);
    let more = if at_most > needed { format!(", and up to {at_most} while values change") } else { String::new() };
    let message = format!(
        "the reports of {count} device{} on the node {node:?} need {needed} calls a second{more}, and the budget is {budget}: \
         twins are up to {age:.1} s old when they are stored",
        if count == 1 { "" } else { "s" },
    );
    let cure = demand.advice(budget).to_string();
    let (place, _, _) = devices.first()?;
    Some(place.finding(Severity::Warning, Fault::new("spec.nodeName", message, cure)))
}
