//! Names in the documents are those of the code: keys of the config, variables, flags, counters, and log lines.

use std::{collections::BTreeSet, fs, path::Path};

use mapper_framework::{config::Config, stats::Stats};
use serde_json::Value;

use crate::{document, guides, root};

/// The keys of the config, and its sections.
fn keys() -> (BTreeSet<String>, BTreeSet<String>) {
    fn walk(path: &str, value: &Value, keys: &mut BTreeSet<String>, sections: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                sections.insert(path.to_owned());
                for (name, value) in fields {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    walk(&path, value, keys, sections);
                }
            }
            _ => {
                keys.insert(path.to_owned());
            }
        }
    }
    let (mut keys, mut sections) = (BTreeSet::new(), BTreeSet::new());
    let config = serde_json::to_value(Config::default()).unwrap();
    walk("", &config, &mut keys, &mut sections);
    (keys, sections)
}

/// The names of the counters, each with its group.
fn counters() -> Vec<&'static str> {
    Stats::default().counters().map(|(name, _)| name).collect()
}

/// The sources in a folder and those below, with strings that go on in the next line joined.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text.split("\\\n").map(str::trim_start).collect::<Vec<_>>().concat()
}

/// The code of all guides, with the name of the guide.
fn code() -> Vec<(String, String)> {
    let guides = guides();
    let spans = guides.iter().flat_map(|guide| guide.code().into_iter().map(|code| (guide.name(), code.to_owned())));
    spans.collect()
}

/// The sections that the guides' driver and sink and the example for OPC UA bring with them, and their keys.
const OWN: [&str; 7] = [
    "driver.settings",
    "driver.settings.bus",
    "driver.settings.pki",
    "sinks.<name>",
    "sinks.lines",
    "sinks.lines.prefix",
    "sinks.lines.credentials",
];

fn variable_of(key: &str) -> String {
    format!("MAPPER_{}", key.replace('.', "__").to_uppercase())
}

#[test]
fn every_key_of_the_config_in_the_guides_exists() {
    let (keys, sections) = keys();
    let top: Vec<_> = sections.iter().filter(|section| !section.is_empty() && !section.contains('.')).collect();
    let mut seen = 0;
    for (guide, code) in code() {
        // `sinks.redis.max_length: 0` names the key, too.
        let name = code.split(':').next().unwrap_or_default();
        if counters().contains(&name) {
            continue;
        }
        let is_a_key =
            top.iter().any(|section| name.strip_prefix(section.as_str()).is_some_and(|rest| rest.starts_with('.')));
        if is_a_key {
            seen += 1;
            let exists = keys.contains(name) || sections.contains(name) || OWN.contains(&name);
            assert!(exists, "{guide}: there is no key `{name}`");
        }
    }
    assert!(seen > 80, "only {seen} keys were found");
}

#[test]
fn every_environment_variable_of_the_framework_in_the_guides_is_one_of_a_key() {
    let keys = keys().0;
    let variables: BTreeSet<_> = keys.iter().map(String::as_str).chain(OWN).map(variable_of).collect();
    let named: Vec<_> = code().into_iter().filter(|(_, code)| code.starts_with("MAPPER_")).collect();
    assert!(!named.is_empty());
    for (guide, variable) in named {
        assert!(variables.contains(&variable), "{guide}: there is no variable {variable}");
    }
}

#[test]
fn the_guide_to_the_sinks_has_every_key_of_the_sinks_and_of_the_spool_with_its_default() {
    let guide = document("docs/sinks.md");
    let defaults = serde_json::to_value(Config::default()).unwrap();
    for key in keys().0.iter().filter(|key| key.starts_with("sinks.") || key.starts_with("spool.")) {
        let begin = format!("| `{key}` | ");
        let row = guide.prose.iter().find_map(|line| line.strip_prefix(&begin));
        let row = row.unwrap_or_else(|| panic!("sinks.md has no row for `{key}`"));
        let documented = row.split('|').next().unwrap_or_default().trim().trim_matches('`');
        let default = match &defaults.pointer(&format!("/{}", key.replace('.', "/"))).unwrap() {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let is_derived =
            ["the mapper's name", "/var/lib/kubeedge/<name>/spool"].contains(&documented) && default.is_empty();
        assert!(documented == default || is_derived, "sinks.md has {documented:?} for `{key}`, and it is {default:?}");
    }
}

#[test]
fn the_guide_to_reports_has_every_key_of_reports_and_pushes() {
    let source = fs::read_to_string(root().join("mapper-framework/src/model/report.rs")).unwrap();
    let is_key = |word: &&str| {
        let name = ["report", "push"].iter().find_map(|begin| word.strip_prefix(begin));
        name.is_some_and(|name| name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphabetic))
    };
    let keys: BTreeSet<_> = source.split('"').filter(is_key).collect();
    assert_eq!(keys.len(), 11, "{keys:?}");
    let guide = document("docs/reporting.md");
    for key in keys {
        assert!(
            guide.prose.iter().any(|line| line.starts_with(&format!("| `{key}` | "))),
            "reporting.md has no `{key}`"
        );
    }
}

#[test]
fn every_counter_stands_in_the_guide_to_failures_and_each_that_stands_there_exists() {
    let (guide, counters) = (document("docs/failure-modes.md"), counters());
    let code: BTreeSet<_> = guide.code().into_iter().collect();
    for counter in &counters {
        assert!(code.contains(counter), "failure-modes.md has no counter {counter}");
    }
    let groups: BTreeSet<_> =
        counters.iter().filter_map(|counter| counter.split_once('.')).map(|(group, _)| group).collect();
    let (keys, _) = keys();
    let is_like_a_counter = |code: &&&str| {
        let is_a_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let of_a_group = code.split_once('.').is_some_and(|(group, name)| groups.contains(group) && is_a_name(name));
        of_a_group && !keys.contains(**code)
    };
    for name in code.iter().filter(is_like_a_counter) {
        assert!(counters.contains(name), "failure-modes.md names {name}, which is no counter");
    }
}

/// The levels at which the framework logs messages that begin like this.
fn levels_of(sources: &str, message: &str) -> Vec<&'static str> {
    const MACROS: [(&str, &str); 4] =
        [("error!(", "ERROR"), ("warn!(", "WARN"), ("info!(", "INFO"), ("debug!(", "DEBUG")];
    let level_at = |at: usize| {
        // An event of the telemetry names the level just before, and `line!` with a comma.
        let before = sources[..at].trim_end_matches([' ', ',']);
        let declared = MACROS.iter().find(|(_, level)| before.ends_with(level)).map(|(_, level)| *level);
        let calls = MACROS.iter().filter_map(|(name, level)| Some((before.rfind(name)?, *level)));
        declared.or(calls.max().map(|(_, level)| level))
    };
    sources.match_indices(&format!("\"{message}")).filter_map(|(at, _)| level_at(at)).collect()
}

#[test]
fn every_log_line_in_the_guides_is_one_of_the_framework_at_its_level() {
    let sources = sources(&root().join("mapper-framework/src"));
    let mut seen = 0;
    for (guide, code) in code() {
        let levels = ["ERROR ", "WARN ", "INFO "];
        let Some(level) = levels.iter().find(|level| code.starts_with(**level)) else { continue };
        seen += 1;
        let found = levels_of(&sources, &code[level.len()..]);
        assert!(found.contains(&level.trim()), "{guide}: {code}, which is logged as {found:?}");
    }
    assert!(seen > 40, "only {seen} log lines were found");
}

#[test]
fn every_warning_and_error_that_is_counted_stands_in_the_guide_to_failures() {
    let telemetry = sources(&root().join("mapper-framework/src/telemetry"));
    let mut seen = 0;
    let text = document("docs/failure-modes.md").text();
    for (level, name) in [("ERROR", " ERROR \""), ("WARN", " WARN \"")] {
        for event in telemetry.split(name).skip(1) {
            seen += 1;
            let message = event.split('"').next().unwrap_or_default();
            // A long one is known by its beginning, up to the first stop.
            let begin = message.split([':', ',']).next().unwrap_or_default();
            assert!(text.contains(&format!("{level} {begin}")), "failure-modes.md has no {level} {message:?}");
        }
    }
    assert!(seen > 25, "only {seen} events were found");
}
