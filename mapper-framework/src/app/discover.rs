//! A search for devices, from the terminal.

use std::{
    convert::Infallible,
    env,
    future::pending,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{AppError, block_on, configure, signals::shutdown, stdout::Stdout};
use crate::{
    cli::{Cli, DiscoverArgs},
    discover::{self, Manifests, Place},
    driver::{Discovery, DriverError},
    mapper::MapperBuilder,
    model::CREDENTIALS_KEY,
    runtime::{CredentialsFolder, panic_message},
};

/// How long a search that is cut off may take to end.
const DROP: Duration = Duration::from_secs(1);

/// Has the driver search, and prints the manifests of what it has found, however the search has ended.
pub(super) fn run(builder: MapperBuilder, cli: &Cli, args: &DiscoverArgs) -> Result<ExitCode, AppError> {
    refuse_unknown(builder.driver.discover_args(), &args.args)?;
    let config = configure(builder.config.clone(), cli)?;
    let mut builder = builder.config(config).environment(env::vars_os());
    builder.make_own_driver()?;
    let discovery = discovery(&builder, args)?;
    // What is printed is printed on the runtime as well, so that a second signal ends a program that nobody reads from.
    block_on(async {
        let ended = search(&builder, &discovery, args.run_for).await?;
        print(&discover::manifests(&discovery, &Place::of(&builder, &args.namespace, &args.node_name)))
            .map_err(|source| AppError::System { what: "print", source })?;
        ended.map_err(AppError::Discover)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn print(manifests: &Manifests) -> io::Result<()> {
    let Manifests { yaml, devices, models, left_out } = manifests;
    for line in left_out {
        eprintln!("warning: {line}");
    }
    eprintln!("found: {devices} {}, {models} {}", plural("device", *devices), plural("model", *models));
    let mut out = Stdout;
    out.write_all(yaml.as_bytes())?;
    out.flush()
}

fn plural(noun: &str, count: usize) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// Refuses an argument that the driver does not list, if it lists any.
fn refuse_unknown(known: &[(&str, &str)], args: &[(String, String)]) -> Result<(), AppError> {
    let is_known = |name: &str| name == CREDENTIALS_KEY || known.iter().any(|(known, _)| *known == name);
    let unknown = args.iter().map(|(name, _)| name).find(|name| !known.is_empty() && !is_known(name));
    let known = known.iter().map(|(name, _)| format!("`{name}`")).collect();
    unknown.map_or(Ok(()), |name| Err(AppError::NoArgument { name: name.clone(), known }))
}

/// What the command line asks for, with the credentials that it names.
fn discovery(builder: &MapperBuilder, args: &DiscoverArgs) -> Result<Discovery, AppError> {
    let discovery = Discovery::new(args.args.iter().cloned());
    let Some(name) = discovery.credentials_name() else { return Ok(discovery) };
    let folder = CredentialsFolder::new(&builder.config.driver.credentials);
    let credentials = folder.named(name).map_err(|error| AppError::Discover(DriverError::refused(error)))?;
    Ok(discovery.with_credentials(credentials))
}

/// Searches until the driver has nothing more to find, or the user has enough. The inner error is the driver's.
async fn search(
    builder: &MapperBuilder,
    discovery: &Discovery,
    run_for: Option<Duration>,
) -> Result<Result<(), DriverError>, AppError> {
    let shutdown = shutdown(run_for).map_err(|source| AppError::System { what: "listen for signals", source })?;
    let (driver, searched) = (builder.driver.clone(), discovery.clone());
    // A task of its own, so that a panic costs only what would have come after it.
    let mut task = AbortOnDropHandle::new(tokio::spawn(async move { driver.discover(&searched).await }));
    tokio::select! {
        ended = &mut task => Ok(ended.unwrap_or_else(|error| {
            let panic = error.try_into_panic();
            let message = panic.as_ref().map_or("the search was cut off", |panic| panic_message(&**panic));
            Err(DriverError::failed(format_args!("the driver panicked: {message}")))
        })),
        () = shutdown => {
            task.abort();
            // What the driver adds when its search is dropped counts as well. One that blocks is not waited for.
            timeout(DROP, task).await.ok();
            Ok(Ok(()))
        }
        never = Progress::default().show(discovery.watch_progress()) => match never {},
    }
}

/// Where the search is, on standard error: one line that is written over in a terminal, and plain lines elsewhere.
#[derive(Debug)]
struct Progress {
    is_terminal: bool,
    /// The least time from one line to the next.
    pause: Duration,
}

impl Default for Progress {
    fn default() -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self { is_terminal, pause: Duration::from_millis(if is_terminal { 100 } else { 1000 }) }
    }
}

impl Progress {
    async fn show(self, mut progress: watch::Receiver<String>) -> Infallible {
        while progress.changed().await.is_ok() {
            let due = Instant::now() + self.pause;
            let text: String = progress.borrow_and_update().chars().filter(|it| !it.is_control()).collect();
            self.print(&text);
            sleep_until(due).await;
        }
        pending().await
    }

    fn print(&self, text: &str) {
        let mut err = io::stderr().lock();
        // Standard error that cannot be written to is no reason to fail.
        let written = if self.is_terminal { write!(err, "\r\x1b[2K{text}") } else { writeln!(err, "{text}") };
        drop(written.and_then(|()| err.flush()));
    }
}

/// The line makes room for what is printed next.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_terminal {
            self.print("");
        }
    }
}
