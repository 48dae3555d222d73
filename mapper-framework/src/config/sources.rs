//! Where a config comes from.

use std::{ffi::OsString, fmt, fs, io, path::PathBuf};

use super::{
    Config, ConfigError,
    renamed::{RENAMED, Table},
};

/// What [`Config::load`] reads: the defaults of the mapper's author, a file, environment variables and flags.
///
/// Nothing is read from the process: who starts the mapper passes it in, and a test passes what it likes.
#[derive(Debug)]
pub struct Sources {
    pub(super) defaults: Config,
    pub(super) file: File,
    pub(super) env: Vec<(OsString, OsString)>,
    /// Flag, key and value.
    pub(super) flags: Vec<(&'static str, String, String)>,
    /// Which keys have had another name; tests bring their own.
    pub(super) renamed: Table,
}

impl Sources {
    /// Starts with the defaults: [`Config::default`], or what the mapper's author made of it.
    pub fn new(defaults: Config) -> Self {
        Self { defaults, file: File::None, env: Vec::new(), flags: Vec::new(), renamed: Table(RENAMED) }
    }

    /// Reads this file, which must exist. It replaces another file.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = File::Named(path.into());
        self
    }

    /// Reads this file if it exists. It replaces another file.
    #[must_use]
    pub fn file_if_exists(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = File::IfExists(path.into());
        self
    }

    /// Takes this text for the contents of a file of this name. It replaces another file.
    #[must_use]
    pub fn contents(mut self, name: impl Into<String>, yaml: impl Into<String>) -> Self {
        self.file = File::Contents(name.into(), yaml.into());
        self
    }

    /// Adds environment variables, such as [`std::env::vars_os`]. Those that do not begin with `MAPPER_` have no effect.
    #[must_use]
    pub fn env<K: Into<OsString>, V: Into<OsString>>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self {
        self.env.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Sets a key by a flag. The later one wins.
    #[must_use]
    pub(crate) fn flag(mut self, flag: &'static str, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.flags.push((flag, key.into(), value.into()));
        self
    }
}

/// The config file.
#[derive(Debug)]
pub(super) enum File {
    None,
    Named(PathBuf),
    IfExists(PathBuf),
    Contents(String, String),
}

impl File {
    /// The file's name and its text.
    pub(super) fn read(self) -> Result<Option<(String, String)>, ConfigError> {
        let (path, must_exist) = match self {
            Self::None => return Ok(None),
            Self::Contents(name, text) => return Ok(Some((name, text))),
            Self::Named(path) => (path, true),
            Self::IfExists(path) => (path, false),
        };
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some((path.display().to_string(), text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => Ok(None),
            Err(reason) => Err(ConfigError::Unreadable { path, reason }),
        }
    }
}

/// Where a value of the config comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A file. Lines and columns count from 1.
    #[non_exhaustive]
    File {
        /// The file's name.
        name: String,
        /// The line on which the value begins.
        line: u64,
        /// The column in which the value begins.
        column: u64,
    },
    /// The environment variable of this name.
    Variable(String),
    /// This flag, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}
