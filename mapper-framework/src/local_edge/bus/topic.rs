//! The topics of the event bus, and how MQTT matches them.

/// Where all topics of devices begin.
const PREFIX: &str = "$hw/events/device/";

/// What a mapper publishes about a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// `twin/update`
    Twin,
    /// `state/update`
    State,
}

impl Subject {
    fn level(self) -> &'static str {
        match self {
            Self::Twin => "twin",
            Self::State => "state",
        }
    }
}

/// The update that a topic stands for, as namespace, name and subject: `$hw/events/device/<namespace>/<device>/twin/update`
/// or `…/state/update`; `None` for every other topic.
pub(super) fn update(topic: &str) -> Option<(&str, &str, Subject)> {
    let mut levels = topic.strip_prefix(PREFIX)?.split('/');
    let (namespace, name) = (levels.next()?, levels.next()?);
    let subject = match levels.next()? {
        "twin" => Subject::Twin,
        "state" => Subject::State,
        _ => return None,
    };
    (levels.next() == Some("update") && levels.next().is_none()).then_some((namespace, name, subject))
}

/// Where edgecore answers an update of `<namespace>/<device>`. The device is empty for a payload that edgecore cannot read.
pub(super) fn result(device: &str, subject: Subject) -> String {
    format!("{PREFIX}{device}/{}/update/result", subject.level())
}

/// Whether a filter matches a topic, by the rules of MQTT 3.1.1: `+` matches one level, an empty one included, `#` all that
/// remain, and neither of them matches a first level that begins with `$`.
///
/// `rumqttc::matches` matches no topic with `$` at all.
pub(super) fn matches(topic: &str, filter: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_names_its_device_and_its_subject() {
        let twin = update("$hw/events/device/default/t-1/twin/update");
        assert_eq!(twin, Some(("default", "t-1", Subject::Twin)));
        let state = update("$hw/events/device/default/t-1/state/update");
        assert_eq!(state, Some(("default", "t-1", Subject::State)));
        for other in [
            "",
            "$hw/events/device/",
            "$hw/events/device/t-1/twin/update",
            "$hw/events/device/default/t-1/twin/get",
            "$hw/events/device/default/t-1/twin/update/result",
            "$hw/events/device/default/t-1/document/update",
            "hw/events/device/default/t-1/twin/update",
        ] {
            assert_eq!(update(other), None, "{other}");
        }
    }

    #[test]
    fn a_plus_matches_an_empty_level_and_a_hash_the_rest() {
        let nobody = result("", Subject::Twin);
        assert_eq!(nobody, "$hw/events/device//twin/update/result");
        for (filter, fits) in [
            ("$hw/events/device/+/twin/update/result", true),
            ("$hw/events/device/+/+/twin/update/result", false),
            ("$hw/events/device//twin/update/result", true),
            ("$hw/events/#", true),
            ("$hw/events/device//twin/update/result/#", true),
            ("$hw/events/device//twin/update", false),
            ("$hw/events/device//twin/update/result/+", false),
            ("#", false),
            ("+/events/#", false),
        ] {
            assert_eq!(matches(&nobody, filter), fits, "{filter}");
        }
        assert!(matches("ä/b", "+/b") && matches("a/b", "#") && !matches("a", "+/b"));
    }
}
