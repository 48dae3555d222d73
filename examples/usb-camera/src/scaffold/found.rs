//! A camera as a search has found it.

use mapper_framework::{
    AccessMode, DataType, Found, Property,
    model::{ConfigData, PropertyBuilder},
};
use serde_json::json;

use super::{
    Camera,
    yaml::{ALWAYS, METHODS, data_type, description},
};
use crate::v4l2::{Control, ControlKind, Range};

/// The camera with all of its settings.
pub(super) fn found(camera: &Camera) -> Found {
    let Camera { identity, device, format, size: (width, height), rate, controls } = camera;
    let config = json!({
        "source": "v4l2", "device": device, "format": format.to_string(), "width": width, "height": height, "frameRate": rate,
    });
    let found = Found::new(&identity.card).model(&identity.card).config(config);
    let always = ALWAYS.map(|(name, description, data_type, keys)| {
        let data_type = data_type.parse().unwrap_or(DataType::String);
        Property::builder(name, data_type).description(description).visitor(visitor(keys))
    });
    let found = always.into_iter().fold(found, Found::property);
    let rate = Property::builder("Framerate", DataType::Double)
        .description("How many frames are asked for; it shows how many are granted")
        .access_mode(AccessMode::ReadWrite)
        .visitor(visitor("control: Framerate"));
    let found = controls.iter().map(|(name, it)| setting(name, it)).fold(found.property(rate), Found::property);
    METHODS.iter().fold(found, |found, (name, description)| found.method(name, description, &[]))
}

fn setting(name: &str, control: &Control) -> Property {
    let access = if control.writable { AccessMode::ReadWrite } else { AccessMode::ReadOnly };
    let data_type = data_type(control).parse().unwrap_or(DataType::String);
    let property = Property::builder(name, data_type).description(&description(control)).access_mode(access);
    let mut keys = ConfigData::new();
    keys.insert("control".to_owned(), name.into());
    if control.kind == ControlKind::Button {
        keys.insert("writePolicy".to_owned(), "once".into());
    }
    bounded(property, control).visitor(keys)
}

fn bounded(property: PropertyBuilder, control: &Control) -> PropertyBuilder {
    match control.range {
        Some(Range { minimum, maximum, .. }) if control.kind == ControlKind::Integer => {
            property.minimum(f64::from(minimum)).maximum(f64::from(maximum))
        }
        _ => property,
    }
}

/// The keys of a visitor, one on each line.
fn visitor(keys: &str) -> ConfigData {
    let pairs = keys.lines().filter_map(|line| line.trim().split_once(": "));
    pairs.map(|(key, value)| (key.to_owned(), value.into())).collect()
}
