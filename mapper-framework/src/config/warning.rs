//! What is odd about a config, and not fatal.

use std::fmt;

use super::Origin;

/// Something in the config that has no effect. To be logged at WARN.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigWarning {
    /// The file has a key that the framework does not know.
    #[non_exhaustive]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// The known key that is most like it, if one is.
        nearest: Option<String>,
    },
    /// An environment variable looks like a key that the framework does not know.
    #[non_exhaustive]
    UnknownVariable {
        /// The variable's name.
        name: String,
        /// The variable of a known key that is most like it, if one is.
        nearest: Option<String>,
    },
    /// A key has got another name. The old one is taken for now, and will be an error.
    #[non_exhaustive]
    Renamed {
        /// The key's old name.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// The key's new name.
        new: &'static str,
        /// The version of the framework that brought the new name.
        since: &'static str,
        /// What to write in its place: the key, or its variable.
        instead: String,
    },
    /// The file has a key of old Go mappers.
    #[non_exhaustive]
    NoEffect {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
    },
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { key, origin, nearest } => {
                write!(f, "{origin}: unknown key `{key}` is ignored")?;
                write_nearest(f, nearest.as_deref())
            }
            Self::UnknownVariable { name, nearest } => {
                write!(f, "environment variable {name} names no key and is ignored")?;
                write_nearest(f, nearest.as_deref())
            }
            Self::Renamed { key, origin, new, since, instead } => {
                write!(
                    f,
                    "{origin}: `{key}` is called `{new}` since {since}, and the old name will be refused: write {instead}"
                )
            }
            Self::NoEffect { key, origin } => {
                write!(f, "{origin}: `{key}` has no effect: devices always come from edgecore; it may be deleted")
            }
        }
    }
}

fn write_nearest(f: &mut fmt::Formatter<'_>, nearest: Option<&str>) -> fmt::Result {
    nearest.map_or(Ok(()), |nearest| write!(f, "; did you mean `{nearest}`?"))
}

/// Below this likeness a suggestion would puzzle more than help.
const LIKE_ENOUGH: f64 = 0.6;

/// The known name that is most like `name`: on the whole, or in its last part, which may stand in the wrong section.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a String>) -> Option<String> {
    let likeness = |known: &str| {
        let whole = strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
        let last = strsim::normalized_damerau_levenshtein(&last_part(name), &last_part(known));
        // The whole name decides between two keys whose last parts are equally like it.
        f64::max(whole, 0.9 * last + 0.09 * whole)
    };
    known
        .into_iter()
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness >= LIKE_ENOUGH)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known.clone())
}

fn last_part(name: &str) -> String {
    let name = name.rsplit_once('.').map_or(name, |(_, last)| last);
    name.rsplit_once("__").map_or(name, |(_, last)| last).to_lowercase()
}
