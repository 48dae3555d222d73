//! `discover`: from what a driver has found to the manifests of it.

mod fit;
mod fleet;
mod names;
mod yaml;

#[cfg(test)]
mod tests;

use crate::{
    driver::{Discovery, ErasedDriver},
    mapper::MapperBuilder,
    model::{ReportRules, Secrets},
};

use fit::fit;
use fleet::Fleet;

/// Where the manifests are to belong, and what they have to fit.
pub(crate) struct Place<'a> {
    driver: &'a dyn ErasedDriver,
    protocol: &'a str,
    namespace: &'a str,
    node: &'a str,
    /// Calls a second that edgecore takes.
    budget: f64,
    /// What holds for twins.
    twins: ReportRules,
}

/// What was made of what was found.
#[derive(Debug)]
pub(crate) struct Manifests {
    /// The manifests, as YAML of any number of documents; empty where there is no device.
    pub(crate) yaml: String,
    pub(crate) devices: usize,
    pub(crate) models: usize,
    /// What was left out, and why.
    pub(crate) left_out: Vec<String>,
}

impl<'a> Place<'a> {
    pub(crate) fn of(builder: &'a MapperBuilder, namespace: &'a str, node: &'a str) -> Self {
        Self {
            driver: &*builder.driver,
            protocol: &builder.config.common.protocol,
            namespace,
            node,
            budget: builder.config.report.budget(),
            twins: builder.config.report.rules(),
        }
    }
}

/// Makes manifests of what a search has found, such that `check --strict` has nothing to say.
pub(crate) fn manifests(discovery: &Discovery, place: &Place<'_>) -> Manifests {
    let secrets = secrets(discovery);
    let (mut fleet, mut left_out) = (Fleet::default(), Vec::new());
    for found in discovery.found() {
        match fit(&found, discovery.credentials_name(), &secrets, place, &mut left_out) {
            Ok(fitted) => fleet.add(fitted),
            Err(reason) => left_out.push(format!("{:?} is left out: {reason}", found.name())),
        }
    }
    let cycle = fleet.cycle(place);
    let yaml = yaml::documents(&fleet, place, cycle);
    Manifests { yaml, devices: fleet.devices.len(), models: fleet.models.len(), left_out }
}

/// What must not be printed: the credentials, and the arguments that are called like a secret.
fn secrets(discovery: &Discovery) -> Secrets {
    let args = discovery.raw_args().iter().filter(|(key, _)| Secrets::is_key(key));
    let args = args.filter_map(|(_, value)| value.as_str().map(str::to_owned));
    Secrets::of(discovery.credentials()).and(args)
}
