//! Keys that have had another name.
//!
//! A key that gets another name goes through two stages, each of which lasts for a minor version at least: first the old name is
//! taken and warned of, then it is refused. It is never ignored, and stays in the table for ever: whoever upgrades over several
//! versions gets the new name as well.

use super::{ConfigError, ConfigWarning, Origin};

/// A key under its old and its new name.
#[derive(Debug)]
pub(super) struct Renamed {
    pub(super) old: &'static str,
    pub(super) new: &'static str,
    /// The version that brought the new name.
    pub(super) since: &'static str,
    /// Whether the old name is refused, and no longer taken with a warning.
    pub(super) is_refused: bool,
}

/// All keys that have had another name.
pub(super) const RENAMED: &[Renamed] = &[];

/// The table, to look keys up in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table(pub(super) &'static [Renamed]);

impl Table {
    /// The key whose old name fits.
    pub(super) fn find_by(self, fits: impl Fn(&str) -> bool) -> Option<&'static Renamed> {
        self.0.iter().find(|renamed| fits(renamed.old))
    }

    /// Whether keys of this section have another name; the section itself may be gone.
    pub(super) fn has_section(self, section: &str) -> bool {
        self.0.iter().any(|renamed| renamed.old.strip_prefix(section).is_some_and(|rest| rest.starts_with('.')))
    }
}

impl Renamed {
    /// What becomes of the old name: a warning for now, or an error. `instead` is the new name as it is written there.
    pub(super) fn judge(&self, origin: Origin, instead: String) -> Result<ConfigWarning, ConfigError> {
        let (key, new, since) = (self.old.to_owned(), self.new, self.since);
        if self.is_refused {
            Err(ConfigError::Renamed { key, origin, new, since, instead })
        } else {
            Ok(ConfigWarning::Renamed { key, origin, new, since, instead })
        }
    }
}
