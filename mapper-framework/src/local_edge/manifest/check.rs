//! What the cluster's API server, or edgecore, would refuse of a manifest that is well-formed.

use super::{
    config, keys,
    schema::{DeviceSpec, Metadata, ModelProperty, ModelSpec, PushMethod},
};
use crate::model::ConfigData;

/// Something wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) property: Option<String>,
    pub(super) field: String,
    pub(super) message: String,
    pub(super) cure: String,
}

impl Fault {
    pub(super) fn new(field: impl Into<String>, message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { property: None, field: field.into(), message: message.into(), cure: cure.into() }
    }

    fn of_property(mut self, name: &str) -> Self {
        self.property = Some(name.to_owned());
        self
    }
}

const TYPES: [&str; 7] = ["INT", "FLOAT", "DOUBLE", "STRING", "BOOLEAN", "BYTES", "STREAM"];
const ACCESS_MODES: [&str; 2] = ["ReadOnly", "ReadWrite"];

/// Checks name and namespace and gives the namespace.
pub(super) fn check_names(metadata: &Metadata) -> Result<&str, Fault> {
    let namespace = metadata.namespace.as_deref().unwrap_or("default");
    let cure = "use lower-case letters, digits and -, with a letter or digit at both ends";
    if !is_kubernetes_name(&metadata.name, 253, b"-.") {
        return Err(Fault::new("metadata.name", format!("{:?} is no Kubernetes name", metadata.name), cure));
    }
    if !is_kubernetes_name(namespace, 63, b"-") {
        return Err(Fault::new("metadata.namespace", format!("{namespace:?} is no Kubernetes namespace"), cure));
    }
    Ok(namespace)
}

fn is_kubernetes_name(name: &str, longest: usize, between: &[u8]) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=longest).contains(&name.len())
        && name.bytes().all(|byte| legal(byte) || between.contains(&byte))
        && name.bytes().next().is_some_and(legal)
        && name.bytes().last().is_some_and(legal)
}

pub(super) fn check_model(spec: &ModelSpec) -> Result<(), Fault> {
    check_config(spec.protocol_config_data.as_ref(), "spec.protocolConfigData")?;
    for (index, property) in spec.properties.iter().enumerate() {
        check_model_property(property, &format!("spec.properties[{index}]"))
            .map_err(|fault| fault.of_property(&property.name))?;
    }
    Ok(())
}

fn check_model_property(property: &ModelProperty, place: &str) -> Result<(), Fault> {
    check_filled(&property.name, &format!("{place}.name"))?;
    check_choice(&property.data_type, &TYPES, &format!("{place}.type"))?;
    check_choice(&property.access_mode, &ACCESS_MODES, &format!("{place}.accessMode"))?;
    let visitors = property.visitors.as_ref().and_then(|visitors| visitors.config_data.as_ref());
    check_config(visitors, &format!("{place}.visitors.configData"))
}

pub(super) fn check_device(spec: &DeviceSpec) -> Result<(), Fault> {
    check_filled(&spec.device_model_ref.name, "spec.deviceModelRef.name")?;
    check_filled(&spec.protocol.protocol_name, "spec.protocol.protocolName")?;
    check_config(spec.protocol.config_data.as_ref(), "spec.protocol.configData")?;
    for (index, property) in spec.properties.iter().enumerate() {
        let place = format!("spec.properties[{index}]");
        let visitors = property.visitors.as_ref().and_then(|visitors| visitors.config_data.as_ref());
        check_filled(&property.name, &format!("{place}.name"))
            .and_then(|()| check_config(visitors, &format!("{place}.visitors.configData")))
            .and_then(|()| check_push(property.push_method.as_ref(), &place))
            .map_err(|fault| fault.of_property(&property.name))?;
    }
    Ok(())
}

fn check_push(push: Option<&PushMethod>, place: &str) -> Result<(), Fault> {
    let anomaly = push.and_then(|push| push.anomaly_detection.as_ref());
    check_config(anomaly, &format!("{place}.pushMethod.anomalyDetection"))
}

fn check_config(config: Option<&ConfigData>, place: &str) -> Result<(), Fault> {
    let Some(config) = config else { return Ok(()) };
    config::check(config).map_err(|(key, problem)| Fault::new(format!("{place}.{key}"), problem.message, problem.cure))
}

fn check_filled(value: &str, field: &str) -> Result<(), Fault> {
    if value.is_empty() { Err(Fault::new(field, "missing", "add it")) } else { Ok(()) }
}

/// An absent field passes, for the custom resource's schema does not demand it: the mapper has to say what it lacks.
fn check_choice(value: &str, choices: &[&str], field: &str) -> Result<(), Fault> {
    if value.is_empty() || choices.contains(&value) {
        return Ok(());
    }
    let cure = keys::nearest(value, choices)
        .map_or_else(|| format!("write one of {}", choices.join(", ")), |nearest| format!("did you mean {nearest}?"));
    Err(Fault::new(field, format!("{value:?} is none of {}", choices.join(", ")), cure))
}
