//! A property of a device.

use std::{borrow::Cow, sync::Arc, time::Duration};

use super::{
    Bounds, ConfigData, DataType, IllegalValues, PushMethod, RecordRules, ReportRules, StreamTwin, Value, ValueError,
    WriteRules,
};

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
    bounds: Bounds,
    unit: String,
    collect_cycle: Duration,
    report_cycle: Duration,
    report_to_cloud: bool,
    desired: Option<String>,
    push_methods: Vec<PushMethod>,
}

impl Property {
    /// The key of `visitors.configData` that is the framework's if it is `true` or `false`: with `true`, a property that is
    /// subscribed is polled as well, and with `false` the property is never polled.
    pub(crate) const POLL: &str = "poll";

    /// Whether the manifest wants the property to be polled, whether or not it is subscribed; `None` where it does not say.
    pub(crate) fn polling(&self) -> Option<bool> {
        self.visitor.get(Self::POLL).and_then(serde_json::Value::as_bool)
    }

    /// Whether it is one of the device's stream, so that the driver does not get it.
    fn is_of_stream(&self) -> bool {
        self.visitor.contains_key(StreamTwin::KEY)
    }

    /// What the driver is to see of the visitor: all keys but those that are the framework's.
    pub(crate) fn drivers_visitor(&self) -> Cow<'_, ConfigData> {
        let mut visitor = Cow::Borrowed(&*self.visitor);
        if visitor.get(Self::POLL).is_some_and(serde_json::Value::is_boolean) {
            visitor.to_mut().remove(Self::POLL);
        }
        let is_ours = |key: &String| {
            WriteRules::KEYS.contains(&key.as_str())
                || ReportRules::is_key(key)
                || StreamTwin::is_key(key)
                || self.is_of_stream() && RecordRules::KEYS.contains(&key.as_str())
                || key == IllegalValues::KEY
        };
        if visitor.keys().any(is_ours) {
            visitor.to_mut().retain(|key, _| !is_ours(key));
        }
        visitor
    }

    /// Whether both stand in the same place of the device, and have the same type, though only one may be written.
    pub(crate) fn is_found_like(&self, other: &Self) -> bool {
        let (a, b) = (&self.spec, &other.spec);
        a.data_type == b.data_type && self.drivers_visitor() == other.drivers_visitor()
    }

    /// Starts a property of which everything but name and type has its default.
    pub fn builder(name: &str, data_type: DataType) -> PropertyBuilder {
        PropertyBuilder {
            spec: Spec {
                name: name.into(),
                description: String::new(),
                data_type,
                access_mode: AccessMode::ReadOnly,
                bounds: Bounds::default(),
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

    /// The least value that may be written, in the property's type; `None` is no bound.
    pub fn minimum(&self) -> Option<&Value> {
        self.spec.bounds.minimum()
    }

    /// The greatest value that may be written, in the property's type; `None` is no bound.
    pub fn maximum(&self) -> Option<&Value> {
        self.spec.bounds.maximum()
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

    /// The same property, read and pushed in these cycles.
    pub(crate) fn in_cycles(&self, collect_cycle: Duration, report_cycle: Duration) -> Self {
        let spec = Spec { collect_cycle, report_cycle, ..Spec::clone(&self.spec) };
        Self { spec: Arc::new(spec), visitor: Arc::clone(&self.visitor) }
    }

    /// Checks a number against `minimum` and `maximum`, in the property's type: a FLOAT of 0.1 does not exceed a maximum of 0.1,
    /// and integers are compared as integers, however large. Other values have no bounds.
    ///
    /// # Errors
    ///
    /// The value lies outside, or is no number of the property's type.
    pub fn check_bounds(&self, value: &Value) -> Result<(), ValueError> {
        if !self.data_type().is_numeric() || value.as_f64().is_none() {
            return Ok(());
        }
        self.spec.bounds.check(&value.clone().conform(self.data_type())?)
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

    /// Sets the least value that may be written; none by default, and for a number that is not finite.
    pub fn minimum(mut self, minimum: f64) -> Self {
        self.spec.bounds = self.spec.bounds.with_minimum(minimum, self.spec.data_type);
        self
    }

    /// Sets the greatest value that may be written; none by default, and for a number that is not finite.
    pub fn maximum(mut self, maximum: f64) -> Self {
        self.spec.bounds = self.spec.bounds.with_maximum(maximum, self.spec.data_type);
        self
    }

    /// Sets both bounds.
    pub(crate) fn bounds(mut self, bounds: Bounds) -> Self {
        self.spec.bounds = bounds;
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
