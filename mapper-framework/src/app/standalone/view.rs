//! What a standalone run shows: a line for each event, or in a terminal a live table with the last lines below.

use std::{
    env,
    io::{self, IsTerminal, Write},
    path::Path,
    time::Duration,
};

use super::{
    super::{AppError, log_to, run},
    wants_colours,
};
#[cfg(feature = "http")]
use crate::remote::{Client, Lines, Style, Target, Top};
use crate::{
    cli::Cli,
    config::{Config, ConfigWarning},
    logging,
    mapper::Mapper,
};

/// How many of the last lines stay in the terminal when the table is gone.
#[cfg(feature = "http")]
const LEFT_BEHIND: usize = 10;

/// What a standalone run shows.
pub(super) enum View {
    /// Events on standard output, the log on standard error.
    Plain,
    /// A table on standard output, with events and the log below.
    #[cfg(feature = "http")]
    Table(Lines),
}

impl View {
    /// The table in a terminal, if there is a server to ask. Calls print their results, and so do without it.
    pub(super) fn choose(cli: &Cli, config: &Config) -> Self {
        #[cfg(feature = "http")]
        if config.http.enabled && !cli.plain && cli.calls.is_empty() && Top::has_terminal() {
            return Self::Table(Lines::default());
        }
        Self::Plain
    }

    pub(super) fn start_log(&self, config: &Config, warnings: &[ConfigWarning]) {
        match self {
            Self::Plain => {
                let ansi = logging::wants_ansi(env::var_os("NO_COLOR").as_deref(), io::stderr().is_terminal());
                log_to(io::stderr, ansi, config, warnings);
            }
            #[cfg(feature = "http")]
            Self::Table(lines) => {
                let lines = lines.clone();
                log_to(move || lines.clone(), false, config, warnings);
            }
        }
    }

    /// Where events go.
    pub(super) fn output(&self) -> Box<dyn Write + Send> {
        match self {
            Self::Plain => Box::new(io::stdout()),
            #[cfg(feature = "http")]
            Self::Table(lines) => Box::new(lines.clone()),
        }
    }

    /// Whether the lines of events have colours.
    pub(super) fn has_colours(&self) -> bool {
        matches!(self, Self::Plain) && wants_colours()
    }

    /// Runs the mapper, and shows the table meanwhile. `socket` is the mapper's.
    pub(super) async fn run(&self, mapper: Mapper, socket: &Path, run_for: Option<Duration>) -> Result<(), AppError> {
        match self {
            Self::Plain => run(mapper, run_for).await,
            #[cfg(feature = "http")]
            Self::Table(lines) => {
                let client = Client::new(Target::socket(socket));
                let top = Top::of_own(client, Style::new(wants_colours()), lines.clone());
                run_below(mapper, top, run_for).await
            }
        }
    }

    /// Leaves the last lines in the terminal, among which is why the run has ended.
    pub(super) fn close(&self) {
        #[cfg(feature = "http")]
        if let Self::Table(lines) = self {
            let lines = lines.last();
            for line in &lines[lines.len().saturating_sub(LEFT_BEHIND)..] {
                eprintln!("{line}");
            }
        }
    }
}

/// Runs the mapper until the table is left, and shows the table until the mapper ends.
#[cfg(feature = "http")]
async fn run_below(mapper: Mapper, top: Top, run_for: Option<Duration>) -> Result<(), AppError> {
    use tokio_util::sync::CancellationToken;

    use super::super::shutdown;

    let shutdown = shutdown(run_for).map_err(|source| AppError::System { what: "listen for signals", source })?;
    let (left, ended) = (CancellationToken::new(), CancellationToken::new());
    let running = async {
        let outcome = mapper.run_until(left.cancelled()).await;
        ended.cancel();
        outcome
    };
    let showing = async {
        let until = async {
            tokio::select! {
                () = shutdown => {}
                () = ended.cancelled() => {}
            }
        };
        let outcome = top.show(until).await;
        left.cancel();
        outcome
    };
    let (ran, shown) = tokio::join!(running, showing);
    ran?;
    Ok(shown?)
}
