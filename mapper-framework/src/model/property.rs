//! A property of a device.

use std::{sync::Arc, time::Duration};

use super::{ConfigData, DataType, PushMethod, Value, ValueError};

/// Whether a property may be written (`ModelProperty.accessMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccessMode {
    /// The property can only be read.
    ReadOnly,
    /// The property can be read and written.
    ReadWrite,
}

/// A property of a device: what its model says of it, what the device's manifest says of it, and its visitor.
///
/// `V` is the driver's own type for `visitors.configData`; before a driver has read it, it is [`ConfigData`]. Cloning is
/// cheap.
#[derive(Clone, Debug, PartialEq)]
pub struct Property<V = ConfigData> {
    spec: Arc<Spec>,
    visitor: Arc<V>,
}

#[derive(Clone, Debug, PartialEq)]
struct Spec {
    name: Arc<str>,
    description: String,
    data_type: DataType,
    access_mode: AccessMode,
    minimum: Option<f64>,
    maximum: Option<f64>,
    unit: String,
    collect_cycle: Duration,
    report_cycle: Duration,
    report_to_cloud: bool,
    desired: Option<String>,
    push_methods: Vec<PushMethod>,
}

impl Property {
    /// Starts a property of which everything but name and type has its default.
    pub fn builder(name: &str, data_type: DataType) -> PropertyBuilder {
        PropertyBuilder {
            spec: Spec {
                name: name.into(),
                description: String::new(),
                data_type,
                access_mode: AccessMode::ReadOnly,
                minimum: None,
                maximum: None,
                unit: String::new(),
                collect_cycle: DEFAULT_CYCLE,
                report_cycle: DEFAULT_CYCLE,
                report_to_cloud: false,
                desired: None,
                push_methods: Vec::new(),
            },
        }
    }
}

/// The cycle of a property that names none (`collectCycle: 0`).
const DEFAULT_CYCLE: Duration = Duration::from_secs(1);

impl<V> Property<V> {
    /// The property's name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The property's name, to keep.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.spec.name)
    }

    /// The description from the device model.
    pub fn description(&self) -> &str {
        &self.spec.description
    }

    /// The type from the device model. A value that a driver reads is brought into this type.
    pub fn data_type(&self) -> DataType {
        self.spec.data_type
    }

    /// Whether the property may be written.
    pub fn access_mode(&self) -> AccessMode {
        self.spec.access_mode
    }

    /// The least value that may be written; `None` is no bound.
    pub fn minimum(&self) -> Option<f64> {
        self.spec.minimum
    }

    /// The greatest value that may be written; `None` is no bound.
    pub fn maximum(&self) -> Option<f64> {
        self.spec.maximum
    }

    /// The unit from the device model, as its author wrote it.
    pub fn unit(&self) -> &str {
        &self.spec.unit
    }

    /// The time from one read to the next.
    pub fn collect_cycle(&self) -> Duration {
        self.spec.collect_cycle
    }

    /// The time from one push to the sinks to the next.
    pub fn report_cycle(&self) -> Duration {
        self.spec.report_cycle
    }

    /// Whether the property's twin is reported to edgecore.
    pub fn report_to_cloud(&self) -> bool {
        self.spec.report_to_cloud
    }

    /// The value that the user wants the device to have, verbatim; never empty.
    pub fn desired(&self) -> Option<&str> {
        self.spec.desired.as_deref()
    }

    /// Where the property's samples go besides its twin.
    pub fn push_methods(&self) -> &[PushMethod] {
        &self.spec.push_methods
    }

    /// How the driver finds the property in the device: `visitors.configData`.
    pub fn visitor(&self) -> &V {
        &self.visitor
    }

    /// The same property with another visitor.
    #[must_use]
    pub fn with_visitor<W>(&self, visitor: W) -> Property<W> {
        Property { spec: Arc::clone(&self.spec), visitor: Arc::new(visitor) }
    }

    /// Whether the same desired value, written to the same place, is asked of both.
    pub(crate) fn is_set_like(&self, other: &Self) -> bool
    where
        V: PartialEq,
    {
        let (a, b) = (&self.spec, &other.spec);
        a.desired == b.desired
            && a.data_type == b.data_type
            && a.access_mode == b.access_mode
            && (a.minimum, a.maximum) == (b.minimum, b.maximum)
            && self.visitor == other.visitor
    }

    /// Checks a value against `minimum` and `maximum`.
    ///
    /// # Errors
    ///
    /// The value lies outside.
    pub fn check_bounds(&self, value: &Value) -> Result<(), ValueError> {
        let Some(number) = value.as_f64() else { return Ok(()) };
        let (minimum, maximum) = (self.spec.minimum, self.spec.maximum);
        if minimum.is_none_or(|minimum| number >= minimum) && maximum.is_none_or(|maximum| number <= maximum) {
            return Ok(());
        }
        Err(ValueError::OutOfBounds {
            value: value.to_string(),
            minimum: minimum.map_or_else(|| "-∞".to_owned(), |minimum| minimum.to_string()),
            maximum: maximum.map_or_else(|| "∞".to_owned(), |maximum| maximum.to_string()),
        })
    }
}

/// Builds a [`Property`], for the tests of a driver.
#[derive(Clone, Debug)]
#[must_use]
pub struct PropertyBuilder {
    spec: Spec,
}

impl PropertyBuilder {
    /// Sets the description; empty by default.
    pub fn description(mut self, description: &str) -> Self {
        self.spec.description = description.to_owned();
        self
    }

    /// Sets whether the property may be written; [`AccessMode::ReadOnly`] by default.
    pub fn access_mode(mut self, access_mode: AccessMode) -> Self {
        self.spec.access_mode = access_mode;
        self
    }

    /// Sets the least value that may be written; none by default.
    pub fn minimum(mut self, minimum: f64) -> Self {
        self.spec.minimum = Some(minimum);
        self
    }

    /// Sets the greatest value that may be written; none by default.
    pub fn maximum(mut self, maximum: f64) -> Self {
        self.spec.maximum = Some(maximum);
        self
    }

    /// Sets the unit; empty by default.
    pub fn unit(mut self, unit: &str) -> Self {
        self.spec.unit = unit.to_owned();
        self
    }

    /// Sets the time from one read to the next; zero stands for the default of one second.
    pub fn collect_cycle(mut self, cycle: Duration) -> Self {
        self.spec.collect_cycle = or_default(cycle);
        self
    }

    /// Sets the time from one push to the next; zero stands for the default of one second.
    pub fn report_cycle(mut self, cycle: Duration) -> Self {
        self.spec.report_cycle = or_default(cycle);
        self
    }

    /// Sets whether the twin is reported to edgecore; not by default.
    pub fn report_to_cloud(mut self, report: bool) -> Self {
        self.spec.report_to_cloud = report;
        self
    }

    /// Sets the value the user wants; an empty one stands for none, the default.
    pub fn desired(mut self, desired: &str) -> Self {
        self.spec.desired = (!desired.is_empty()).then(|| desired.to_owned());
        self
    }

    /// Sets where samples go; nowhere by default.
    pub fn push_methods(mut self, push_methods: Vec<PushMethod>) -> Self {
        self.spec.push_methods = push_methods;
        self
    }

    /// Ends the building with the property's visitor.
    pub fn visitor<V>(self, visitor: V) -> Property<V> {
        self.shared_visitor(Arc::new(visitor))
    }

    /// Ends the building with a visitor that the manifest keeps as well.
    pub(crate) fn shared_visitor<V>(self, visitor: Arc<V>) -> Property<V> {
        Property { spec: Arc::new(self.spec), visitor }
    }

    /// Ends the building with an empty visitor.
    pub fn build(self) -> Property {
        self.visitor(ConfigData::new())
    }
}

fn or_default(cycle: Duration) -> Duration {
    if cycle.is_zero() { DEFAULT_CYCLE } else { cycle }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive() {
        let property = Property::builder("level", DataType::Int).minimum(0.0).maximum(10.0).build();
        assert!(property.check_bounds(&Value::Int(0)).is_ok());
        assert!(property.check_bounds(&Value::Int(10)).is_ok());
        let error = property.check_bounds(&Value::Int(11)).unwrap_err();
        assert_eq!(error.to_string(), "11 lies outside 0 to 10, the bounds that the device model sets");
    }

    #[test]
    fn a_cycle_of_zero_is_a_second() {
        let property = Property::builder("level", DataType::Int).collect_cycle(Duration::ZERO).build();
        assert_eq!(property.collect_cycle(), Duration::from_secs(1));
    }

    #[test]
    fn an_empty_desired_value_is_none() {
        assert_eq!(Property::builder("level", DataType::Int).desired("").build().desired(), None);
    }
}
