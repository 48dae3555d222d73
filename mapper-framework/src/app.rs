//! From the command line to the exit code: the only place that reads arguments, environment and signals.

#[cfg(all(feature = "cli", feature = "standalone"))]
mod calls;
#[cfg(feature = "cli")]
mod commands;
#[cfg(feature = "cli")]
mod discover;
#[cfg(all(feature = "cli", feature = "http"))]
mod remote;
mod signals;
#[cfg(all(feature = "cli", feature = "standalone"))]
mod standalone;
#[cfg(feature = "cli")]
mod stdout;
#[cfg(feature = "cli")]
mod tape;

use std::{
    env,
    future::Future,
    io::{self, IsTerminal},
    process::ExitCode,
    time::Duration,
};

#[cfg(all(feature = "cli", feature = "standalone"))]
use crate::local_edge::LocalEdgeError;
#[cfg(not(feature = "cli"))]
use crate::plain_cli as cli;
#[cfg(feature = "http")]
use crate::remote::RemoteError;
#[cfg(feature = "cli")]
use crate::{
    check::CheckError, cli, convert::ConvertError, driver::DriverError, sample::SampleError, scaffold::ScaffoldError,
    tape::TapeError,
};
use crate::{
    config::{Config, ConfigError, ConfigWarning, Sources},
    logging,
    mapper::{Mapper, MapperBuilder, MapperError},
};
use cli::Cli;
use signals::shutdown;

/// The exit code after a wrong command line or config, as clap has it for the former.
const USAGE: u8 = 2;

/// Why a mapper's program ends with an error.
#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Mapper(#[from] MapperError),
    #[cfg(all(feature = "cli", feature = "standalone"))]
    #[error("--standalone: {0}")]
    Standalone(#[from] LocalEdgeError),
    #[cfg(all(feature = "cli", feature = "standalone"))]
    #[error("--call: {0} of the calls failed or could not be made")]
    Calls(usize),
    #[cfg(feature = "cli")]
    #[error(transparent)]
    Check(#[from] CheckError),
    #[cfg(feature = "cli")]
    #[error(transparent)]
    Sample(#[from] SampleError),
    #[cfg(feature = "cli")]
    #[error(transparent)]
    Scaffold(#[from] ScaffoldError),
    #[cfg(feature = "cli")]
    #[error(transparent)]
    Tape(#[from] TapeError),
    #[cfg(feature = "cli")]
    #[error("discover: {0}")]
    Discover(DriverError),
    #[cfg(feature = "cli")]
    #[error("discover: there is no argument `{name}`: this mapper takes {}, see `discover --help`", known.join(", "))]
    NoArgument { name: String, known: Vec<String> },
    #[cfg(feature = "cli")]
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[cfg(feature = "cli")]
    #[error("there is no subcommand {0:?}: `--help` lists them")]
    NoSubcommand(String),
    #[cfg(feature = "http")]
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("cannot {what}: {source}")]
    System { what: &'static str, source: io::Error },
}

impl AppError {
    /// Whether the command line or the config is what has to be corrected.
    fn is_of_usage(&self) -> bool {
        match self {
            Self::Config(_) | Self::Mapper(MapperError::Config(_) | MapperError::Refused { .. }) => true,
            #[cfg(feature = "cli")]
            Self::Check(error) => !matches!(error, CheckError::Print(_)),
            #[cfg(feature = "cli")]
            Self::Convert(error) => !matches!(error, ConvertError::Print(_)),
            #[cfg(feature = "cli")]
            Self::NoSubcommand(_) | Self::NoArgument { .. } => true,
            #[cfg(feature = "http")]
            Self::Remote(error) => error.is_of_usage(),
            _ => false,
        }
    }
}

impl MapperBuilder {
    /// The whole `main` of a mapper: reads the command line, the config file and the environment, sets up the log, and runs until
    /// SIGTERM, SIGINT, SIGHUP or SIGQUIT. A second signal ends the process at once.
    ///
    /// The exit code is 0 after a shutdown as asked for, 1 when the mapper cannot run, and 2 for a wrong command line or config.
    ///
    /// The subcommands `check`, `sample`, `scaffold` and `convert` help with manifests and end at once; `check` ends with 1 when it has found
    /// something wrong. `discover` prints manifests of what [`Driver::discover`](crate::Driver::discover) finds. `record` runs the
    /// mapper and keeps what its driver is asked and answers, and `replay` runs it on that. With the feature `http`, others ask a mapper that runs: `status`, `get`, `set`, `call`, `explain`, `history`, `events`,
    /// `top` and `health`.
    ///
    /// `--help` lists the flags, and [`config`](crate::config) the keys. Without the feature `cli` there is one flag, `--config-file
    /// PATH`, and one subcommand, `health [--live]`, with the feature `http`.
    pub fn main(self) -> ExitCode {
        #[cfg(feature = "cli")]
        let parsed = cli::parse(&self.help(), env::args_os());
        #[cfg(not(feature = "cli"))]
        let parsed = cli::parse(env::args_os());
        let cli = match parsed {
            Ok(cli) => cli,
            // To print is all there is to do: where standard output is closed, nobody reads it.
            Err(error) => return error.print().map_or(ExitCode::FAILURE, |()| exit_code(error.exit_code())),
        };
        match perform(self, &cli) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("error: {error}");
                if error.is_of_usage() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
            }
        }
    }

    #[cfg(feature = "cli")]
    fn help(&self) -> cli::Help {
        cli::Help {
            package: self.package,
            own_keys: self.config.own.keys(),
            discover_args: self.driver.discover_args(),
        }
    }
}

fn exit_code(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Does what the command line asks for.
fn perform(builder: MapperBuilder, cli: &Cli) -> Result<ExitCode, AppError> {
    #[cfg(feature = "cli")]
    if let Some(command) = &cli.command {
        return commands::run(command, builder, cli);
    }
    #[cfg(all(feature = "http", not(feature = "cli")))]
    if let Some(probe) = cli.probe {
        return health(builder, cli, probe);
    }
    #[cfg(all(feature = "cli", feature = "standalone"))]
    if !cli.standalone.is_empty() {
        return standalone::start(builder, cli).map(|()| ExitCode::SUCCESS);
    }
    let config = configure(builder.config.clone(), cli)?;
    let builder = builder.config(config).environment(env::vars_os());
    block_on(run(builder.build(), cli.run_for)).map(|()| ExitCode::SUCCESS)
}

/// Asks the mapper of the config whether it is well.
#[cfg(all(feature = "http", not(feature = "cli")))]
fn health(builder: MapperBuilder, cli: &Cli, probe: crate::http::Probe) -> Result<ExitCode, AppError> {
    use crate::remote::{Client, Target, health};

    let (config, _) = Config::load(cli.add_to(Sources::new(builder.config).env(env::vars_os())))?;
    let client = Client::new(Target::socket(&config.grpc_server.socket_path));
    block_on(async { Ok(health::run(&client, probe, io::stdout()).await?) })
}

/// Runs the future on a runtime of its own.
fn block_on<T>(future: impl Future<Output = Result<T, AppError>>) -> Result<T, AppError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|source| AppError::System { what: "start the async runtime", source })?;
    let ended = runtime.block_on(future);
    // A driver's blocking call that hangs would keep the process for ever; the grace is over.
    runtime.shutdown_background();
    ended
}

/// Reads the config, sets up the log with it, and logs what is odd about it.
fn configure(defaults: Config, cli: &Cli) -> Result<Config, ConfigError> {
    let (config, warnings) = load(defaults, cli)?;
    let ansi = logging::wants_ansi(env::var_os("NO_COLOR").as_deref(), io::stderr().is_terminal());
    log_to(io::stderr, ansi, &config, &warnings);
    Ok(config)
}

/// Reads the config, and what is odd about it.
fn load(defaults: Config, cli: &Cli) -> Result<(Config, Vec<ConfigWarning>), ConfigError> {
    Config::load(cli.add_to(Sources::new(defaults).env(env::vars_os())))
}

/// Sets up the log, and logs what is odd about the config.
fn log_to<W>(writer: W, ansi: bool, config: &Config, warnings: &[ConfigWarning])
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    logging::init(&config.log, env::var("RUST_LOG").ok().as_deref(), ansi, writer);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

async fn run(mapper: Mapper, run_for: Option<Duration>) -> Result<(), AppError> {
    let shutdown = shutdown(run_for).map_err(|source| AppError::System { what: "listen for signals", source })?;
    Ok(mapper.run_until(shutdown).await?)
}
