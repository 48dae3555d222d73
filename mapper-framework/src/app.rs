//! From the command line to the exit code: the only place that reads arguments, environment and signals.

mod stdout;

use std::{
    env,
    future::Future,
    io::{self, IsTerminal},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    check::{self, CheckError},
    cli::{self, CheckArgs, Cli, Command},
    config::{Config, ConfigError, Sources},
    local_edge::{LocalEdge, LocalEdgeError, console},
    logging,
    mapper::{MapperBuilder, MapperError},
    sample, scaffold,
};
use stdout::Stdout;

/// The exit code after a wrong command line or config, as clap has it for the former.
const USAGE: u8 = 2;

/// The exit code after a second signal has cut a shutdown short: 128 and the number of SIGINT, as shells have it.
const ABORTED: i32 = 130;

/// How long a program that ends waits for its last lines to be read.
const CONSOLE_GRACE: Duration = Duration::from_secs(1);

/// Why a mapper's program ends with an error.
#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Mapper(#[from] MapperError),
    #[error("--standalone: {0}")]
    Standalone(#[from] LocalEdgeError),
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    Sample(#[from] sample::SampleError),
    #[error(transparent)]
    Scaffold(#[from] scaffold::ScaffoldError),
    #[error("cannot {what}: {source}")]
    System { what: &'static str, source: io::Error },
}

impl AppError {
    /// Whether the command line or the config is what has to be corrected.
    fn is_of_usage(&self) -> bool {
        match self {
            Self::Config(_) | Self::Mapper(MapperError::Config(_)) => true,
            Self::Check(error) => !matches!(error, CheckError::Print(_)),
            _ => false,
        }
    }
}

impl MapperBuilder {
    /// The whole `main` of a mapper: reads the command line, the config file and the environment, sets up the log, and runs until
    /// SIGTERM or SIGINT. A second signal ends the process at once.
    ///
    /// The exit code is 0 after a shutdown in good order, 1 when the mapper cannot run, and 2 for a wrong command line or config.
    ///
    /// The subcommands `check`, `sample` and `scaffold` help with manifests and end at once; `check` ends with 1 when it has found
    /// something wrong.
    ///
    /// `--help` tells of the flags, and [`config`](crate::config) of the keys.
    pub fn main(self) -> ExitCode {
        let cli = match cli::parse(&self.package, env::args_os()) {
            Ok(cli) => cli,
            // To print is all there is to do: where standard output is closed, nobody reads it.
            Err(error) => return error.print().map_or(ExitCode::FAILURE, |()| exit_code(error.exit_code())),
        };
        let ended = match &cli.command {
            None => start(self, &cli).map(|()| ExitCode::SUCCESS),
            Some(Command::Check(args)) => check(self, &cli, args),
            Some(Command::Sample) => sample::run(&self, Stdout).map_err(AppError::from),
            Some(Command::Scaffold(args)) => {
                let protocol = &self.config.common.protocol;
                scaffold::run(args, protocol, Stdout, |warning| eprintln!("warning: {warning}")).map_err(AppError::from)
            }
        };
        match ended {
            Ok(code) => code,
            Err(error) => {
                eprintln!("error: {error}");
                if error.is_of_usage() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
            }
        }
    }
}

fn exit_code(code: i32) -> ExitCode {
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn start(builder: MapperBuilder, cli: &Cli) -> Result<(), AppError> {
    // Removed with what is in it when the run ends.
    let folder = cli.standalone.as_ref().map(|_| tempfile::tempdir()).transpose();
    let folder = folder.map_err(|source| AppError::System { what: "make a folder for the sockets", source })?;
    let mut defaults = builder.config.clone();
    if let Some(folder) = &folder {
        defaults.spool.dir = folder.path().join("spool");
    }
    let config = configure(defaults, cli)?;
    let builder = builder.config(config).environment(env::vars_os());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|source| AppError::System { what: "start the async runtime", source })?;
    let ended = runtime.block_on(async {
        match (&cli.standalone, &folder) {
            (Some(devices), Some(folder)) => run_standalone(builder, devices, folder.path(), cli.run_for).await,
            _ => run(builder, cli.run_for).await,
        }
    });
    // A driver's blocking call that hangs would keep the process for ever; the grace is over.
    runtime.shutdown_background();
    ended
}

/// Reads the config, sets up the log with it, and tells there what is odd about it.
fn configure(defaults: Config, cli: &Cli) -> Result<Config, ConfigError> {
    let sources = Sources::new(defaults).env(env::vars_os());
    let (config, warnings) = Config::load(cli.add_to(sources))?;
    let ansi = logging::wants_ansi(env::var_os("NO_COLOR").as_deref(), io::stderr().is_terminal());
    logging::init(&config.log, env::var("RUST_LOG").ok().as_deref(), ansi);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// Checks manifests with the config that a run would have.
fn check(builder: MapperBuilder, cli: &Cli, args: &CheckArgs) -> Result<ExitCode, AppError> {
    let sources = Sources::new(builder.config.clone()).env(env::vars_os());
    let (config, warnings) = Config::load(cli.add_to(sources))?;
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    Ok(check::run(&builder.config(config), args, Stdout)?)
}

async fn run(builder: MapperBuilder, run_for: Option<Duration>) -> Result<(), AppError> {
    let shutdown = shutdown(run_for).map_err(|source| AppError::System { what: "listen for signals", source })?;
    Ok(builder.build().run_until(shutdown).await?)
}

/// Runs the same mapper against an edgecore in this process, on sockets in a folder of their own.
async fn run_standalone(
    mut builder: MapperBuilder,
    devices: &Path,
    folder: &Path,
    run_for: Option<Duration>,
) -> Result<(), AppError> {
    let edge = LocalEdge::builder().start(folder).await?;
    let console = tokio::spawn(console::print_events(edge.events(), io::stdout()));
    edge.watch(devices).await?;
    builder.config.common.edgecore_sock = edge.socket().to_owned();
    builder.config.grpc_server.socket_path = folder.join("mapper.sock");
    let ended = run(builder, run_for).await;
    edge.stop().await;
    drop(edge);
    // The console ends with the edge's events. Standard output that is closed, or that nobody reads, is no reason to fail.
    drop(tokio::time::timeout(CONSOLE_GRACE, console).await);
    ended
}

/// Completes at the first SIGTERM or SIGINT, or when the time is up. From then on, another signal ends the process.
fn shutdown(run_for: Option<Duration>) -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            () = either(&mut terminate, &mut interrupt) => {}
            () = elapsed(run_for) => {}
        }
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            eprintln!("aborted by a second signal");
            std::process::exit(ABORTED);
        });
    })
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

async fn elapsed(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
