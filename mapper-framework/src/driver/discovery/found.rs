//! A device that a search has found.

use serde::Serialize;
use serde_json::Value;

use crate::model::{ConfigData, Method, Property};

/// A device that a search has found, as its manifests will have it.
///
/// Names may be any text, such as what the device calls itself: they are made legal, and different from each other. What does not fit the
/// driver's own types is left out when the manifests are printed, with a warning. A password, a token or a key has no place here.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    name: String,
    model: Option<String>,
    description: String,
    config: ConfigData,
    properties: Vec<Property>,
    methods: Vec<Method>,
    /// What cannot be written in a manifest.
    faults: Vec<String>,
}

impl Found {
    /// A device of this name, without a config and without properties.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            model: None,
            description: String::new(),
            config: ConfigData::new(),
            properties: Vec::new(),
            methods: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Names the DeviceModel, such as by the product; by default it is called as its first device is. Devices that have the same properties
    /// share one model in any case.
    #[must_use]
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.model = Some(name.into());
        self
    }

    /// Says in a sentence what it is; it stands as a comment above the device.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets `spec.protocol.configData`: the driver's own type, a map, or `serde_json::json!({…})`. Its values are texts, numbers and
    /// switches, since edgecore sends nothing else; a key without a value is left out.
    #[must_use]
    pub fn config(mut self, config: impl Serialize) -> Self {
        match flat(config) {
            Ok(config) => self.config = config,
            Err(fault) => self.faults.push(format!("its config {fault}")),
        }
        self
    }

    /// Adds a property: its name, type, access mode, bounds, unit and description, and its visitor, which is `visitors.configData`, as for
    /// [`config`](Self::config). Its cycles and its pushes are left to the user.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "whoever adds a property has just made it")]
    pub fn property<V: Serialize>(mut self, property: Property<V>) -> Self {
        match flat(property.visitor()) {
            Ok(visitor) => self.properties.push(property.with_visitor(visitor)),
            Err(fault) => self.faults.push(format!("the visitor of its property {:?} {fault}", property.name())),
        }
        self
    }

    /// Adds a method with a sentence about it, which can be called on these properties, named as they were [added](Self::property).
    #[must_use]
    pub fn method(mut self, name: &str, description: &str, property_names: &[&str]) -> Self {
        let property_names = property_names.iter().map(|&name| name.to_owned()).collect();
        self.methods.push(Method { name: name.to_owned(), description: description.to_owned(), property_names });
        self
    }

    /// What the device is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its model is called, if that was said.
    pub fn get_model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// What it is.
    pub fn get_description(&self) -> &str {
        &self.description
    }

    /// `spec.protocol.configData`
    pub fn get_config(&self) -> &ConfigData {
        &self.config
    }

    /// The properties, in the order in which they were added.
    pub fn properties(&self) -> &[Property] {
        &self.properties
    }

    /// The methods, in the order in which they were added.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// What of it cannot be written in a manifest, and is left out.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

/// A flat map of scalars.
fn flat(data: impl Serialize) -> Result<ConfigData, String> {
    let mut data = match serde_json::to_value(data) {
        Ok(Value::Object(data)) => data,
        Ok(Value::Null) => ConfigData::new(),
        Ok(_) => return Err("is no mapping of keys to values".to_owned()),
        Err(error) => return Err(format!("cannot be written: {error}")),
    };
    data.retain(|_, value| !value.is_null());
    match data.iter().find(|(_, value)| value.is_array() || value.is_object()) {
        Some((key, _)) => Err(format!("has a list or a mapping at `{key}`, and edgecore sends none: write text")),
        None => Ok(data),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::DataType;

    #[test]
    fn keys_without_a_value_are_left_out_and_what_cannot_be_written_is_a_fault() {
        let level = |visitor| Property::builder("level", DataType::Int).visitor(visitor);
        let found = Found::new("tank")
            .config(json!({"host": "plc", "port": null}))
            .property(level(json!({"register": 7})))
            .property(level(json!({"registers": [7]})))
            .property(level(json!(7)));
        assert_eq!(found.get_config().keys().collect::<Vec<_>>(), ["host"]);
        assert_eq!(found.properties().len(), 1);
        assert_eq!(
            found.faults(),
            [
                r#"the visitor of its property "level" has a list or a mapping at `registers`, and edgecore sends none: write text"#,
                r#"the visitor of its property "level" is no mapping of keys to values"#
            ]
        );
        assert!(Found::new("tank").config(()).faults().is_empty());
    }
}
