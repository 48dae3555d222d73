//! What a device delivers by itself.

use crate::model::Reading;

use super::DriverError;

/// What [`Session::changed`](super::Session::changed) returns for one property: a reading, or that this property has failed.
///
/// ```
/// use mapper_framework::{Change, DriverError, Reading};
///
/// let open = Change::new("open", true);
/// assert!(open.result().is_ok());
/// let taken = std::time::SystemTime::now();
/// let level = Change::new("level", Reading::new(3.5).at(taken));
/// assert_eq!(level.property(), "level");
/// let bad = Change::failed("level", DriverError::failed("the node reports BadSensorFailure"));
/// assert!(bad.result().is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Change {
    property: String,
    result: Result<Reading, DriverError>,
}

impl Change {
    /// A reading of the property with this name. A plain value is one that was taken now and that the device trusts.
    pub fn new(property: impl Into<String>, reading: impl Into<Reading>) -> Self {
        Self { property: property.into(), result: Ok(reading.into()) }
    }

    /// The property with this name has failed. It is treated as a read that failed: counted, logged when failing begins, and over
    /// with the next reading. A [`disconnected`](DriverError::disconnected) costs the session.
    pub fn failed(property: impl Into<String>, error: impl Into<DriverError>) -> Self {
        Self { property: property.into(), result: Err(error.into()) }
    }

    /// The property's name.
    pub fn property(&self) -> &str {
        &self.property
    }

    /// The reading, or why there is none.
    ///
    /// # Errors
    ///
    /// The property has failed.
    pub fn result(&self) -> Result<&Reading, &DriverError> {
        self.result.as_ref()
    }

    pub(crate) fn into_parts(self) -> (String, Result<Reading, DriverError>) {
        (self.property, self.result)
    }
}
