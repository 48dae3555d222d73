//! Environment variables.

use std::ffi::{OsStr, OsString};

use super::{ConfigError, ConfigWarning, InvalidValue, Origin, renamed::Table, settings::Settings, warning::nearest};

const PREFIX: &str = "MAPPER_";
/// What tests read for themselves.
const TEST_PREFIX: &str = "MAPPER_TEST_";

/// The variable that sets a key. No shell takes a dash in a variable's name.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").replace('-', "_").to_uppercase())
}

/// Lays the variables' values over the settings.
pub(super) fn overlay(
    settings: &mut Settings,
    renamed: Table,
    variables: Vec<(OsString, OsString)>,
) -> Result<Vec<ConfigWarning>, ConfigError> {
    let keys: Vec<(String, String)> = settings.keys().into_iter().map(|key| (variable_of(&key), key)).collect();
    let mut warnings = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| is_ours(name)) else { continue };
        let origin = Origin::Variable(name.to_owned());
        let known = keys.iter().find(|(variable, _)| variable.eq_ignore_ascii_case(name));
        let key = if let Some((_, key)) = known {
            key.as_str()
        } else if let Some(renamed) = renamed.find_by(|old| variable_of(old).eq_ignore_ascii_case(name)) {
            warnings.push(renamed.judge(origin.clone(), variable_of(renamed.new))?);
            renamed.new
        } else if is_service_link(name, &value) {
            continue;
        } else {
            let nearest = nearest(name, keys.iter().map(|(variable, _)| variable));
            warnings.push(ConfigWarning::UnknownVariable { name: name.to_owned(), nearest });
            continue;
        };
        match value.to_str() {
            Some(value) => settings.set(key, value, origin),
            None => return Err(ConfigError::Invalid { key: key.to_owned(), origin, problem: InvalidValue::NotUtf8 }),
        }
    }
    Ok(warnings)
}

fn is_ours(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX)
}

/// Kubernetes sets `MAPPER_SERVICE_HOST`, `MAPPER_PORT`, `MAPPER_PORT_7777_TCP_ADDR` and the like for a Service named `mapper`, or whose
/// name begins with `mapper-`.
fn is_service_link(name: &str, value: &OsStr) -> bool {
    let name = name.to_ascii_uppercase();
    let is_address = || {
        let protocols = ["tcp://", "udp://", "sctp://"];
        value.to_str().is_some_and(|value| protocols.iter().any(|protocol| value.starts_with(protocol)))
    };
    let is_port = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT") && is_address()
        || name.split("_PORT_").skip(1).any(is_port)
}
