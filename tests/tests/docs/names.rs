//! Names in the documents are those of the code: keys of the config, variables, flags, counters, and log lines.

use std::{collections::BTreeSet, fs};

use mapper_framework::{Stats, config::Config};
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

/// The names of the counters.
fn counters() -> Vec<String> {
    let debug = format!("{:?}", Stats::default());
    let fields = debug.trim_start_matches("Stats {").trim_end_matches('}').split(',');
    fields.map(|field| field.split_once(':').unwrap().0.trim().to_owned()).collect()
}

/// The code of all guides, with the name of the guide.
fn code() -> Vec<(String, String)> {
    let guides = guides();
    let spans = guides.iter().flat_map(|guide| guide.code().into_iter().map(|code| (guide.name(), code.to_owned())));
    spans.collect()
}

#[test]
fn every_key_of_the_config_in_the_guides_exists() {
    let (keys, sections) = keys();
    let top: Vec<_> = sections.iter().filter(|section| !section.is_empty() && !section.contains('.')).collect();
    let mut seen = 0;
    for (guide, code) in code() {
        // `sinks.redis.max_length: 0` names the key, too.
        let name = code.split(':').next().unwrap_or_default();
        let is_a_key =
            top.iter().any(|section| name.strip_prefix(section.as_str()).is_some_and(|rest| rest.starts_with('.')));
        if is_a_key {
            seen += 1;
            assert!(keys.contains(name) || sections.contains(name), "{guide}: there is no key `{name}`");
        }
    }
    assert!(seen > 80, "only {seen} keys were found");
}

#[test]
fn every_environment_variable_of_the_framework_in_the_guides_is_one_of_a_key() {
    let variables: BTreeSet<_> =
        keys().0.iter().map(|key| format!("MAPPER_{}", key.replace('.', "__").to_uppercase())).collect();
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
        let told = row.split('|').next().unwrap_or_default().trim().trim_matches('`');
        let default = match &defaults.pointer(&format!("/{}", key.replace('.', "/"))).unwrap() {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let is_derived = ["the mapper's name", "/var/lib/kubeedge/<name>/spool"].contains(&told) && default.is_empty();
        assert!(told == default || is_derived, "sinks.md tells {told:?} for `{key}`, and it is {default:?}");
    }
}

#[test]
fn every_counter_stands_in_the_guide_to_failures_and_each_that_stands_there_exists() {
    let (guide, counters) = (document("docs/failure-modes.md"), counters());
    let code: BTreeSet<_> = guide.code().into_iter().collect();
    for counter in &counters {
        assert!(code.contains(counter.as_str()), "failure-modes.md does not tell of the counter {counter}");
    }
    let is_like_a_counter = |code: &&&str| {
        code.contains('_')
            && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            && **code != "spawn_blocking"
    };
    for name in code.iter().filter(is_like_a_counter) {
        assert!(counters.iter().any(|counter| counter == name), "failure-modes.md names {name}, which is no counter");
    }
}

/// The levels at which the framework logs messages that begin like this.
fn levels_of(sources: &str, message: &str) -> Vec<&'static str> {
    const MACROS: [(&str, &str); 4] =
        [("error!(", "ERROR"), ("warn!(", "WARN"), ("info!(", "INFO"), ("debug!(", "DEBUG")];
    let level_at = |at: usize| {
        let calls = MACROS.iter().filter_map(|(name, level)| Some((sources[..at].rfind(name)?, *level)));
        calls.max().map(|(_, level)| level)
    };
    sources.match_indices(&format!("\"{message}")).filter_map(|(at, _)| level_at(at)).collect()
}

#[test]
fn every_log_line_in_the_guides_is_one_of_the_framework_at_its_level() {
    let sources =
        ["telemetry.rs", "mapper.rs", "dmi/transport.rs"].map(|file| root().join("mapper-framework/src").join(file));
    let sources = sources.map(|file| fs::read_to_string(file).unwrap()).join("\n");
    // A string that goes on in the next line.
    let sources = sources.split("\\\n").map(str::trim_start).collect::<Vec<_>>().concat();
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
    let telemetry = fs::read_to_string(root().join("mapper-framework/src/telemetry.rs")).unwrap();
    let telemetry = telemetry.split("\\\n").map(str::trim_start).collect::<Vec<_>>().concat();
    let text = document("docs/failure-modes.md").text();
    for (level, name) in [("ERROR", "error!("), ("WARN", "warn!(")] {
        for call in telemetry.split(name).skip(1) {
            let message = call.split('"').nth(1).unwrap_or_default();
            // A long one is told by its beginning, up to the first stop.
            let begin = message.split([':', ',']).next().unwrap_or_default();
            assert!(
                text.contains(&format!("{level} {begin}")),
                "failure-modes.md does not tell of {level} {message:?}"
            );
        }
    }
}
