//! The command line of a mapper.

#[cfg(feature = "http")]
mod ask;
mod commands;
mod generate;
mod help;
#[cfg(feature = "standalone")]
mod method_call;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{FromArgMatches, Parser};

use crate::config::{LogLevel, Sources};

#[cfg(feature = "http")]
pub(crate) use ask::{
    Ask, CallArgs, EventsArgs, ExplainArgs, GetArgs, HealthArgs, HistoryArgs, Output, Reach, SetArgs, TopArgs,
};
#[cfg(feature = "standalone")]
pub(crate) use commands::ReplayArgs;
pub(crate) use commands::{CheckArgs, Command, ConvertArgs, DiscoverArgs, Format, RecordArgs, ScaffoldArgs};
pub(crate) use generate::{completions, manual};
pub(crate) use help::Help;
#[cfg(feature = "standalone")]
pub(crate) use method_call::MethodCall;

/// The file that is read when no flag names another one.
const DEFAULT_FILE: &str = "config.yaml";

/// What the command line says.
// There is no positional argument, so that a word remains free to become a subcommand.
#[derive(Debug, Default, PartialEq, Parser)]
#[command(subcommand_help_heading = "Instead of running")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Config file, which must exist [default: config.yaml, if it exists]
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) config_file: Option<PathBuf>,

    #[cfg(feature = "standalone")]
    /// Run without edgecore, on the devices and models in these files, or in the YAML files of these directories
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) standalone: Vec<PathBuf>,

    /// In a terminal, print what happens line by line instead of showing a live table
    #[cfg(feature = "standalone")]
    #[arg(long, requires = "standalone")]
    pub(crate) plain: bool,

    /// Stop by itself after this time, such as `10s`
    #[arg(long, value_name = "DURATION", value_parser = humantime_serde::re::humantime::parse_duration)]
    pub(crate) run_for: Option<Duration>,

    /// Set a key of the config, such as `spool.sync=never`; may be given several times
    #[arg(long, value_name = "KEY=VALUE", global = true, help_heading = "Config", value_parser = key_and_value)]
    set: Vec<(String, String)>,

    #[cfg(feature = "standalone")]
    /// Call a method once its device is connected, and print the results; may be given several times
    #[arg(long = "call", value_name = "NAMESPACE/DEVICE METHOD [PROPERTY=VALUE]...", requires = "standalone")]
    pub(crate) calls: Vec<MethodCall>,

    #[command(flatten)]
    keys: Keys,
}

fn key_and_value(text: &str) -> Result<(String, String), &'static str> {
    let pair = text.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.to_owned()));
    pair.ok_or("write KEY=VALUE, such as spool.sync=never")
}

/// The flags that set a key of the config. They stay text here: what does not fit is the config's to say.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
#[command(next_help_heading = "Config")]
struct Keys {
    /// Protocol whose devices the mapper serves (`common.protocol`)
    #[arg(long)]
    protocol: Option<String>,

    /// Name of the mapper at edgecore (`common.name`)
    #[arg(long)]
    name: Option<String>,

    /// Socket of edgecore (`common.edgecore_sock`)
    #[arg(long, value_name = "PATH")]
    edgecore_sock: Option<String>,

    /// Socket of the mapper, which edgecore dials (`grpc_server.socket_path`)
    #[arg(long, value_name = "PATH")]
    socket_path: Option<String>,

    /// Port of the page and the API; 0 takes a free one (`common.http_port`)
    #[arg(long, value_name = "PORT")]
    http_port: Option<String>,

    /// `text` or `json` (`log.format`)
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,

    /// Verbosity as Go mappers have it: 0 to 3 info, 4 debug, 5 and more trace (`log.level`)
    #[arg(long = "v", short = 'v', value_name = "LEVEL")]
    verbosity: Option<u32>,
}

/// Reads the command line, the program's own name being its first word.
///
/// `--help` and `--version` are an error as well, which prints what was asked for and exits with 0.
pub(crate) fn parse(help: &Help, args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&help.command().try_get_matches_from(args)?)
}

impl Cli {
    /// The mapper's socket, if a flag names it.
    pub(crate) fn socket_path(&self) -> Option<&Path> {
        self.keys.socket_path.as_deref().map(Path::new)
    }

    /// The same config, for a run of this length.
    pub(crate) fn run_for(&self, run_for: Option<Duration>) -> Self {
        Self {
            config_file: self.config_file.clone(),
            set: self.set.clone(),
            keys: self.keys.clone(),
            run_for: run_for.or(self.run_for),
            #[cfg(feature = "standalone")]
            plain: self.plain,
            ..Self::default()
        }
    }

    /// Adds the config file and the flags to the sources of the config.
    pub(crate) fn add_to(&self, sources: Sources) -> Sources {
        let sources = match &self.config_file {
            Some(path) => sources.file(path),
            None => sources.file_if_exists(DEFAULT_FILE),
        };
        let set = |sources: Sources, (flag, key, value): (_, _, Option<String>)| match value {
            Some(value) => sources.flag(flag, key, value),
            None => sources,
        };
        let sources = self.keys.values().into_iter().fold(sources, set);
        self.set.iter().fold(sources, |sources, (key, value)| sources.flag("--set", key, value))
    }
}

impl Keys {
    /// Flag, key and value.
    fn values(&self) -> [(&'static str, &'static str, Option<String>); 7] {
        let level = self.verbosity.map(|verbosity| level_of(verbosity).as_str().to_owned());
        [
            ("--protocol", "common.protocol", self.protocol.clone()),
            ("--name", "common.name", self.name.clone()),
            ("--edgecore-sock", "common.edgecore_sock", self.edgecore_sock.clone()),
            ("--socket-path", "grpc_server.socket_path", self.socket_path.clone()),
            ("--http-port", "common.http_port", self.http_port.clone()),
            ("--log-format", "log.format", self.log_format.clone()),
            ("--v", "log.level", level),
        ]
    }
}

/// What klog's verbosity means here.
fn level_of(verbosity: u32) -> LogLevel {
    match verbosity {
        0..=3 => LogLevel::Info,
        4 => LogLevel::Debug,
        _ => LogLevel::Trace,
    }
}

#[cfg(test)]
mod tests;
