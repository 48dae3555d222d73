//! What the cluster's API server, or edgecore, would refuse of a manifest that is well-formed.

use std::fmt::{self, Display};

use super::{
    config, keys,
    schema::{DeviceSpec, Metadata, ModelSpec, Visitors},
};
use crate::model::ConfigData;

/// Something wrong, or odd, in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) property: Option<String>,
    pub(crate) field: String,
    pub(crate) message: String,
    pub(crate) cure: String,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(property) = &self.property {
            write!(f, "property {property:?}: ")?;
        }
        write!(f, "{}: {}: {}", self.field, self.message, self.cure)
    }
}

impl Fault {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { property: None, field: field.into(), message: message.into(), cure: cure.into() }
    }

    pub(crate) fn of_property(mut self, name: &str) -> Self {
        self.property = Some(name.to_owned());
        self
    }
}

/// That a resource of the same kind and name stands elsewhere, too.
pub(crate) fn duplicate(other: &impl Display) -> Fault {
    let message = format!("stands in {other} as well, and the last one that is applied counts");
    Fault::new("metadata.name", message, "take one out, or name it otherwise")
}

/// A `configData`, and where it stands.
#[derive(Debug)]
pub(crate) struct Config<'a> {
    pub(crate) property: Option<&'a str>,
    pub(crate) field: String,
    pub(crate) data: &'a ConfigData,
}

impl Config<'_> {
    /// Something wrong with one key of it.
    pub(crate) fn fault(&self, key: &str, message: impl Into<String>, cure: impl Into<String>) -> Fault {
        let fault = Fault::new(format!("{}.{key}", self.field), message, cure);
        self.property.map_or(fault.clone(), |name| fault.of_property(name))
    }
}

const TYPES: [&str; 7] = ["INT", "FLOAT", "DOUBLE", "STRING", "BOOLEAN", "BYTES", "STREAM"];
const ACCESS_MODES: [&str; 2] = ["ReadOnly", "ReadWrite"];

/// Checks name and namespace.
pub(super) fn check_names(metadata: &Metadata) -> Vec<Fault> {
    let (name, namespace) = (&metadata.name, metadata.namespace());
    let cure = "use lower-case letters, digits and -, with a letter or digit at both ends";
    let mut faults = check_labels(metadata);
    if name.is_empty() {
        faults.push(Fault::new("metadata.name", "missing", "add it"));
    } else if !is_kubernetes_name(name, 253, b"-.") {
        faults.push(Fault::new("metadata.name", format!("{name:?} is no Kubernetes name"), cure));
    }
    if !is_kubernetes_name(namespace, 63, b"-") {
        faults.push(Fault::new("metadata.namespace", format!("{namespace:?} is no Kubernetes namespace"), cure));
    }
    faults
}

/// Labels and annotations, as the API server takes them.
fn check_labels(metadata: &Metadata) -> Vec<Fault> {
    let cure = "use letters, digits, - _ and ., with a letter or digit at both ends, and at most 63 of them";
    let mut faults = Vec::new();
    for (field, entries) in [("labels", &metadata.labels), ("annotations", &metadata.annotations)] {
        for (key, value) in entries {
            let place = format!("metadata.{field}.{key}");
            if !is_qualified(&if field == "annotations" { key.to_lowercase() } else { key.clone() }) {
                faults.push(Fault::new(place, format!("{key:?} is no key of {field}"), cure));
            } else if field == "labels" && !value.is_empty() && !is_label(value) {
                faults.push(Fault::new(place, format!("{value:?} is no value of a label"), cure));
            }
        }
    }
    faults
}

/// Whether a key is a label's: a name, with or without a domain and a slash before it.
fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((domain, name)) => is_kubernetes_name(domain, 253, b"-.") && !domain.contains("..") && is_label(name),
        None => is_label(key),
    }
}

fn is_label(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && ends(text.bytes().next())
        && ends(text.bytes().last())
}

fn is_kubernetes_name(name: &str, longest: usize, between: &[u8]) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=longest).contains(&name.len())
        && name.bytes().all(|byte| legal(byte) || between.contains(&byte))
        && name.bytes().next().is_some_and(legal)
        && name.bytes().last().is_some_and(legal)
}

pub(super) fn check_model(spec: &ModelSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, property) in spec.properties.iter().enumerate() {
        let place = format!("spec.properties[{index}]");
        let found = [
            check_filled(&property.name, &format!("{place}.name")),
            check_choice(&property.data_type, &TYPES, &format!("{place}.type")),
            check_choice(&property.access_mode, &ACCESS_MODES, &format!("{place}.accessMode")),
        ];
        faults.extend(found.into_iter().flatten().map(|fault| fault.of_property(&property.name)));
    }
    faults.extend(check_configs(&spec.configs()));
    faults
}

pub(super) fn check_device(spec: &DeviceSpec) -> Vec<Fault> {
    let named = [
        check_filled(&spec.device_model_ref.name, "spec.deviceModelRef.name"),
        check_filled(&spec.protocol.protocol_name, "spec.protocol.protocolName"),
    ];
    let mut faults: Vec<_> = named.into_iter().flatten().collect();
    let names = spec.properties.iter().enumerate();
    faults.extend(
        names.filter_map(|(index, property)| check_filled(&property.name, &format!("spec.properties[{index}].name"))),
    );
    faults.extend(check_configs(&spec.configs()));
    faults
}

impl ModelSpec {
    /// What of it becomes `configData` of a device.
    pub(crate) fn configs(&self) -> Vec<Config<'_>> {
        let protocol = self.protocol_config_data.as_ref();
        let protocol =
            protocol.map(|data| Config { property: None, field: "spec.protocolConfigData".to_owned(), data });
        let visitors = self.properties.iter().enumerate();
        let visitors =
            visitors.filter_map(|(index, property)| visitors_of(index, &property.name, property.visitors.as_ref()));
        protocol.into_iter().chain(visitors).collect()
    }
}

impl DeviceSpec {
    /// All that is sent as `configData` is.
    pub(crate) fn configs(&self) -> Vec<Config<'_>> {
        let protocol = self.protocol.config_data.as_ref();
        let protocol =
            protocol.map(|data| Config { property: None, field: "spec.protocol.configData".to_owned(), data });
        let properties = self.properties.iter().enumerate().flat_map(|(index, property)| {
            let anomaly = property.push_method.as_ref().and_then(|push| push.anomaly_detection.as_ref());
            let field = format!("spec.properties[{index}].pushMethod.anomalyDetection");
            let anomaly = anomaly.map(|data| Config { property: Some(&property.name), field, data });
            visitors_of(index, &property.name, property.visitors.as_ref()).into_iter().chain(anomaly)
        });
        protocol.into_iter().chain(properties).collect()
    }
}

fn visitors_of<'a>(index: usize, property: &'a str, visitors: Option<&'a Visitors>) -> Option<Config<'a>> {
    let data = visitors?.config_data.as_ref()?;
    Some(Config { property: Some(property), field: format!("spec.properties[{index}].visitors.configData"), data })
}

fn check_configs(configs: &[Config<'_>]) -> Vec<Fault> {
    let faults = configs.iter().flat_map(|config| {
        config::unsendable(config.data).map(|(key, problem)| config.fault(key, problem.message, problem.cure))
    });
    faults.collect()
}

fn check_filled(value: &str, field: &str) -> Option<Fault> {
    value.is_empty().then(|| Fault::new(field, "missing", "add it"))
}

/// An absent field passes, for the custom resource's schema does not demand it: the mapper has to say what it lacks.
fn check_choice(value: &str, choices: &[&str], field: &str) -> Option<Fault> {
    if value.is_empty() || choices.contains(&value) {
        return None;
    }
    let cure = keys::nearest(value, choices)
        .map_or_else(|| format!("write one of {}", choices.join(", ")), |nearest| format!("did you mean {nearest}?"));
    Some(Fault::new(field, format!("{value:?} is none of {}", choices.join(", ")), cure))
}
