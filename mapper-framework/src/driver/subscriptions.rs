//! Which properties a device delivers by itself.

use std::{collections::HashSet, sync::Arc};

use crate::model::Property;

/// The properties that a session is subscribed to: what [`Session::subscribe`](super::Session::subscribe) returns.
///
/// ```
/// use std::sync::Arc;
/// use mapper_framework::{DataType, Property, Subscriptions};
///
/// let property = |name: &str, node: u32| Arc::new(Property::builder(name, DataType::Int).visitor(node));
/// let properties = [property("level", 7), property("serial-number", 8)];
/// let subscriptions: Subscriptions = properties.iter().filter(|property| *property.visitor() == 7).collect();
/// assert!(subscriptions.contains("level") && !subscriptions.contains("serial-number"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    names: HashSet<String>,
}

impl Subscriptions {
    /// No property is subscribed; all are polled.
    pub fn none() -> Self {
        Self::default()
    }

    /// All of these properties are subscribed.
    pub fn all<V>(properties: &[Arc<Property<V>>]) -> Self {
        properties.iter().collect()
    }

    /// Adds a property.
    pub fn add<V>(&mut self, property: &Property<V>) {
        self.names.insert(property.name().to_owned());
    }

    /// Whether the property of this name is subscribed.
    pub fn contains(&self, property: &str) -> bool {
        self.names.contains(property)
    }

    /// The names of the properties that are subscribed, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

impl<'a, V: 'a> FromIterator<&'a Arc<Property<V>>> for Subscriptions {
    fn from_iter<I: IntoIterator<Item = &'a Arc<Property<V>>>>(properties: I) -> Self {
        Self { names: properties.into_iter().map(|property| property.name().to_owned()).collect() }
    }
}
