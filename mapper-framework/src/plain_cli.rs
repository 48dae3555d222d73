//! The command line of a mapper without the feature `cli`: a config file, and a probe.

use std::{ffi::OsString, io, path::PathBuf, time::Duration};

use crate::config::Sources;
#[cfg(feature = "http")]
use crate::http::Probe;

/// The file that is read when no flag names another one.
const DEFAULT_FILE: &str = "config.yaml";

/// The flag that names the config file.
const CONFIG_FILE: &str = "--config-file";

/// The subcommand that probes the mapper that runs.
#[cfg(feature = "http")]
const HEALTH: &str = "health";

/// The exit code after a wrong command line.
const USAGE: i32 = 2;

/// What the command line says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Cli {
    config_file: Option<PathBuf>,
    /// Never: the flag for it is part of the feature.
    pub(crate) run_for: Option<Duration>,
    /// Asks the mapper that runs, instead of running.
    #[cfg(feature = "http")]
    pub(crate) probe: Option<Probe>,
}

/// A word that is not understood.
#[derive(Debug, PartialEq)]
pub(crate) struct UsageError(String);

/// Reads the command line, the program's own name being its first word.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, UsageError> {
    let mut cli = Cli::default();
    let mut args = args.into_iter().skip(1).peekable();
    #[cfg(feature = "http")]
    if args.next_if(|word| word == HEALTH).is_some() {
        cli.probe = Some(Probe::Ready);
    }
    while let Some(word) = args.next() {
        let path = match word.to_str().and_then(|word| word.strip_prefix(CONFIG_FILE)) {
            Some("") => args.next().ok_or_else(|| UsageError(format!("{CONFIG_FILE} needs a path")))?.into(),
            Some(rest) if rest.starts_with('=') => PathBuf::from(&rest[1..]),
            #[cfg(feature = "http")]
            _ if cli.probe.is_some() && (word == "--live" || word == "--ready") => {
                cli.probe = Some(if word == "--live" { Probe::Live } else { Probe::Ready });
                continue;
            }
            _ => return Err(UsageError(format!("{} is unknown here", word.display()))),
        };
        cli.config_file = Some(path);
    }
    Ok(cli)
}

impl Cli {
    /// Adds the config file to the sources of the config.
    pub(crate) fn add_to(&self, sources: Sources) -> Sources {
        match &self.config_file {
            Some(path) => sources.file(path),
            None => sources.file_if_exists(DEFAULT_FILE),
        }
    }
}

impl UsageError {
    /// Prints it to standard error.
    pub(crate) fn print(&self) -> io::Result<()> {
        let Self(what) = self;
        eprintln!(
            "error: {what}: this mapper is built without the feature `cli`, and takes {CONFIG_FILE} PATH{} only",
            also()
        );
        Ok(())
    }

    pub(crate) fn exit_code(&self) -> i32 {
        USAGE
    }
}

/// What is taken besides.
fn also() -> &'static str {
    if cfg!(feature = "http") { " and `health [--live]`" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Cli, UsageError> {
        parse(["plain"].into_iter().chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn a_config_file_is_taken_in_both_forms() {
        let wanted = Ok(Cli { config_file: Some("/etc/mapper.yaml".into()), ..Cli::default() });
        assert_eq!(args("--config-file /etc/mapper.yaml"), wanted);
        assert_eq!(args("--config-file=/etc/mapper.yaml"), wanted);
        assert_eq!(args(""), Ok(Cli::default()));
    }

    #[cfg(feature = "http")]
    #[test]
    fn a_probe_is_a_subcommand() {
        for (line, probe) in
            [("health", Probe::Ready), ("health --ready", Probe::Ready), ("health --live", Probe::Live)]
        {
            assert_eq!(args(line).unwrap().probe, Some(probe), "{line}");
        }
        let cli = args("health --config-file c.yaml --live").unwrap();
        assert_eq!((cli.config_file, cli.probe), (Some("c.yaml".into()), Some(Probe::Live)));
        for line in ["--live", "--config-file c.yaml health", "health health"] {
            assert!(args(line).is_err(), "{line}");
        }
    }

    #[test]
    fn anything_else_is_a_wrong_command_line() {
        for line in ["check devices", "--help", "--config-files x", "--standalone devices", "--config-file"] {
            let error = args(line).expect_err(line);
            assert_eq!(error.exit_code(), USAGE, "{line}");
        }
    }
}
