//! The command line of a mapper.

#[cfg(feature = "http")]
mod ask;
mod generate;
mod help;
#[cfg(feature = "standalone")]
mod method_call;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::{
    config::{LogLevel, Package, Sources},
    manifest::Release,
};

#[cfg(feature = "http")]
pub(crate) use ask::{
    Ask, CallArgs, EventsArgs, ExplainArgs, GetArgs, HealthArgs, HistoryArgs, Output, Reach, SetArgs, TopArgs,
};
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
mod tests {
    use clap::error::ErrorKind;

    use super::*;
    use crate::config::{Config, LogFormat};

    const PACKAGE: Package = Package::new("tower-light-mapper", "0.3.1", "Switches tower lights");
    const HELP: Help = Help { package: PACKAGE, own_keys: Vec::new(), discover_args: &[] };

    fn args(line: &str) -> Result<Cli, clap::Error> {
        parse(&HELP, line.split_whitespace().map(OsString::from))
    }

    fn config(line: &str) -> Config {
        let sources = args(line).unwrap().add_to(Sources::new(Config::from_package(&PACKAGE)));
        Config::load(sources).unwrap().0
    }

    #[test]
    fn the_command_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_version_names_the_mapper_and_the_framework() {
        let error = args("mapper --version").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DisplayVersion);
        let expected = format!("tower-light-mapper 0.3.1 (mapper-framework {})\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn the_help_says_what_the_mapper_is_and_names_every_flag() {
        let error = args("mapper --help").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DisplayHelp);
        let help = error.to_string();
        assert!(help.starts_with("Switches tower lights\n\nUsage: mapper [OPTIONS] [COMMAND]"), "{help}");
        let others = ["--config-file", "--standalone", "--call", "--run-for", "--set", "--help", "--version"];
        for flag in Keys::default().values().map(|(flag, _, _)| flag).into_iter().chain(others) {
            assert!(help.contains(flag), "{flag}:\n{help}");
        }
    }

    #[test]
    fn the_help_lists_the_keys_of_the_mapper_with_their_defaults() {
        let key = |key: &str, default: &str| (key.to_owned(), default.to_owned());
        let keys = [key("driver.settings.port", "502"), key("driver.settings.bus", "")];
        let help = Help { own_keys: keys.to_vec(), ..HELP };
        let help = parse(&help, ["mapper", "--help"].map(OsString::from)).unwrap_err().to_string();
        assert!(help.contains("\n  driver.settings.port  [default: 502]\n  driver.settings.bus\n\nEach key"), "{help}");
    }

    #[test]
    fn any_key_can_be_set_by_a_flag() {
        let config = config("mapper --protocol p --set spool.sync=never --set common.name=a=b --name n");
        assert_eq!((config.spool.sync, config.common.name.as_str()), (crate::config::SpoolSync::Never, "a=b"));
        let set = |line| args(line).unwrap().add_to(Sources::new(Config::default()));
        let error = Config::load(set("mapper --protocol p --set spool.sink=never")).unwrap_err().to_string();
        assert_eq!(error, "flag --set: there is no key `spool.sink`; did you mean `spool.sync`?");
        let error = Config::load(set("mapper --protocol p --set report.burst=many")).unwrap_err().to_string();
        assert!(error.starts_with("flag --set: `report.burst`: found \"many\", expected a whole number"), "{error}");
        let error = args("mapper --set spool.sync").unwrap_err().to_string();
        assert!(error.contains("write KEY=VALUE"), "{error}");
    }

    #[test]
    fn flags_reach_the_config() {
        let line = "mapper --protocol modbus --name m7 --edgecore-sock /run/dmi.sock --socket-path /run/m.sock \
                    --http-port 0 --log-format json --v=4";
        let config = config(line);
        assert_eq!((config.common.protocol.as_str(), config.common.name.as_str()), ("modbus", "m7"));
        assert_eq!(config.common.edgecore_sock.to_str(), Some("/run/dmi.sock"));
        assert_eq!(config.grpc_server.socket_path.to_str(), Some("/run/m.sock"));
        assert_eq!(config.common.http_port, 0);
        assert_eq!((config.log.format, config.log.level), (LogFormat::Json, LogLevel::Debug));
    }

    #[test]
    fn without_flags_the_package_names_the_mapper() {
        let config = config("mapper --protocol gpio");
        assert_eq!((config.common.name.as_str(), config.common.version.as_str()), ("tower-light-mapper", "0.3.1"));
    }

    #[test]
    fn the_verbosity_of_go_mappers_becomes_a_level() {
        for (spelling, level) in [
            ("--v=0", LogLevel::Info),
            ("--v 3", LogLevel::Info),
            ("--v=4", LogLevel::Debug),
            ("-v=4", LogLevel::Debug),
            ("-v 5", LogLevel::Trace),
            ("--v=10", LogLevel::Trace),
        ] {
            assert_eq!(config(&format!("mapper --protocol p {spelling}")).log.level, level, "{spelling}");
        }
        assert_eq!(args("mapper --v=loud").unwrap_err().kind(), ErrorKind::ValueValidation);
    }

    #[test]
    fn a_search_has_arguments_of_the_driver_s() {
        let cli = args("mapper discover host=plc query=a=b --namespace plant --run-for 5s").unwrap();
        let Some(Command::Discover(discover)) = cli.command else { panic!("{cli:?}") };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(discover.args, [pair("host", "plc"), pair("query", "a=b")]);
        assert_eq!((discover.namespace.as_str(), discover.run_for), ("plant", Some(Duration::from_secs(5))));
        for wrong in ["mapper discover plc", "mapper discover =plc"] {
            let error = args(wrong).unwrap_err().to_string();
            assert!(error.contains("write KEY=VALUE, such as host=192.0.2.7"), "{error}");
        }
    }

    #[test]
    fn a_run_may_be_limited_in_time() {
        assert_eq!(args("mapper --run-for 1m30s").unwrap().run_for, Some(Duration::from_secs(90)));
        let error = args("mapper --run-for soon").unwrap_err().to_string();
        assert!(error.contains("invalid value 'soon' for '--run-for <DURATION>'"), "{error}");
    }

    #[test]
    fn a_standalone_run_names_its_directories_and_files() {
        assert_eq!(args("mapper --standalone devices").unwrap().standalone, [PathBuf::from("devices")]);
        for line in ["mapper --standalone a.yaml b.yaml --v=4", "mapper --standalone a.yaml --standalone b.yaml"] {
            assert_eq!(args(line).unwrap().standalone, ["a.yaml", "b.yaml"].map(PathBuf::from));
        }
        assert_eq!(args("mapper").unwrap(), Cli::default());
    }

    #[test]
    fn a_call_needs_a_standalone_run_and_may_be_repeated() {
        let words = |words: &[&str]| parse(&HELP, words.iter().map(OsString::from));
        let line = ["mapper", "--standalone", "d", "--call", "default/a set x=1", "--call", "default/a reset"];
        let calls = words(&line).unwrap().calls;
        assert_eq!(calls.iter().map(|call| call.method.as_str()).collect::<Vec<_>>(), ["set", "reset"]);
        let error = words(&["mapper", "--call", "default/a set"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
        let error = words(&["mapper", "--standalone", "d", "--call", "default/a set 1"]).unwrap_err().to_string();
        assert!(error.contains("\"1\" is no argument: write PROPERTY=VALUE"), "{error}");
    }

    #[test]
    fn a_config_file_that_is_named_must_exist() {
        let cli = args("mapper --protocol p --config-file /nowhere/config.yaml").unwrap();
        let error = Config::load(cli.add_to(Sources::new(Config::default()))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the config file /nowhere/config.yaml: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn a_flag_that_does_not_fit_is_named() {
        let cli = args("mapper --protocol p --http-port 70000").unwrap();
        let error = Config::load(cli.add_to(Sources::new(Config::default()))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "flag --http-port: `common.http_port`: found 70000, expected a whole number from 0 to 65535"
        );
    }

    #[test]
    fn a_word_without_dashes_is_a_subcommand() {
        let Some(Command::Check(check)) = args("mapper check --format json devices more.yaml").unwrap().command else {
            panic!("it is a check")
        };
        assert_eq!(
            (check.paths, check.format, check.strict),
            (vec!["devices".into(), "more.yaml".into()], Format::Json, false)
        );
        let lost = args("mapper check --allow-lost-namespaces devices").unwrap().command;
        assert!(matches!(lost, Some(Command::Check(CheckArgs { allow_lost_namespaces: true, .. }))), "{lost:?}");
        let older = args("mapper check --kubeedge v1.16.2 devices").unwrap().command;
        assert!(
            matches!(older, Some(Command::Check(CheckArgs { kubeedge, .. })) if kubeedge.to_string() == "v1.16"),
            "{older:?}"
        );
        let error = args("mapper check --kubeedge v2 devices").unwrap_err().to_string();
        assert!(error.contains("write a release from v1.15 to v1.23, such as v1.21"), "{error}");
        assert_eq!(args("mapper sample").unwrap().command, Some(Command::Sample));
        let scaffold =
            ScaffoldArgs { model: "m.yaml".into(), instance: true, output: Some("d.yaml".into()), force: true };
        let line = "mapper scaffold m.yaml --instance --output d.yaml --force";
        assert_eq!(args(line).unwrap().command, Some(Command::Scaffold(scaffold)));
        assert_eq!(args("mapper scaffold m.yaml --force").unwrap_err().kind(), ErrorKind::MissingRequiredArgument);
        let convert = ConvertArgs { paths: vec!["old.yaml".into(), "-".into()] };
        assert_eq!(args("mapper convert old.yaml -").unwrap().command, Some(Command::Convert(convert)));
        assert_eq!(args("mapper convert").unwrap_err().kind(), ErrorKind::MissingRequiredArgument);
        assert_eq!(args("mapper chek").unwrap_err().kind(), ErrorKind::InvalidSubcommand);
        assert_eq!(args("mapper check").unwrap_err().kind(), ErrorKind::MissingRequiredArgument);
    }

    #[test]
    fn the_config_file_may_be_named_before_or_after_a_subcommand() {
        for line in ["mapper --config-file c.yaml check devices", "mapper check devices --config-file c.yaml"] {
            assert_eq!(args(line).unwrap().config_file, Some("c.yaml".into()), "{line}");
        }
    }
}
