//! The subcommands, and their arguments.

use std::{path::PathBuf, time::Duration};

use clap::{Subcommand, ValueEnum};
use clap_complete::Shell;

#[cfg(feature = "http")]
use super::Ask;
use crate::manifest::Release;

/// What a mapper's program does instead of running.
#[derive(Debug, PartialEq, Subcommand)]
pub(crate) enum Command {
    /// Find what is wrong with device manifests, before a node does
    Check(CheckArgs),
    /// Print a DeviceModel and a Device that fit the driver
    Sample,
    /// Print a driver, or a Device, for a DeviceModel
    Scaffold(ScaffoldArgs),
    /// Print manifests of KubeEdge before v1.15, of v1alpha1 and v1alpha2, as v1beta1
    Convert(ConvertArgs),
    /// Search for devices, and print a Device and its DeviceModel for each that is found
    ///
    /// Ctrl-C ends the search, and what was found is printed; a second one ends the program at once.
    Discover(DiscoverArgs),
    /// Run the mapper, and keep in a file what its driver is asked and what it answers
    Record(RecordArgs),
    /// Run the mapper on a recording, without its devices and without edgecore
    #[cfg(feature = "standalone")]
    Replay(ReplayArgs),
    #[cfg(feature = "http")]
    #[command(flatten)]
    Ask(Ask),
    /// Print a script that completes the command line in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page of the program, or of a subcommand
    Man {
        /// The subcommand
        subcommand: Option<String>,
    },
}

/// The arguments of `check`.
#[derive(Debug, PartialEq, clap::Args)]
pub(crate) struct CheckArgs {
    /// Manifests, or directories of them
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// Fail for warnings, too
    #[arg(long)]
    pub(crate) strict: bool,

    /// Release of KubeEdge in the cluster, from v1.15 to v1.23: fields that it does not know are errors
    #[arg(long, value_name = "RELEASE", default_value_t)]
    pub(crate) kubeedge: Release,

    /// Take namespaces such as `dev`, of whose devices edgecore loses all twins and states: only sinks get their values
    #[arg(long)]
    pub(crate) allow_lost_namespaces: bool,
}

/// How `check` prints its findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// The arguments of `convert`.
#[derive(Debug, PartialEq, clap::Args)]
pub(crate) struct ConvertArgs {
    /// Manifests of models with their devices, directories of them, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

/// The arguments of `scaffold`.
#[derive(Debug, PartialEq, clap::Args)]
pub(crate) struct ScaffoldArgs {
    /// Manifest with one DeviceModel
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,

    /// Print a Device with all of the model's properties, instead of a driver
    #[arg(long)]
    pub(crate) instance: bool,

    /// Write to this file instead of printing. It comes to its place whole, so it may be part of the mapper that is being built
    #[arg(long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,

    /// Write over the file if it exists
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
}

/// The arguments of `discover`.
#[derive(Debug, PartialEq, clap::Args)]
pub(crate) struct DiscoverArgs {
    /// Where to search and what for, as the mapper's driver has it. `credentials=NAME` names a folder in `driver.credentials`
    #[arg(value_name = "KEY=VALUE", value_parser = argument)]
    pub(crate) args: Vec<(String, String)>,

    /// Namespace of what is printed
    #[arg(long, default_value = "default")]
    pub(crate) namespace: String,

    /// Node that runs the mapper
    #[arg(long, value_name = "NODE", default_value = "edge-node")]
    pub(crate) node_name: String,

    /// End the search after this time, such as `10s`, if it has not ended by itself
    #[arg(long, value_name = "DURATION", value_parser = humantime_serde::re::humantime::parse_duration)]
    pub(crate) run_for: Option<Duration>,
}

/// The arguments of `record`.
#[derive(Debug, PartialEq, clap::Args)]
pub(crate) struct RecordArgs {
    /// File to write, which must not exist
    pub(crate) file: PathBuf,

    /// End the recording, and not the mapper, when the file has so many bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    pub(crate) max_bytes: u64,

    /// Run without edgecore, as the flag of the same name does outside of `record`
    #[cfg(feature = "standalone")]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) standalone: Vec<PathBuf>,

    /// Stop by itself after this time, such as `10s`
    #[arg(long, value_name = "DURATION", value_parser = humantime_serde::re::humantime::parse_duration)]
    pub(crate) run_for: Option<Duration>,
}

/// The arguments of `replay`.
#[cfg(feature = "standalone")]
#[derive(Debug, PartialEq, clap::Args)]
pub(crate) struct ReplayArgs {
    /// File that `record` has written
    pub(crate) file: PathBuf,

    /// How many times as fast as it was recorded
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,

    /// Stop by itself after this time, such as `10s` [default: when the recording ends]
    #[arg(long, value_name = "DURATION", value_parser = humantime_serde::re::humantime::parse_duration)]
    pub(crate) run_for: Option<Duration>,
}

#[cfg(feature = "standalone")]
fn speed(text: &str) -> Result<f64, &'static str> {
    let speed = text.parse().ok().filter(|speed| (0.01..=1000.0).contains(speed));
    speed.ok_or("write a number from 0.01 to 1000, such as 10")
}

fn argument(text: &str) -> Result<(String, String), &'static str> {
    let pair = text.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.to_owned()));
    pair.filter(|(key, _)| !key.is_empty()).ok_or("write KEY=VALUE, such as host=192.0.2.7")
}
