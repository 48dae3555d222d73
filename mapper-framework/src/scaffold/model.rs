//! The model that something is made of.

use std::{fs, path::Path, sync::Arc};

use super::{ScaffoldError, names};
use crate::{
    manifest,
    model::{
        ConfigData, DataType, Device, DeviceId, DeviceInstance, DeviceModel, InstanceProperty, ModelId, Problem,
        Property, Resolved, Value,
    },
    twin,
};

/// A model of which each property can be served.
pub(super) struct Model {
    pub(super) id: ModelId,
    /// Empty where the model names none.
    pub(super) protocol: String,
    pub(super) points: Vec<Point>,
}

/// A property, and what the code calls it.
pub(super) struct Point {
    pub(super) variant: String,
    pub(super) property: Arc<Property>,
}

impl Model {
    /// Reads the only model of a file.
    pub(super) fn read(file: &Path) -> Result<Self, ScaffoldError> {
        let read = fs::read_to_string(file);
        let text = read.map_err(|source| ScaffoldError::Read { file: file.to_owned(), source })?;
        let mut models = manifest::models(&text, file)?;
        let file = file.to_owned();
        if models.len() > 1 {
            return Err(ScaffoldError::SeveralModels { file, ids: models.into_iter().map(|(_, it)| it.id).collect() });
        }
        let Some((protocol, model)) = models.pop() else { return Err(ScaffoldError::NoModel { file }) };
        let Resolved { device, mut problems } = Device::resolve(&device_of(&model), &model);
        problems.extend(device.properties().filter_map(|property| check(property).err()));
        let id = model.id;
        if !problems.is_empty() {
            return Err(ScaffoldError::Wrong { file, id, problems });
        }
        if device.properties.is_empty() {
            return Err(ScaffoldError::NoProperties { file, id });
        }
        let variants = names::variants(device.properties().map(Property::name));
        let points = variants.into_iter().zip(device.properties);
        let points = points.map(|(variant, property)| Point { variant, property }).collect();
        Ok(Self { id, protocol, points })
    }
}

/// A device with all properties of a model: joining the two shows what is wrong with the model.
fn device_of(model: &DeviceModel) -> DeviceInstance {
    let properties = model.properties.iter().map(|it| InstanceProperty { name: it.name.clone(), ..Default::default() });
    DeviceInstance {
        id: DeviceId::new(model.id.namespace(), model.id.name()),
        model: model.id.clone(),
        protocol: String::new(),
        config: ConfigData::new(),
        properties: properties.collect(),
        methods: Vec::new(),
        state_report: None,
        problems: Vec::new(),
    }
}

/// Checks that edgecore stores the property's twin, and that the property can have a value at all.
fn check(property: &Property) -> Result<(), Problem> {
    let (name, data_type) = (property.name(), property.data_type());
    twin::check_name(name)
        .map_err(|illegal| Problem::of_property(name, "name", illegal.message()).with_cure(illegal.cure()))?;
    let fits = Value::parse(&example(property), data_type).is_ok_and(|value| property.check_bounds(&value).is_ok());
    let narrow = || format!("no {data_type} lies between minimum and maximum");
    if fits { Ok(()) } else { Err(Problem::of_property(name, "minimum", narrow()).with_cure("widen them")) }
}

/// A value that the property may have, as it is written to `desired`: the middle of its bounds, if it has some.
pub(super) fn example(property: &Property) -> String {
    let [minimum, maximum] = [property.minimum(), property.maximum()].map(|bound| bound.and_then(Value::decimal));
    let low = minimum.unwrap_or(maximum.map_or(0.0, |maximum| maximum - 100.0));
    let high = maximum.unwrap_or(low + 100.0);
    let middle = low / 2.0 + high / 2.0;
    match property.data_type() {
        DataType::Int => (middle.round() as i64).to_string(),
        DataType::Float => (middle as f32).to_string(),
        DataType::Double => middle.to_string(),
        DataType::Boolean => true.to_string(),
        DataType::String | DataType::Stream => "text".to_owned(),
        DataType::Bytes => Value::from(vec![0, 1]).to_string(),
    }
}
