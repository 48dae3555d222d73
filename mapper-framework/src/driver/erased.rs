//! The private, dyn-compatible mirror of the contract, so that the runtime is compiled once and not anew for each driver.

use std::{any::Any, marker::PhantomData, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::{
    model::{CREDENTIALS_KEY, ConfigData, Device, DeviceState, Method, Problem, Property, Value},
    typed::{self, Misfit},
};

use super::{
    Call, Change, Deadline, Discovery, Driver, DriverError, FrameSender, Reads, Results, Review, Session, Subscriptions,
};

/// A `Property<V>` with the driver's own `V`.
pub(crate) type ErasedProperty = Arc<dyn Any + Send + Sync>;

/// A [`Driver`] of any types.
#[async_trait]
pub(crate) trait ErasedDriver: Send + Sync {
    /// Reads the device's config, to know whether it fits. Gives all of its keys that do not.
    fn check_config(&self, device: &Device) -> Result<(), Vec<Problem>>;
    /// Reads a property's visitor. Gives all of its keys that do not fit.
    fn bind(&self, property: &Property) -> Result<ErasedProperty, Vec<Problem>>;
    /// The keys of the device's config that the driver's type passes over, whether or not the others fit.
    fn unread_config(&self, device: &Device) -> Vec<String>;
    /// The keys of a property's visitor that the driver's type passes over, whether or not the others fit.
    fn unread_visitor(&self, property: &Property) -> Vec<String>;
    /// What the driver says of a property; nothing where its config or its visitor does not fit.
    fn review(&self, device: &Device, property: &Property) -> Review;
    fn longest_wait(&self, device: &Device) -> Option<Duration>;
    async fn connect(&self, device: &Device) -> Result<Box<dyn ErasedSession>, DriverError>;
    /// The arguments of `discover` with their meanings; empty where the driver does not list them.
    fn discover_args(&self) -> &'static [(&'static str, &'static str)];
    async fn discover(&self, discovery: &Discovery) -> Result<(), DriverError>;
}

/// A [`Session`] of any types. The properties must come from `bind` of the driver that made it.
#[async_trait]
pub(crate) trait ErasedSession: Send {
    async fn subscribe(&mut self, properties: &[ErasedProperty]) -> Result<Subscriptions, DriverError>;
    /// Puts into `results` what is read of each property. The deadline is moved on where each has one of its own.
    async fn read_many(
        &mut self,
        properties: &[ErasedProperty],
        results: &mut Results,
        deadline: &Deadline,
    ) -> Result<(), DriverError>;
    async fn write(&mut self, property: &ErasedProperty, value: &Value) -> Result<(), DriverError>;
    async fn call(
        &mut self,
        method: &Method,
        arguments: Vec<(ErasedProperty, Value)>,
    ) -> Result<Vec<Value>, DriverError>;
    async fn state(&mut self) -> Result<DeviceState, DriverError>;
    async fn changed(&mut self) -> Result<Vec<Change>, DriverError>;
    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError>;
    async fn close(self: Box<Self>);
}

/// Hides a driver's types.
pub(crate) fn erase<D: Driver>(driver: D) -> Arc<dyn ErasedDriver> {
    Arc::new(Typed(driver))
}

struct Typed<D>(D);

#[async_trait]
impl<D: Driver> ErasedDriver for Typed<D> {
    fn check_config(&self, device: &Device) -> Result<(), Vec<Problem>> {
        let problem = |misfit| problem(misfit, "protocol.configData", Problem::of_device);
        parse_config::<D::Config>(device.config())
            .map(drop)
            .map_err(|misfits| misfits.into_iter().map(problem).collect())
    }

    fn bind(&self, property: &Property) -> Result<ErasedProperty, Vec<Problem>> {
        const FIELD: &str = "visitors.configData";
        let of_property = |field: String, message: String| Problem::of_property(property.name(), field, message);
        let visitor = parse(&property.drivers_visitor()).map_err(|misfits| {
            misfits.into_iter().map(|misfit| problem(misfit, FIELD, of_property)).collect::<Vec<_>>()
        })?;
        let property = property.with_visitor(visitor);
        D::Session::check(&property).map_err(|error| vec![of_property(FIELD.to_owned(), error.to_string())])?;
        Ok(Arc::new(property))
    }

    fn unread_config(&self, device: &Device) -> Vec<String> {
        let mut keys = typed::unread_keys::<D::Config>(device.config());
        keys.retain(|key| key != CREDENTIALS_KEY);
        keys
    }

    fn unread_visitor(&self, property: &Property) -> Vec<String> {
        typed::unread_keys::<<D::Session as Session>::Visitor>(&property.drivers_visitor())
    }

    fn review(&self, device: &Device, property: &Property) -> Review {
        let (Ok(config), Ok(visitor)) = (parse_config(device.config()), parse(&property.drivers_visitor())) else {
            return Review::new();
        };
        self.0.review(device, &config, &property.with_visitor(visitor))
    }

    fn longest_wait(&self, device: &Device) -> Option<Duration> {
        parse_config(device.config()).ok().and_then(|config| D::longest_wait(&config))
    }

    async fn connect(&self, device: &Device) -> Result<Box<dyn ErasedSession>, DriverError> {
        let config = parse_config(device.config()).map_err(|misfits| {
            let messages: Vec<_> = misfits.into_iter().map(|misfit| misfit.message).collect();
            DriverError::refused(messages.join("; "))
        })?;
        let session = self.0.connect(device, config).await?;
        Ok(Box::new(TypedSession { session, visitor: PhantomData }))
    }

    fn discover_args(&self) -> &'static [(&'static str, &'static str)] {
        D::DISCOVER_ARGS
    }

    async fn discover(&self, discovery: &Discovery) -> Result<(), DriverError> {
        self.0.discover(discovery).await
    }
}

struct TypedSession<S: Session> {
    session: S,
    visitor: PhantomData<fn() -> S::Visitor>,
}

impl<S: Session> TypedSession<S> {
    fn typed(property: &ErasedProperty) -> Arc<Property<S::Visitor>> {
        Arc::clone(property).downcast().expect("properties are bound by the driver that made the session")
    }

    fn all_typed(properties: &[ErasedProperty]) -> Vec<Arc<Property<S::Visitor>>> {
        properties.iter().map(Self::typed).collect()
    }
}

#[async_trait]
impl<S: Session> ErasedSession for TypedSession<S> {
    async fn subscribe(&mut self, properties: &[ErasedProperty]) -> Result<Subscriptions, DriverError> {
        self.session.subscribe(&Self::all_typed(properties)).await
    }

    async fn read_many(
        &mut self,
        properties: &[ErasedProperty],
        results: &mut Results,
        deadline: &Deadline,
    ) -> Result<(), DriverError> {
        let properties = Self::all_typed(properties);
        self.session.read_many(&mut Reads::new(&properties, results, deadline)).await
    }

    async fn write(&mut self, property: &ErasedProperty, value: &Value) -> Result<(), DriverError> {
        self.session.write(&Self::typed(property), value).await
    }

    async fn call(
        &mut self,
        method: &Method,
        arguments: Vec<(ErasedProperty, Value)>,
    ) -> Result<Vec<Value>, DriverError> {
        let typed = arguments.into_iter().map(|(property, value)| (Self::typed(&property), value));
        let arguments: Vec<_> = typed.collect();
        self.session.call(&Call::new(method, &arguments)).await
    }

    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        self.session.state().await
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        self.session.changed().await
    }

    async fn stream(&mut self, frames: FrameSender) -> Result<(), DriverError> {
        self.session.stream(frames).await
    }

    async fn close(self: Box<Self>) {
        self.session.close().await;
    }
}

/// Reads a device's config. The key of its credentials is the framework's: a driver's type need not know it, though it may.
fn parse_config<T: DeserializeOwned>(data: &ConfigData) -> Result<T, Vec<Misfit>> {
    parse(data).or_else(|misfits| {
        let mut others = data.clone();
        if others.remove(CREDENTIALS_KEY).is_none() {
            return Err(misfits);
        }
        // Whichever way it is not meant, the key is one misfit more.
        parse(&others).map_err(|without| if without.len() < misfits.len() { without } else { misfits })
    })
}

fn parse<T: DeserializeOwned>(data: &ConfigData) -> Result<T, Vec<Misfit>> {
    // An absent config reads as unit or as a struct of defaults, whichever the driver has.
    if data.is_empty()
        && let Ok(unit) = serde_json::from_value(serde_json::Value::Null)
    {
        return Ok(unit);
    }
    // Official samples quote ports: a number may be written as text.
    typed::read_keys(data)
}

/// What does not fit in a field, as a problem with its cure.
fn problem(misfit: Misfit, field: &str, problem: impl Fn(String, String) -> Problem) -> Problem {
    let Misfit { path, message, is_missing } = misfit;
    let cure = if is_missing { "add it to the device's manifest" } else { "correct it in the device's manifest" };
    let field = if path.is_empty() { field.to_owned() } else { format!("{field}.{path}") };
    problem(field, message).with_cure(cure)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::model::{DataType, Reading};

    struct Plain;

    /// A driver that takes no key that it does not know.
    struct Strict;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct StrictVisitor {
        register: u16,
    }

    impl Driver for Strict {
        type Config = ();
        type Session = Strict;
        async fn connect(&self, _: &Device, (): ()) -> Result<Strict, DriverError> {
            Ok(Strict)
        }
    }

    impl Session for Strict {
        type Visitor = StrictVisitor;
        async fn read(&mut self, _: &Property<StrictVisitor>) -> Result<Reading, DriverError> {
            Ok(1.into())
        }
    }

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
        async fn read(&mut self, _: &Property<Visitor>) -> Result<Reading, DriverError> {
            Ok(1.into())
        }
    }

    fn property(visitor: &serde_json::Value) -> Property {
        let visitor = visitor.as_object().expect("an object").clone();
        Property::builder("level", DataType::Int).visitor(visitor)
    }

    #[test]
    fn a_visitor_of_the_wrong_type_names_property_and_field() {
        let problems = erase(Plain).bind(&property(&json!({"register": "seven"}))).unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            r#"property "level", visitors.configData.register: found "seven", expected a whole number from 0 to 65535: correct it in the device's manifest"#
        );
    }

    #[test]
    fn a_number_may_be_written_as_text_and_a_list_is_no_mapping() {
        assert!(erase(Plain).bind(&property(&json!({"register": "7"}))).is_ok());
        assert!(erase(Plain).bind(&property(&json!({"register": [7]}))).is_err());
    }

    #[test]
    fn a_missing_field_is_named() {
        let problems = erase(Plain).bind(&property(&json!({}))).unwrap_err();
        let expected =
            r#"property "level", visitors.configData: the key `register` is missing: add it to the device's manifest"#;
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn a_key_that_the_type_passes_over_is_told_whether_or_not_the_rest_fits() {
        for visitor in [
            json!({"register": 7, "regster": 8}),
            json!({"register": "7", "regster": 8}),
            json!({"register": "x", "regster": 8}),
            json!({"regster": 8}),
        ] {
            assert_eq!(erase(Plain).unread_visitor(&property(&visitor)), ["regster"], "{visitor}");
        }
    }

    #[test]
    fn credentials_are_no_misfit_of_a_type_without_the_key() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only whether it can be read matters")]
        struct Knows {
            credentials: String,
            port: u16,
        }
        let data = |value: serde_json::Value| value.as_object().expect("an object").clone();
        let paths = |read: Vec<Misfit>| read.into_iter().map(|misfit| misfit.path).collect::<Vec<_>>();
        let wrong = data(json!({"credentials": "plc", "register": "x"}));
        assert_eq!(paths(parse_config::<StrictVisitor>(&wrong).err().expect("a wrong key")), ["register"]);
        let wrong = data(json!({"credentials": "plc", "port": "x"}));
        assert_eq!(paths(parse_config::<Knows>(&wrong).err().expect("a wrong key")), ["port"]);
    }

    #[test]
    fn the_frameworks_key_is_not_the_drivers() {
        let asks = property(&json!({"register": 7, "poll": true}));
        assert!(asks.polling() == Some(true) && erase(Strict).bind(&asks).is_ok());
        assert_eq!(erase(Plain).unread_visitor(&asks), Vec::<String>::new());
        assert_eq!(property(&json!({"register": 7, "poll": false})).polling(), Some(false));
        // A key of the same name that is neither yes nor no is the driver's.
        let other = property(&json!({"register": 7, "poll": 5}));
        assert!(other.polling().is_none() && erase(Strict).bind(&other).is_err());
        assert_eq!(erase(Plain).unread_visitor(&other), ["poll"]);
    }

    #[test]
    fn a_visitor_that_fits_is_bound() {
        assert!(erase(Plain).bind(&property(&json!({"register": 7}))).is_ok());
    }
}
