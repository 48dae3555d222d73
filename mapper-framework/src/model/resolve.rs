//! Joins a device's manifest with its model, and finds what is wrong with either.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use super::{
    AccessMode, AnomalyRules, Bounds, ConfigData, DataType, Device, DeviceId, IllegalValues, Method, ModelId, Property,
    PushMethod, ReportRules, StateReport, WriteRules, keys::Misfit,
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
    /// What to do about it, where that is known.
    pub(crate) cure: Option<String>,
}

impl Problem {
    /// A problem that the whole device has.
    pub(crate) fn of_device(field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self { property: None, field: field.into(), message: message.to_string(), cure: None }
    }

    /// A problem of one property.
    pub(crate) fn of_property(
        property: impl Into<String>,
        field: impl Into<String>,
        message: impl fmt::Display,
    ) -> Self {
        Self { property: Some(property.into()), field: field.into(), message: message.to_string(), cure: None }
    }

    /// A problem of a key in a property's visitor.
    pub(crate) fn of_visitor(property: &Property, Misfit { key, message, cure }: Misfit) -> Self {
        Self::of_property(property.name(), format!("visitors.configData.{key}"), message).with_cure(cure)
    }

    /// The same with what to do about it.
    #[must_use]
    pub(crate) fn with_cure(self, cure: impl fmt::Display) -> Self {
        Self { cure: Some(cure.to_string()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(property) = &self.property {
            write!(f, "property {property:?}, ")?;
        }
        write!(f, "{}: {}", self.field, self.message)?;
        self.cure.as_ref().map_or(Ok(()), |cure| write!(f, ": {cure}"))
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
                Ok(property) => {
                    problems.extend(anomaly_problems(&property));
                    properties.push(Arc::new(property));
                }
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(properties.iter().flat_map(|property| write_problems(property, &properties)));
        problems.extend(properties.iter().flat_map(|property| report_problems(property)));
        let device = Device {
            id: instance.id.clone(),
            model: instance.model.clone(),
            protocol: instance.protocol.clone(),
            config: instance.config.clone(),
            properties,
            methods: instance.methods.clone(),
            state_report: instance.state_report,
            credentials: Arc::default(),
        };
        Resolved { device, problems }
    }
}

/// What is wrong with the rules by which a property is reported and pushed, which costs these rules only.
fn report_problems(property: &Property) -> Vec<Problem> {
    let misfits = ReportRules::misfits(property).into_iter().chain(IllegalValues::misfits(property));
    misfits.map(|misfit| Problem::of_visitor(property, misfit)).collect()
}

/// What is wrong with the rules by which a property is written, which costs the writes only.
fn write_problems(property: &Property, all: &[Arc<Property>]) -> Vec<Problem> {
    let problem = |misfit| Problem::of_visitor(property, misfit);
    match WriteRules::of(property) {
        Err(misfits) => misfits.into_iter().map(problem).collect(),
        Ok(rules) => rules.interlock.and_then(|interlock| interlock.misfit(all)).map(problem).into_iter().collect(),
    }
}

/// What is wrong with the rules of an anomaly detection, which costs the detection only.
fn anomaly_problems(property: &Property) -> Vec<Problem> {
    let misfits = AnomalyRules::of(property).err().unwrap_or_default().into_iter();
    let problem = |Misfit { key, message, cure }| {
        let field = format!("pushMethod.anomalyDetection.{key}");
        Problem::of_property(property.name(), field, message).with_cure(cure)
    };
    misfits.map(problem).collect()
}

fn missing(property: &InstanceProperty, model: &DeviceModel) -> Problem {
    let message = format!("the device model {} has no such property", model.id);
    Problem::of_property(&property.name, "name", message).with_cure("add it there, or correct the name")
}

/// Joins what the manifest and the model say of one property.
fn join(instance: &InstanceProperty, model: &ModelProperty) -> Result<Property, Problem> {
    let problem = |field: &str, message: &dyn fmt::Display| Problem::of_property(&model.name, field, message);
    let data_type = model.data_type.parse::<DataType>().map_err(|error| problem("type", &error))?;
    let access_mode = access_mode(&model.access_mode)
        .ok_or_else(|| problem("accessMode", &format_args!("unknown access mode {:?}", model.access_mode)))
        .map_err(|problem| problem.with_cure("use ReadOnly or ReadWrite"))?;
    let bounds = Bounds::parse(&model.minimum, &model.maximum, data_type)
        .map_err(|bad| problem(bad.field, &bad.message).with_cure(bad.cure))?;
    let builder = Property::builder(&model.name, data_type)
        .description(&model.description)
        .access_mode(access_mode)
        .unit(&model.unit)
        .collect_cycle(instance.collect_cycle)
        .report_cycle(instance.report_cycle)
        .report_to_cloud(instance.report_to_cloud)
        .desired(&instance.desired)
        .push_methods(instance.push_methods.clone())
        .bounds(bounds);
    Ok(builder.shared_visitor(Arc::clone(&instance.visitor)))
}

/// An absent access mode is the one that can do no harm.
fn access_mode(text: &str) -> Option<AccessMode> {
    match text {
        _ if text.eq_ignore_ascii_case("ReadWrite") => Some(AccessMode::ReadWrite),
        _ if text.is_empty() || text.eq_ignore_ascii_case("ReadOnly") => Some(AccessMode::ReadOnly),
        _ => None,
    }
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
    fn a_wrong_rule_for_writes_or_reports_is_found_and_costs_no_property() {
        let writable = |name: &str| ModelProperty { access_mode: "ReadWrite".into(), ..declared(name, "INT") };
        let found = |key: &str, value: &str| {
            let mut device = instance(&["a", "b"]);
            let visitor = [(key.to_owned(), value.into())].into_iter().collect();
            device.properties[0].visitor = Arc::new(visitor);
            resolve(&device, &model(vec![writable("a"), writable("b")]))
        };
        for (key, value, expected) in [
            ("reportStrategy", "sometimes", "\"sometimes\" is none of always, onChange: write one of them"),
            ("reportIllegal", "replace", "is for STRING and STREAM, and the property is INT: take it out"),
            ("pushStrategy.redis", "often", "\"often\" is none of always, onChange, swingingDoor: write one of them"),
            ("writePolicy", "onchange", "\"onchange\" is none of onChange, enforce, once, never: write one of them"),
            ("writeInterlock", "pump == 1", "pump == 1: the device has no property \"pump\""),
            ("writeInterlock", "b == off", "b == off: \"off\" is not a value of type INT"),
        ] {
            let (left, problem) = found(key, value);
            assert_eq!(left, ["a", "b"]);
            assert!(
                problem.starts_with(&format!("property \"a\", visitors.configData.{key}: {expected}")),
                "{problem}"
            );
        }
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
        assert!(problem.starts_with(r#"property "b", minimum: 5 is greater than the maximum, 1"#), "{problem}");
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
        assert!(left.is_empty() && problem.contains(r#"maximum: "ten" is no number"#), "{problem}");
    }

    #[test]
    fn a_wrong_key_of_the_anomaly_detection_names_itself_and_costs_the_detection_only() {
        let mut instance = instance(&["a"]);
        let data = [("maxSteps".to_owned(), 5.into())].into_iter().collect();
        instance.properties[0].push_methods = vec![PushMethod::AnomalyDetection(data)];
        let (left, problem) = resolve(&instance, &model(vec![declared("a", "INT")]));
        assert_eq!(left, ["a"]);
        assert!(problem.starts_with(r#"property "a", pushMethod.anomalyDetection.maxSteps: unknown key"#), "{problem}");
    }

    #[test]
    fn ten_thousand_properties_are_resolved_in_a_moment() {
        let names: Vec<String> = (0..10_000).map(|n| format!("p{n}")).collect();
        let model = model(names.iter().map(|name| declared(name, "INT")).collect());
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(Device::resolve(&instance(&names), &model).device.properties().len(), 10_000);
    }
}
