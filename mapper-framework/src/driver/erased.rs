//! The private, dyn-compatible mirror of the contract, so that the runtime is compiled once and not anew for each driver.

use std::{any::Any, marker::PhantomData, sync::Arc};

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::model::{ConfigData, Device, DeviceState, Method, Problem, Property, Reading, Value};

use super::{Driver, DriverError, Session};

/// A `Property<V>` with the driver's own `V`.
pub(crate) type ErasedProperty = Arc<dyn Any + Send + Sync>;

/// A [`Driver`] of any types.
#[async_trait]
pub(crate) trait ErasedDriver: Send + Sync {
    /// Reads the device's config, to know whether it fits.
    fn check_config(&self, device: &Device) -> Result<(), Problem>;
    /// Reads a property's visitor.
    fn bind(&self, property: &Property) -> Result<ErasedProperty, Problem>;
    /// The keys of the device's config that the driver's type passes over. None where it does not fit.
    fn unread_config(&self, device: &Device) -> Vec<String>;
    /// The keys of a property's visitor that the driver's type passes over. None where it does not fit.
    fn unread_visitor(&self, property: &Property) -> Vec<String>;
    async fn connect(&self, device: &Device) -> Result<Box<dyn ErasedSession>, DriverError>;
}

/// A [`Session`] of any types. The properties must come from `bind` of the driver that made it.
#[async_trait]
pub(crate) trait ErasedSession: Send {
    async fn read_many(&mut self, properties: &[ErasedProperty]) -> Vec<Result<Value, DriverError>>;
    async fn write(&mut self, property: &ErasedProperty, value: &Value) -> Result<(), DriverError>;
    async fn call(&mut self, method: &Method, property: &ErasedProperty, value: &Value) -> Result<(), DriverError>;
    async fn state(&mut self) -> Result<DeviceState, DriverError>;
    async fn changed(&mut self) -> Result<Vec<Reading>, DriverError>;
    async fn close(self: Box<Self>);
}

/// Hides a driver's types.
pub(crate) fn erase<D: Driver>(driver: D) -> Arc<dyn ErasedDriver> {
    Arc::new(Typed(driver))
}

struct Typed<D>(D);

#[async_trait]
impl<D: Driver> ErasedDriver for Typed<D> {
    fn check_config(&self, device: &Device) -> Result<(), Problem> {
        parse::<D::Config>(device.config())
            .map(drop)
            .map_err(|Misfit { path, message }| Problem::of_device(join("protocol.configData", &path), message))
    }

    fn bind(&self, property: &Property) -> Result<ErasedProperty, Problem> {
        let problem = |path: &str, message: &dyn std::fmt::Display| {
            Problem::of_property(property.name(), join("visitors.configData", path), message)
        };
        let visitor = parse(property.visitor()).map_err(|Misfit { path, message }| problem(&path, &message))?;
        let property = property.with_visitor(visitor);
        D::Session::check(&property).map_err(|error| problem("", &error))?;
        Ok(Arc::new(property))
    }

    fn unread_config(&self, device: &Device) -> Vec<String> {
        unread::<D::Config>(device.config())
    }

    fn unread_visitor(&self, property: &Property) -> Vec<String> {
        unread::<<D::Session as Session>::Visitor>(property.visitor())
    }

    async fn connect(&self, device: &Device) -> Result<Box<dyn ErasedSession>, DriverError> {
        let config = parse(device.config()).map_err(|misfit| DriverError::refused(misfit.message))?;
        let session = self.0.connect(device, config).await?;
        Ok(Box::new(TypedSession { session, visitor: PhantomData }))
    }
}

struct TypedSession<S: Session> {
    session: S,
    visitor: PhantomData<fn() -> S::Visitor>,
}

impl<S: Session> TypedSession<S> {
    fn typed(property: &ErasedProperty) -> &Property<S::Visitor> {
        property.downcast_ref().expect("properties are bound by the driver that made the session")
    }
}

#[async_trait]
impl<S: Session> ErasedSession for TypedSession<S> {
    async fn read_many(&mut self, properties: &[ErasedProperty]) -> Vec<Result<Value, DriverError>> {
        let properties: Vec<_> = properties.iter().map(Self::typed).collect();
        self.session.read_many(&properties).await
    }

    async fn write(&mut self, property: &ErasedProperty, value: &Value) -> Result<(), DriverError> {
        self.session.write(Self::typed(property), value).await
    }

    async fn call(&mut self, method: &Method, property: &ErasedProperty, value: &Value) -> Result<(), DriverError> {
        self.session.call(method, Self::typed(property), value).await
    }

    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        self.session.state().await
    }

    async fn changed(&mut self) -> Result<Vec<Reading>, DriverError> {
        self.session.changed().await
    }

    async fn close(self: Box<Self>) {
        self.session.close().await;
    }
}

/// Why `configData` is not of the driver's type.
struct Misfit {
    /// The key, or empty where it is not known.
    path: String,
    message: String,
}

fn parse<T: DeserializeOwned>(data: &ConfigData) -> Result<T, Misfit> {
    // An absent config reads as unit or as a struct of defaults, whichever the driver has.
    if data.is_empty()
        && let Ok(unit) = serde_json::from_value(serde_json::Value::Null)
    {
        return Ok(unit);
    }
    serde_path_to_error::deserialize(data.clone())
        .map_err(|error| Misfit { path: error.path().to_string(), message: with_cure(&error.inner().to_string()) })
}

/// The keys that a type passes over. One that takes whatever comes, by `#[serde(flatten)]` or a tag, passes over none.
fn unread<T: DeserializeOwned>(data: &ConfigData) -> Vec<String> {
    let mut keys = Vec::new();
    let read = serde_ignored::deserialize::<_, _, T>(data.clone(), |path| keys.push(path.to_string()));
    read.map(|_| keys).unwrap_or_default()
}

fn with_cure(message: &str) -> String {
    let cure = if message.starts_with("missing field") { "add it to" } else { "correct it in" };
    format!("{message}: {cure} the device's manifest")
}

fn join(field: &str, path: &str) -> String {
    if path.is_empty() || path == "." { field.to_owned() } else { format!("{field}.{path}") }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::model::DataType;

    struct Plain;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Visitor {
        register: u16,
    }

    impl Driver for Plain {
        type Config = ();
        type Session = Plain;
        async fn connect(&self, _: &Device, (): ()) -> Result<Plain, DriverError> {
            Ok(Plain)
        }
    }

    impl Session for Plain {
        type Visitor = Visitor;
        async fn read(&mut self, _: &Property<Visitor>) -> Result<Value, DriverError> {
            Ok(1.into())
        }
    }

    fn property(visitor: &serde_json::Value) -> Property {
        let visitor = visitor.as_object().expect("an object").clone();
        Property::builder("level", DataType::Int).visitor(visitor)
    }

    #[test]
    fn a_visitor_of_the_wrong_type_names_property_and_field() {
        let problem = erase(Plain).bind(&property(&json!({"register": "seven"}))).unwrap_err();
        assert_eq!(
            problem.to_string(),
            r#"property "level", visitors.configData.register: invalid type: string "seven", expected u16: correct it in the device's manifest"#
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        let problem = erase(Plain).bind(&property(&json!({}))).unwrap_err();
        let expected =
            r#"property "level", visitors.configData: missing field `register`: add it to the device's manifest"#;
        assert_eq!(problem.to_string(), expected);
    }

    #[test]
    fn a_key_that_the_type_passes_over_is_told_where_the_rest_fits() {
        assert_eq!(erase(Plain).unread_visitor(&property(&json!({"register": 7, "regster": 8}))), ["regster"]);
        assert_eq!(erase(Plain).unread_visitor(&property(&json!({"regster": 8}))), Vec::<String>::new());
    }

    #[test]
    fn a_visitor_that_fits_is_bound() {
        assert!(erase(Plain).bind(&property(&json!({"register": 7}))).is_ok());
    }
}
