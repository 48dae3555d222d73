//! Twins as edgecore keeps them.

use crate::dmi::generated::{Twin, TwinProperty};

use super::alphabet;

/// What edgecore has stored for a property. Metadata stays at the edge: what arrives in the cloud is [`CloudTwin`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredTwin {
    value: String,
    observed_desired: String,
    data_type: String,
    timestamp: Option<i64>,
    stored: u64,
}

impl StoredTwin {
    /// The reported value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The desired value that the mapper says it has seen; empty for none.
    pub fn observed_desired(&self) -> &str {
        &self.observed_desired
    }

    /// The metadata `type` of the reported value; empty if the mapper sent none.
    pub fn data_type(&self) -> &str {
        &self.data_type
    }

    /// The metadata `timestamp` of the reported value, in milliseconds since 1970; `None` if the mapper sent no number.
    pub fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }

    /// How often the twin has been stored, the present value included.
    pub fn times_stored(&self) -> u64 {
        self.stored
    }

    /// The twin after one more report. A side that is not reported stays as it is. All metadata but type and timestamp are lost, as in edgecore.
    pub(super) fn next(
        previous: Option<&Self>,
        observed_desired: Option<&TwinProperty>,
        reported: Option<&TwinProperty>,
    ) -> Self {
        let mut next = previous.cloned().unwrap_or_default();
        next.stored += 1;
        if let Some(observed_desired) = observed_desired {
            next.observed_desired.clone_from(&observed_desired.value);
        }
        if let Some(reported) = reported {
            let metadata = |key: &str| reported.metadata.get(key);
            next.value.clone_from(&reported.value);
            next.data_type = metadata("type").cloned().unwrap_or_default();
            next.timestamp = metadata("timestamp").and_then(|timestamp| timestamp.parse().ok());
        }
        next
    }

    pub(super) fn to_proto(&self, property: &str) -> Twin {
        let mut reported = TwinProperty { value: self.value.clone(), ..TwinProperty::default() };
        reported.metadata.insert("type".to_owned(), self.data_type.clone());
        if let Some(timestamp) = self.timestamp {
            reported.metadata.insert("timestamp".to_owned(), timestamp.to_string());
        }
        Twin {
            property_name: property.to_owned(),
            observed_desired: Some(TwinProperty { value: self.observed_desired.clone(), ..TwinProperty::default() }),
            reported: Some(reported),
        }
    }
}

/// What the cloud shows of a twin, in the resource `DeviceStatus`: two values, and nothing of the metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudTwin {
    value: String,
    observed_desired: String,
}

impl CloudTwin {
    /// The twin as it has arrived. cloudcore loses the first report of each twin, and shows empty values until the second one.
    //= KubeEdge v1.16.2 to v1.23, cloudcore: a new twin is appended as a copy before it is filled
    //= KubeEdge v1.15 to v1.23, devicetwin: of the metadata nothing goes to the cloud
    pub(super) fn of(stored: &StoredTwin) -> Self {
        if stored.stored < 2 {
            return Self::default();
        }
        Self { value: stored.value.clone(), observed_desired: stored.observed_desired.clone() }
    }

    /// The reported value; empty until the twin has been reported twice.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The desired value that the mapper says it has seen; empty for none, and until the twin has been reported twice.
    pub fn observed_desired(&self) -> &str {
        &self.observed_desired
    }
}

/// Why edgecore accepted a call and yet stored nothing. It does not tell the mapper.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// The device is not on this node. A request without a namespace names no device.
    #[error("edgecore knows no such device; the report must hold its namespace and name")]
    UnknownDevice,
    /// The device's namespace is a part of `$hw/events/device/`, in which edgecore looks for it, such as `dev` and `e`.
    #[error(
        "edgecore does not find the device's namespace again, since it is a part of $hw/events/device/; use another namespace"
    )]
    LostNamespace,
    /// The property's name does not match `^[a-zA-Z0-9-_.,:/@#]{1,128}$`.
    #[error("the property's name is empty, longer than 128 bytes, or holds a sign outside a-z A-Z 0-9 - _ . , : / @ #")]
    IllegalName,
    /// The reported value does not match `^[a-zA-Z0-9-_.,:/@#]{1,512}$`.
    #[error("the reported value is longer than 512 bytes, or holds a sign outside a-z A-Z 0-9 - _ . , : / @ #")]
    IllegalValue,
    /// The observed desired value does not match `^[a-zA-Z0-9-_.,:/@#]{1,512}$`.
    #[error("the observed desired value is longer than 512 bytes, or holds a sign outside a-z A-Z 0-9 - _ . , : / @ #")]
    IllegalDesired,
    /// The metadata `type` is none of string, int, integer, float, boolean. Only over the event bus: over DMI the type is not passed on.
    #[error("the value type is not allowed")]
    IllegalType,
    /// The twin has neither a reported nor an observed desired value, or one of them lacks its `value`. Only over the event bus.
    #[error("a twin has neither `actual` nor `expected`, or one of them has no `value`")]
    NoValue,
    /// The state is none of ok, online, offline, unhealthy, unknown.
    #[error("the state is none of ok, online, offline, unhealthy, unknown")]
    UnknownState,
}

/// What edgecore would store of a twin, or why it would not. Names and values are judged as in edgecore, the device is not.
pub(super) fn judge(
    name: &str,
    observed_desired: Option<&TwinProperty>,
    reported: Option<&TwinProperty>,
) -> Result<(), DropReason> {
    let is_legal = |side: Option<&TwinProperty>| side.is_none_or(|side| alphabet::is_legal_value(&side.value));
    if !alphabet::is_legal_name(name) {
        return Err(DropReason::IllegalName);
    }
    if !is_legal(observed_desired) {
        return Err(DropReason::IllegalDesired);
    }
    if !is_legal(reported) {
        return Err(DropReason::IllegalValue);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(value: &str) -> TwinProperty {
        TwinProperty { value: value.to_owned(), ..TwinProperty::default() }
    }

    #[test]
    fn only_type_and_timestamp_are_kept_of_the_metadata() {
        let mut reported = property("21.4");
        for (key, value) in [("type", "float"), ("timestamp", "1700000000000"), ("quality", "good")] {
            reported.metadata.insert(key.to_owned(), value.to_owned());
        }
        let twin = StoredTwin::next(None, Some(&property("")), Some(&reported));
        assert_eq!((twin.data_type(), twin.timestamp(), twin.times_stored()), ("float", Some(1_700_000_000_000), 1));
        assert_eq!(twin.to_proto("t").reported.unwrap().metadata.len(), 2);
        assert_eq!(StoredTwin::next(Some(&twin), Some(&property("")), Some(&reported)).times_stored(), 2);
    }

    //= KubeEdge v1.16.2 to v1.23, cloudcore: a new twin is appended as a copy before it is filled
    //= KubeEdge v1.15 to v1.23, devicetwin: of the metadata nothing goes to the cloud
    #[test]
    fn the_cloud_shows_a_twin_from_its_second_report_on_and_no_metadata() {
        let first = StoredTwin::next(None, Some(&property("20")), Some(&property("21.4")));
        assert_eq!(CloudTwin::of(&first), CloudTwin::default());
        let mut reported = property("21.4");
        reported.metadata.insert("phase".to_owned(), "pending".to_owned());
        let shown = CloudTwin::of(&StoredTwin::next(Some(&first), Some(&property("20")), Some(&reported)));
        assert_eq!(shown, CloudTwin { value: "21.4".to_owned(), observed_desired: "20".to_owned() });
    }

    #[test]
    fn a_twin_is_judged_by_its_name_and_both_of_its_values() {
        assert_eq!(judge("t", Some(&property("")), Some(&property(""))), Ok(()));
        assert_eq!(judge("t t", Some(&property("")), Some(&property("1"))), Err(DropReason::IllegalName));
        assert_eq!(judge("t", Some(&property("a b")), Some(&property("1"))), Err(DropReason::IllegalDesired));
        assert_eq!(judge("t", Some(&property("")), Some(&property("21 °C"))), Err(DropReason::IllegalValue));
    }
}
