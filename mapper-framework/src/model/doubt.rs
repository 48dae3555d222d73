//! What a manifest may say and hardly means. `check` says it of files, and the runtime of devices, in the same words.

use std::time::Duration;

use super::{ConfigData, Device, Property, RecordRules, WriteRules, keys};

/// Cycles of more than a day are doubted.
const LONGEST_CYCLE: Duration = Duration::from_secs(24 * 60 * 60);

/// What edgecore looks for a device's namespace in: it takes the first place, which is too early for a namespace that is a part of this.
const TOPIC: &str = "$hw/events/device/";

/// Something that works, and hardly as it was meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Doubt {
    /// `None` for the device as a whole.
    pub(crate) property: Option<String>,
    /// The field, below the property or below `spec`.
    pub(crate) field: String,
    pub(crate) message: String,
    pub(crate) cure: String,
}

impl Doubt {
    /// The doubts about a device and its properties.
    pub(crate) fn of(device: &Device) -> Vec<Self> {
        let mut doubts = Vec::new();
        for property in device.properties() {
            let cycles = [("collectCycle", property.collect_cycle()), ("reportCycle", property.report_cycle())];
            let of_property = |doubt| Self { property: Some(property.name().to_owned()), ..doubt };
            doubts.extend(Self::of_writes(property));
            doubts.extend(Self::of_recording(property));
            doubts
                .extend(cycles.into_iter().filter_map(|(field, cycle)| Self::of_cycle(field, cycle)).map(of_property));
        }
        let report = device.state_report().and_then(|report| Self::of_cycle("stateReport.reportCycle", report.cycle));
        doubts.extend(report);
        doubts
    }

    /// The doubts about the rules by which a property is written.
    pub(crate) fn of_writes(property: &Property) -> Vec<Self> {
        let idle = WriteRules::idle_keys(property).into_iter();
        idle.map(|misfit| Self::of_key(property, &misfit.key, &misfit.message, misfit.cure)).collect()
    }

    /// How the Go framework's keys of a property that records are read.
    pub(crate) fn of_recording(property: &Property) -> Option<Self> {
        let (message, cure) = RecordRules::reading_of_go(property)?;
        let (property, field) = (Some(property.name().to_owned()), "visitors.configData".to_owned());
        Some(Self { property, field, message, cure })
    }

    /// The doubt about a key of a visitor that the driver does not read, if it is nearly one of the framework's.
    pub(crate) fn of_unread(property: &Property, key: &str) -> Option<Self> {
        let meant = keys::nearest(key, &WriteRules::KEYS, keys::LETTERS)?;
        let message = "neither the driver nor the framework knows this key, and it is ignored";
        Some(Self::of_key(property, key, message, format!("did you mean {meant}?")))
    }

    fn of_key(property: &Property, key: &str, message: &str, cure: String) -> Self {
        let (property, field) = (Some(property.name().to_owned()), format!("visitors.configData.{key}"));
        Self { property, field, message: message.to_owned(), cure }
    }

    /// That edgecore loses every twin and state of the devices of a namespace: no doubt, and no way around it in a mapper.
    //= KubeEdge v1.16.2 to v1.23, devicetwin: the namespace is looked for by its first place in the topic
    pub(crate) fn of_namespace(namespace: &str) -> Option<Self> {
        (!namespace.is_empty() && TOPIC.contains(namespace)).then(|| Self {
            property: None,
            field: "metadata.namespace".to_owned(),
            message: format!(
                "edgecore loses every twin and every state of devices in the namespace {namespace:?}, since it is a part of {TOPIC:?}"
            ),
            cure: "use another namespace, such as default".to_owned(),
        })
    }

    /// The doubt about a cycle of more than a day, which was probably written in nanoseconds.
    pub(crate) fn of_cycle(field: &str, cycle: Duration) -> Option<Self> {
        let millis = cycle.as_millis();
        (cycle > LONGEST_CYCLE).then(|| {
            let days = cycle.as_secs() / (24 * 60 * 60);
            let in_nanos = millis / 1_000_000;
            let is_in_nanos = millis.is_multiple_of(1_000_000) && in_nanos <= LONGEST_CYCLE.as_millis();
            let unit = if is_in_nanos { ", and was probably meant in nanoseconds" } else { "" };
            let cure = if is_in_nanos {
                in_nanos.to_string() + " for what it is in nanoseconds"
            } else {
                "5000 for 5 s".to_owned()
            };
            Self {
                property: None,
                field: field.to_owned(),
                message: format!("{millis} ms is more than a day ({days} days){unit}"),
                cure: format!("write milliseconds, such as {cure}"),
            }
        })
    }

    /// The doubt about a `timeout` of the device's own, in milliseconds, that the framework never waits for: by itself, or by the
    /// [longest wait](crate::Driver::longest_wait) that the driver makes of it.
    pub(crate) fn of_timeout(config: &ConfigData, waits: Option<Duration>, call_timeout: Duration) -> Option<Self> {
        let timeout = config.get("timeout");
        let millis = timeout.and_then(|it| it.as_u64().or_else(|| it.as_str()?.trim().parse().ok()));
        let millis = millis.filter(|millis| Duration::from_millis(*millis) > call_timeout);
        let (what, cure) = match (millis, waits.filter(|waits| *waits > call_timeout)) {
            (Some(millis), _) => (format!("{millis} ms is"), "a shorter timeout"),
            (None, Some(waits)) => (
                format!(
                    "connecting or another call waits for up to {waits:?}, with all requests and repetitions, which is"
                ),
                "a shorter timeout, or fewer repetitions where the driver has some",
            ),
            (None, None) => return None,
        };
        Some(Self {
            property: None,
            field: "protocol.configData.timeout".to_owned(),
            message: format!("{what} longer than driver.call_timeout ({call_timeout:?}), which ends each call before"),
            cure: format!("raise driver.call_timeout in the mapper's config, or write {cure}"),
        })
    }
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(property) = &self.property {
            write!(f, "property {property:?}, ")?;
        }
        write!(f, "{}: {}: {}", self.field, self.message, self.cure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_of_the_official_samples_is_recognised_as_nanoseconds() {
        let doubt = Doubt::of_cycle("collectCycle", Duration::from_millis(10_000_000_000)).expect("115 days");
        assert_eq!(
            doubt.to_string(),
            "collectCycle: 10000000000 ms is more than a day (115 days), and was probably meant in nanoseconds: \
             write milliseconds, such as 10000 for what it is in nanoseconds"
        );
        assert_eq!(Doubt::of_cycle("collectCycle", LONGEST_CYCLE), None);
        let doubt = Doubt::of_cycle("collectCycle", LONGEST_CYCLE + Duration::from_millis(1)).expect("a day and more");
        assert!(!doubt.message.contains("nanoseconds"), "{doubt}");
        assert!(Doubt::of_cycle("collectCycle", Duration::MAX).is_some());
    }

    #[test]
    fn a_timeout_that_outlasts_the_deadline_is_doubted() {
        let config = |timeout: serde_json::Value| ConfigData::from_iter([("timeout".to_owned(), timeout)]);
        let deadline = Duration::from_secs(10);
        assert_eq!(Doubt::of_timeout(&config(10_000.into()), None, deadline), None);
        assert_eq!(Doubt::of_timeout(&config("fast".into()), Some(deadline), deadline), None);
        for timeout in [20_000.into(), "20000".into()] {
            let doubt = Doubt::of_timeout(&config(timeout), Some(3 * deadline), deadline).expect("20 s");
            assert!(doubt.message.starts_with("20000 ms is longer than driver.call_timeout (10s)"), "{doubt}");
        }
        for config in [config(6000.into()), ConfigData::default()] {
            let doubt = Doubt::of_timeout(&config, Some(Duration::from_secs(12)), deadline).expect("12 s");
            let message = "connecting or another call waits for up to 12s, with all requests and repetitions, which is longer than driver";
            assert!(doubt.message.starts_with(message), "{doubt}");
        }
    }

    #[test]
    fn the_namespaces_that_edgecore_loses_are_the_parts_of_its_topic() {
        for lost in ["dev", "device", "event", "events", "hw", "ice", "vice", "e", "d"] {
            assert!(Doubt::of_namespace(lost).is_some(), "{lost}");
        }
        for kept in ["devices", "default", "prod", ""] {
            assert_eq!(Doubt::of_namespace(kept), None, "{kept}");
        }
    }
}
