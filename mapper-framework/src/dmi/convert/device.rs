//! Devices and device models.

use std::time::Duration;

use crate::{
    dmi::generated as pb,
    model::{
        ConfigData, DeviceId, DeviceInstance, DeviceModel, InstanceProperty, Method, ModelId, ModelProperty, Problem,
        StateReport,
    },
};

use super::{
    Invalid, Unreadable, from_config_data,
    push::{from_push_methods, to_push_methods},
    to_config_data,
};

/// The time between two state reports of a device that names none.
const DEFAULT_STATE_CYCLE: Duration = Duration::from_secs(1);

/// Reads a device.
///
/// # Errors
///
/// It has no name, no spec, or names no model.
pub(crate) fn instance(device: Option<pb::Device>) -> Result<DeviceInstance, Invalid> {
    let device = device.ok_or_else(|| Invalid("device: is absent".to_owned()))?;
    if device.name.is_empty() {
        return Err(Invalid("device.name: is empty".to_owned()));
    }
    let id = DeviceId::new(&device.namespace, &device.name);
    let spec = device.spec.ok_or_else(|| Invalid(format!("device {id}: spec: is absent")))?;
    if spec.device_model_reference.is_empty() {
        return Err(Invalid(format!("device {id}: spec.deviceModelReference: is empty: name the device's model")));
    }
    let mut problems = Vec::new();
    let protocol = spec.protocol.unwrap_or_default();
    let config = to_config_data(protocol.config_data, |key, Unreadable { message, cure }| {
        problems.push(Problem::of_device(format!("protocol.configData.{key}"), message).with_cure(cure));
    });
    // Not collected: that would keep the message's vector, whose elements are six times as large.
    let mut properties = Vec::with_capacity(spec.properties.len());
    properties.extend(spec.properties.into_iter().filter_map(|it| property(it, &mut problems)));
    Ok(DeviceInstance {
        model: ModelId::new(&device.namespace, &spec.device_model_reference),
        protocol: protocol.protocol_name,
        config,
        properties,
        methods: spec.methods.into_iter().map(method).collect(),
        state_report: state_report(device.status.as_ref()),
        problems,
        id,
    })
}

/// Reads a property. One whose visitor or cycles are wrong would be read wrongly, so it is left out.
fn property(property: pb::DeviceProperty, problems: &mut Vec<Problem>) -> Option<InstanceProperty> {
    let name = property.name;
    if name.is_empty() {
        problems.push(Problem::of_device("properties.name", "is empty: the property is left out").with_cure("name it"));
        return None;
    }
    let known = problems.len();
    let mut problem = |field: &str, Unreadable { message, cure }: Unreadable| {
        problems.push(Problem::of_property(&name, field, message).with_cure(cure));
    };
    let visitor = property.visitors.and_then(|visitors| visitors.config_data);
    let visitor = to_config_data(visitor, |key, wrong| problem(&format!("visitors.configData.{key}"), wrong));
    let collect_cycle = cycle(property.collect_cycle, "collectCycle", &mut problem);
    let report_cycle = cycle(property.report_cycle, "reportCycle", &mut problem);
    if problems.len() > known {
        return None;
    }
    // A push method that is wrong costs that push method: the property is still collected.
    let mut problem = |field: &str, Unreadable { message, cure }: Unreadable| {
        problems.push(Problem::of_property(&name, format!("pushMethod.{field}"), message).with_cure(cure));
    };
    let push_methods = property.push_method.map(|push| to_push_methods(push, &mut problem)).unwrap_or_default();
    Some(InstanceProperty {
        desired: property.desired.unwrap_or_default().value,
        visitor: visitor.into(),
        collect_cycle,
        report_cycle,
        report_to_cloud: property.report_to_cloud,
        push_methods,
        name,
    })
}

fn cycle(millis: i64, field: &str, problem: &mut impl FnMut(&str, Unreadable)) -> Duration {
    match u64::try_from(millis) {
        Ok(millis) => Duration::from_millis(millis),
        Err(_) => {
            let message = format!("{millis} ms is negative");
            problem(field, Unreadable::new(message, "use 0 for the default of 1000 ms"));
            Duration::ZERO
        }
    }
}

fn method(method: pb::DeviceMethod) -> Method {
    Method { name: method.name, description: method.description, property_names: method.property_names }
}

fn state_report(status: Option<&pb::DeviceStatus>) -> Option<StateReport> {
    let status = status.filter(|status| status.report_to_cloud)?;
    let cycle = u64::try_from(status.report_cycle).unwrap_or(0);
    let cycle = if cycle == 0 { DEFAULT_STATE_CYCLE } else { Duration::from_millis(cycle) };
    Some(StateReport { cycle })
}

/// Reads a device model.
///
/// # Errors
///
/// It has no name.
pub(crate) fn model(model: Option<pb::DeviceModel>) -> Result<DeviceModel, Invalid> {
    let model = model.ok_or_else(|| Invalid("model: is absent".to_owned()))?;
    if model.name.is_empty() {
        return Err(Invalid("model.name: is empty".to_owned()));
    }
    let properties = model.spec.unwrap_or_default().properties.into_iter().map(model_property).collect();
    Ok(DeviceModel { id: ModelId::new(&model.namespace, &model.name), properties })
}

fn model_property(property: pb::ModelProperty) -> ModelProperty {
    ModelProperty {
        name: property.name,
        description: property.description,
        data_type: property.r#type,
        access_mode: property.access_mode,
        minimum: property.minimum,
        maximum: property.maximum,
        unit: property.unit,
    }
}

/// Writes a device as it was read.
pub(crate) fn device(instance: &DeviceInstance) -> pb::Device {
    let millis = |cycle: Duration| i64::try_from(cycle.as_millis()).unwrap_or(i64::MAX);
    let properties = instance.properties.iter().map(|property| pb::DeviceProperty {
        name: property.name.clone(),
        desired: Some(pb::TwinProperty { value: property.desired.clone(), ..Default::default() }),
        visitors: Some(pb::VisitorConfig {
            protocol_name: instance.protocol.clone(),
            config_data: custom(&property.visitor),
        }),
        report_cycle: millis(property.report_cycle),
        collect_cycle: millis(property.collect_cycle),
        report_to_cloud: property.report_to_cloud,
        push_method: from_push_methods(&property.push_methods),
    });
    let methods = instance.methods.iter().cloned().map(|method| pb::DeviceMethod {
        name: method.name,
        description: method.description,
        property_names: method.property_names,
    });
    pb::Device {
        name: instance.id.name().to_owned(),
        namespace: instance.id.namespace().to_owned(),
        spec: Some(pb::DeviceSpec {
            device_model_reference: instance.model.name().to_owned(),
            protocol: Some(pb::ProtocolConfig {
                protocol_name: instance.protocol.clone(),
                config_data: custom(&instance.config),
            }),
            properties: properties.collect(),
            methods: methods.collect(),
        }),
        status: instance.state_report.map(|report| pb::DeviceStatus {
            report_to_cloud: true,
            report_cycle: millis(report.cycle),
            ..Default::default()
        }),
    }
}

fn custom(config: &ConfigData) -> Option<pb::CustomizedValue> {
    // Only scalars are ever read, so there is nothing that could not be written.
    from_config_data(config).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device_with(properties: Vec<pb::DeviceProperty>) -> pb::Device {
        pb::Device {
            name: "boiler".into(),
            spec: Some(pb::DeviceSpec { device_model_reference: "m".into(), properties, ..Default::default() }),
            ..Default::default()
        }
    }

    fn refusal(device: pb::Device) -> String {
        instance(Some(device)).expect_err("the device is refused").to_string()
    }

    #[test]
    fn a_bare_device_is_read() {
        let property = pb::DeviceProperty { name: "level".into(), ..Default::default() };
        let instance = instance(Some(device_with(vec![property]))).expect("everything else may be absent");
        assert_eq!(instance.id, DeviceId::new("default", "boiler"));
        assert_eq!((instance.properties.len(), instance.problems.len()), (1, 0));
        assert!(instance.config.is_empty() && instance.state_report.is_none());
    }

    #[test]
    fn a_device_that_leaves_nothing_to_work_with_is_refused_by_field() {
        assert_eq!(instance(None).unwrap_err().to_string(), "device: is absent");
        assert_eq!(refusal(pb::Device::default()), "device.name: is empty");
        assert_eq!(refusal(pb::Device { spec: None, ..device_with(vec![]) }), "device default/boiler: spec: is absent");
        let mut nameless = device_with(vec![]);
        nameless.spec = Some(pb::DeviceSpec::default());
        assert!(refusal(nameless).starts_with("device default/boiler: spec.deviceModelReference"));
    }

    #[test]
    fn a_negative_cycle_costs_one_property() {
        let wrong = pb::DeviceProperty { name: "a".into(), collect_cycle: -5, ..Default::default() };
        let good = pb::DeviceProperty { name: "b".into(), ..Default::default() };
        let nameless = pb::DeviceProperty::default();
        let instance = instance(Some(device_with(vec![wrong, nameless, good]))).expect("the device is good");
        assert_eq!(instance.properties.len(), 1);
        let problems: Vec<_> = instance.problems.iter().map(ToString::to_string).collect();
        assert!(problems[0].starts_with(r#"property "a", collectCycle: -5 ms is negative"#), "{problems:?}");
        assert!(problems[1].starts_with("properties.name: is empty"), "{problems:?}");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let property = pb::DeviceProperty {
            name: "level".into(),
            desired: Some(pb::TwinProperty { value: "5".into(), ..Default::default() }),
            collect_cycle: 250,
            report_cycle: 500,
            report_to_cloud: true,
            ..Default::default()
        };
        let mut device = device_with(vec![property]);
        device.status = Some(pb::DeviceStatus { report_to_cloud: true, report_cycle: 2000, ..Default::default() });
        let read = instance(Some(device)).expect("the device is good");
        assert_eq!(instance(Some(super::device(&read))).expect("it still is"), read);
    }
}
