//! Joins a device's manifest with its model, and finds what is wrong with either.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use super::{
    AccessMode, ConfigData, DataType, Device, DeviceId, Method, ModelId, Property, PushMethod, StateReport, Value,
    ValueError,
};

/// A device as its manifest describes it, before its model is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeviceInstance {
    /// Namespace and name.
    pub(crate) id: DeviceId,
    /// `deviceModelReference`, in the device's namespace.
    pub(crate) model: ModelId,
    /// `protocol.protocolName`
    pub(crate) protocol: String,
    /// `protocol.configData`
    pub(crate) config: ConfigData,
    /// `properties`
    pub(crate) properties: Vec<InstanceProperty>,
    /// `methods`
    pub(crate) methods: Vec<Method>,
    /// `status.reportToCloud` and `status.reportCycle`
    pub(crate) state_report: Option<StateReport>,
    /// What could not be read of the manifest, and is left out above.
    pub(crate) problems: Vec<Problem>,
}

/// A property as a device's manifest describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct InstanceProperty {
    /// `name`
    pub(crate) name: String,
    /// `desired.value`; empty for none.
    pub(crate) desired: String,
    /// `visitors.configData`
    pub(crate) visitor: Arc<ConfigData>,
    /// `collectCycle`; zero for the default.
    pub(crate) collect_cycle: Duration,
    /// `reportCycle`; zero for the default.
    pub(crate) report_cycle: Duration,
    /// `reportToCloud`
    pub(crate) report_to_cloud: bool,
    /// `pushMethod`
    pub(crate) push_methods: Vec<PushMethod>,
}

/// A device model: what is true of every device of a kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeviceModel {
    /// Namespace and name.
    pub(crate) id: ModelId,
    /// `spec.properties`
    pub(crate) properties: Vec<ModelProperty>,
}

/// A property as a device model describes it, each field as its author wrote it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ModelProperty {
    /// `name`
    pub(crate) name: String,
    /// `description`
    pub(crate) description: String,
    /// `type`
    pub(crate) data_type: String,
    /// `accessMode`
    pub(crate) access_mode: String,
    /// `minimum`; empty for none.
    pub(crate) minimum: String,
    /// `maximum`; empty for none.
    pub(crate) maximum: String,
    /// `unit`
    pub(crate) unit: String,
}

/// Something wrong with a device's manifest or model. It costs the property it names, or the device if it names none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Problem {
    pub(crate) property: Option<String>,
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Problem {
    /// A problem that the whole device has.
    pub(crate) fn of_device(field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { property: None, field: field.into(), message: message.to_string() }
    }

    /// A problem of one property.
    pub(crate) fn of_property(
        property: impl Into<String>,
        field: impl Into<String>,
        message: impl fmt::Display,
    ) -> Self {
        Self { property: Some(property.into()), field: field.into(), message: message.to_string() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(property) = &self.property {
            write!(f, "property {property:?}, ")?;
        }
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// A device with all of its properties that are sound, and the problems of those that are not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resolved {
    /// The device.
    pub(crate) device: Device,
    /// What is wrong, and left out.
    pub(crate) problems: Vec<Problem>,
}

impl Device {
    /// Joins a manifest with its model. A property that is wrong is left out and reported; the others are not touched by it.
    pub(crate) fn resolve(instance: &DeviceInstance, model: &DeviceModel) -> Resolved {
        let mut problems = instance.problems.clone();
        let mut seen = HashSet::new();
        let declared: std::collections::HashMap<&str, &ModelProperty> =
            model.properties.iter().rev().map(|property| (property.name.as_str(), property)).collect();
        let mut properties = Vec::with_capacity(instance.properties.len());
        for property in &instance.properties {
            if !seen.insert(property.name.as_str()) {
                problems.push(Problem::of_property(&property.name, "name", "stands twice: the first one counts"));
                continue;
            }
            let declared = declared.get(property.name.as_str()).copied();
            match declared.ok_or_else(|| missing(property, model)).and_then(|declared| join(property, declared)) {
                Ok(property) => properties.push(Arc::new(property)),
                Err(problem) => problems.push(problem),
            }
        }
        let device = Device {
            id: instance.id.clone(),
            model: instance.model.clone(),
            protocol: instance.protocol.clone(),
            config: instance.config.clone(),
            properties,
            methods: instance.methods.clone(),
            state_report: instance.state_report,
        };
        Resolved { device, problems }
    }
}

fn missing(property: &InstanceProperty, model: &DeviceModel) -> Problem {
    let message = format!("the device model {} has no such property: add it there, or correct the name", model.id);
    Problem::of_property(&property.name, "name", message)
}

/// Joins what the manifest and the model say of one property.
fn join(instance: &InstanceProperty, model: &ModelProperty) -> Result<Property, Problem> {
    let problem = |field: &str, message: &dyn fmt::Display| Problem::of_property(&model.name, field, message);
    let data_type = model.data_type.parse::<DataType>().map_err(|error| problem("type", &error))?;
    let access_mode = access_mode(&model.access_mode).map_err(|message| problem("accessMode", &message))?;
    let bound = |field, text: &str| bound(text, data_type).map_err(|error| problem(field, &error));
    let (minimum, maximum) = (bound("minimum", &model.minimum)?, bound("maximum", &model.maximum)?);
    if let (Some(minimum), Some(maximum)) = (minimum, maximum)
        && minimum > maximum
    {
        return Err(problem("minimum", &format_args!("{minimum} is greater than the maximum, {maximum}")));
    }
    let mut builder = Property::builder(&model.name, data_type)
        .description(&model.description)
        .access_mode(access_mode)
        .unit(&model.unit)
        .collect_cycle(instance.collect_cycle)
        .report_cycle(instance.report_cycle)
        .report_to_cloud(instance.report_to_cloud)
        .desired(&instance.desired)
        .push_methods(instance.push_methods.clone());
    if let Some(minimum) = minimum {
        builder = builder.minimum(minimum);
    }
    if let Some(maximum) = maximum {
        builder = builder.maximum(maximum);
    }
    Ok(builder.shared_visitor(Arc::clone(&instance.visitor)))
}

/// An absent access mode is the one that can do no harm.
fn access_mode(text: &str) -> Result<AccessMode, String> {
    match text {
        _ if text.eq_ignore_ascii_case("ReadWrite") => Ok(AccessMode::ReadWrite),
        _ if text.is_empty() || text.eq_ignore_ascii_case("ReadOnly") => Ok(AccessMode::ReadOnly),
        _ => Err(format!("unknown access mode {text:?}: use ReadOnly or ReadWrite")),
    }
}

/// A bound of a type that has no order means nothing, and is not read.
fn bound(text: &str, data_type: DataType) -> Result<Option<f64>, ValueError> {
    if text.is_empty() || !data_type.is_numeric() {
        return Ok(None);
    }
    Value::parse(text, DataType::Double).map(|value| value.as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(properties: Vec<ModelProperty>) -> DeviceModel {
        DeviceModel { id: ModelId::new("", "thermometer"), properties }
    }

    fn declared(name: &str, data_type: &str) -> ModelProperty {
        ModelProperty { name: name.into(), data_type: data_type.into(), ..ModelProperty::default() }
    }

    fn instance(names: &[&str]) -> DeviceInstance {
        let property = |name: &&str| InstanceProperty { name: (*name).into(), ..InstanceProperty::default() };
        DeviceInstance {
            id: DeviceId::new("", "t1"),
            model: ModelId::new("", "thermometer"),
            protocol: "virtual".into(),
            config: ConfigData::new(),
            properties: names.iter().map(property).collect(),
            methods: Vec::new(),
            state_report: None,
            problems: Vec::new(),
        }
    }

    /// The names that are left, and the one problem.
    fn resolve(instance: &DeviceInstance, model: &DeviceModel) -> (Vec<String>, String) {
        let resolved = Device::resolve(instance, model);
        let names = resolved.device.properties().map(|property| property.name().to_owned()).collect();
        assert_eq!(resolved.problems.len(), 1, "{:?}", resolved.problems);
        (names, resolved.problems[0].to_string())
    }

    #[test]
    fn a_property_gets_its_type_from_the_model() {
        let resolved = Device::resolve(&instance(&["temperature"]), &model(vec![declared("temperature", "float")]));
        assert_eq!(resolved.problems, []);
        let property = resolved.device.property("temperature").expect("the property is there");
        assert_eq!((property.data_type(), property.access_mode()), (DataType::Float, AccessMode::ReadOnly));
    }

    #[test]
    fn an_unknown_data_type_costs_one_property() {
        let model = model(vec![declared("a", "INT"), declared("b", "INTEGER")]);
        let (left, problem) = resolve(&instance(&["a", "b"]), &model);
        assert_eq!(left, ["a"]);
        assert!(problem.starts_with(r#"property "b", type: unknown data type "INTEGER""#), "{problem}");
    }

    #[test]
    fn a_minimum_above_the_maximum_costs_one_property() {
        let wrong = ModelProperty { minimum: "5".into(), maximum: "1".into(), ..declared("b", "INT") };
        let (left, problem) = resolve(&instance(&["a", "b"]), &model(vec![declared("a", "INT"), wrong]));
        assert_eq!(left, ["a"]);
        assert_eq!(problem, r#"property "b", minimum: 5 is greater than the maximum, 1"#);
    }

    #[test]
    fn of_a_duplicate_property_the_first_one_counts() {
        let (left, problem) = resolve(&instance(&["a", "a"]), &model(vec![declared("a", "INT")]));
        assert_eq!(left, ["a"]);
        assert!(problem.contains("stands twice"), "{problem}");
    }

    #[test]
    fn a_property_that_the_model_lacks_is_reported() {
        let (left, problem) = resolve(&instance(&["a", "b"]), &model(vec![declared("a", "INT")]));
        assert_eq!(left, ["a"]);
        assert!(problem.contains("default/thermometer has no such property"), "{problem}");
    }

    #[test]
    fn a_bound_that_is_no_number_is_reported() {
        let wrong = ModelProperty { maximum: "ten".into(), ..declared("a", "INT") };
        let (left, problem) = resolve(&instance(&["a"]), &model(vec![wrong]));
        assert!(left.is_empty() && problem.contains(r#"maximum: "ten" is not a value"#), "{problem}");
    }

    #[test]
    fn ten_thousand_properties_are_resolved_in_a_moment() {
        let names: Vec<String> = (0..10_000).map(|n| format!("p{n}")).collect();
        let model = model(names.iter().map(|name| declared(name, "INT")).collect());
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(Device::resolve(&instance(&names), &model).device.properties().len(), 10_000);
    }
}
