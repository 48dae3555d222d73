//! A call of a method.

use std::sync::Arc;

use crate::model::{Method, Property, Value};

/// A call of a device's method with its arguments, for [`Session::call`](super::Session::call).
///
/// Each argument is a property that the method names, with a value of the property's type and within its bounds. None is there
/// twice; whether all that the method names have to be there is for the driver to say.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a, V> {
    method: &'a Method,
    arguments: &'a [(Arc<Property<V>>, Value)],
}

impl<'a, V> Call<'a, V> {
    /// A call; made by the framework, and by the tests of a driver.
    pub fn new(method: &'a Method, arguments: &'a [(Arc<Property<V>>, Value)]) -> Self {
        Self { method, arguments }
    }

    /// The method, as the device's manifest has it.
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The arguments, in the order in which the caller gave them.
    pub fn arguments(&self) -> impl ExactSizeIterator<Item = (&'a Property<V>, &'a Value)> + use<'a, V> {
        self.arguments.iter().map(|(property, value)| (&**property, value))
    }

    /// The value of the argument that is named so; `None` if the caller left it out.
    pub fn argument(&self, property: &str) -> Option<&'a Value> {
        self.arguments().find(|(argument, _)| argument.name() == property).map(|(_, value)| value)
    }
}
