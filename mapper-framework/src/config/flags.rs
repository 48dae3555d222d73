//! Flags.

use super::{ConfigError, ConfigWarning, Origin, renamed::Table, settings::Settings, warning::nearest};

/// Lays the flags' values over the settings.
pub(super) fn overlay(
    settings: &mut Settings,
    renamed: Table,
    flags: Vec<(&'static str, String, String)>,
) -> Result<Vec<ConfigWarning>, ConfigError> {
    let keys = settings.keys();
    let mut warnings = Vec::new();
    for (flag, key, value) in flags {
        let origin = Origin::Flag(flag);
        if keys.contains(&key) {
            settings.set(&key, &value, origin);
        } else if let Some(renamed) = renamed.find_by(|old| old == key) {
            warnings.push(renamed.judge(origin.clone(), format!("`{}`", renamed.new))?);
            settings.set(renamed.new, &value, origin);
        } else {
            return Err(ConfigError::UnknownKey { nearest: nearest(&key, &keys), origin, key });
        }
    }
    Ok(warnings)
}
