//! Where a property is found in a server.

use std::time::Duration;

use mapper_framework::{DataType, DriverError, Property, Value};
use serde::{Deserialize, Deserializer, de::Error as _};
use ua::types::NumericRange;

use crate::node::Node;

/// `visitors.configData` of a property.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Visitor {
    /// The node whose value the property is.
    #[serde(rename = "nodeID", alias = "nodeId")]
    pub(crate) node: Option<Node>,
    /// The part of an array: `2`, `0:3`, or `1,0:2` of a matrix.
    #[serde(default, deserialize_with = "range")]
    pub(crate) index_range: NumericRange,
    /// In place of a node: an argument of methods, and its value until somebody sets it.
    pub(crate) argument: Option<String>,
    /// Milliseconds between two looks of the server's at the node; by default the property's `collectCycle`.
    #[serde(default, deserialize_with = "millis")]
    sampling_interval: Option<Duration>,
    /// By how much a number has to change to be delivered.
    #[serde(default)]
    pub(crate) deadband: f64,
    /// How many changes the server keeps between two deliveries; with one, the latest.
    #[serde(default = "one")]
    pub(crate) queue_size: u32,
    /// Of the Go mapper, which does not use it either.
    #[serde(default, rename = "browseName")]
    _browse_name: Option<String>,
}

impl Visitor {
    /// Whether a property can be served as it is.
    pub(crate) fn check(property: &Property<Self>) -> Result<(), DriverError> {
        let visitor = property.visitor();
        match (&visitor.node, &visitor.argument) {
            (Some(_), None) => {}
            (None, Some(first)) => drop(Value::parse(first, property.data_type()).map_err(refused)?),
            (None, None) => {
                return Err(refused("`nodeID` is missing: write which node's value this is, such as i=2258"));
            }
            (Some(_), Some(_)) => {
                return Err(refused("`nodeID` and `argument` exclude each other: take one of them out"));
            }
        }
        if !(visitor.deadband >= 0.0 && visitor.deadband.is_finite()) {
            return Err(refused(format_args!("`deadband`: found {}, expected a number from 0", visitor.deadband)));
        }
        if property.data_type() == DataType::Stream {
            return Err(refused("a node is no stream: declare the property as another type in the model"));
        }
        let is_part = !matches!(visitor.index_range, NumericRange::None | NumericRange::Index(_));
        if is_part && property.data_type() != DataType::String && property.data_type() != DataType::Bytes {
            return Err(refused("a part of an array is text: declare the property as STRING in the model"));
        }
        Ok(())
    }

    /// How often the server looks at the node.
    pub(crate) fn sampling(property: &Property<Self>) -> Duration {
        property.visitor().sampling_interval.unwrap_or(property.collect_cycle())
    }
}

fn refused(message: impl std::fmt::Display) -> DriverError {
    DriverError::refused(message)
}

fn one() -> u32 {
    1
}

fn range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NumericRange, D::Error> {
    let text = String::deserialize(deserializer)?;
    let expected =
        || D::Error::custom(format_args!("found {text:?}, expected a part of an array such as 2, 0:3 or 1,0:2"));
    text.parse().map_err(|_| expected())
}

fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(millis) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    if (0.0..=86_400_000.0).contains(&millis) {
        return Ok(Some(Duration::from_secs_f64(millis / 1000.0)));
    }
    Err(D::Error::custom(format_args!("found {millis}, expected milliseconds from 0 to 86400000")))
}
