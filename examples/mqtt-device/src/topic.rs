//! Topics: their placeholders, and filters.

use std::collections::BTreeMap;

use mapper_framework::DriverError;

/// What stands for the placeholders of topics, by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Placeholders(BTreeMap<String, String>);

impl Placeholders {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// The topic with each `{name}` replaced.
    ///
    /// # Errors
    ///
    /// A placeholder has no value, or what comes of it is no topic or filter.
    pub(crate) fn fill(&self, template: &str) -> Result<String, DriverError> {
        let mut topic = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else { break };
            let Some(value) = self.0.get(name) else {
                let known: Vec<_> = self.0.keys().map(|name| format!("{{{name}}}")).collect();
                return Err(DriverError::refused(format_args!(
                    "the topic {template:?} has the placeholder {{{name}}}, but there is {} only: add it to protocol.configData.placeholders",
                    known.join(", ")
                )));
            };
            topic.push_str(before);
            topic.push_str(value);
            rest = after;
        }
        topic.push_str(rest);
        if !is_filter(&topic) {
            return Err(DriverError::refused(format_args!(
                "{topic:?} is no topic: `+` stands for a whole level, and `#` for all levels at the end"
            )));
        }
        Ok(topic)
    }
}

/// Whether this is a filter of MQTT, or a topic.
fn is_filter(filter: &str) -> bool {
    let levels: Vec<_> = filter.split('/').collect();
    let last = levels.len() - 1;
    let is_level = |(index, level): (usize, &&str)| match *level {
        "+" => true,
        "#" => index == last,
        level => !level.contains(['+', '#', '\0']),
    };
    !filter.is_empty() && filter.len() <= usize::from(u16::MAX) && levels.iter().enumerate().all(is_level)
}

/// Whether the filter stands for more than one topic.
pub(crate) fn is_wild(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

/// Whether a topic fits a filter.
pub(crate) fn fits(filter: &str, topic: &str) -> bool {
    // Topics of the broker itself are asked for by name only.
    if topic.starts_with('$') && !filter.starts_with('$') {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_fit_as_the_standard_says() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/+", "a/b", true),
            ("a/+", "a/b/c", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("+/+", "/a", true),
            ("#", "$SYS/uptime", false),
            ("a/b", "a/bc", false),
            ("a/b/c", "a/b", false),
        ] {
            assert_eq!(fits(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn placeholders_are_filled_and_what_is_wrong_is_named() {
        let mut placeholders = Placeholders::default();
        placeholders.set("device", "lamp");
        assert_eq!(placeholders.fill("tele/{device}/+").expect("it is a filter"), "tele/lamp/+");
        for (template, message) in [
            ("tele/{room}", "the placeholder {room}, but there is {device} only"),
            ("tele/a+", "is no topic"),
            ("#/tele", "is no topic"),
            ("", "is no topic"),
        ] {
            let error = placeholders.fill(template).expect_err(message).to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
