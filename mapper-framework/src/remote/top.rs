//! `top`: devices and values as a table that follows what happens.

mod keys;
mod lines;
mod look;
mod screen;
mod terminal;

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use super::{Client, RemoteError, Style};
use crate::cli::TopArgs;

pub(crate) use lines::Lines;

use keys::Key;
use look::{Filter, View};
use screen::Screen;
use terminal::Terminal;

/// The least time between two looks.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// What makes the table change.
enum Happening {
    Key(Key),
    Looked(Result<Box<View>, RemoteError>),
    Resized,
    Ended,
}

/// A table that is to be shown.
#[derive(Debug)]
pub(crate) struct Top {
    client: Client,
    filter: Filter,
    every: Duration,
    style: Style,
    /// Lines that are shown below the table, for a mapper in the same process.
    log: Option<Lines>,
}

pub(super) async fn run(
    client: &Client,
    args: &TopArgs,
    style: Style,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RemoteError> {
    if !terminal::is_there() {
        return Err(RemoteError::NoTerminal);
    }
    let filter = Filter { search: args.search.clone(), state: args.state.clone() };
    // What cannot be reached or is wrong with the filter is an error, and no table.
    look::look(client, &filter, None).await?;
    let top = Top { client: client.clone(), filter, every: args.every.max(LEAST_PAUSE), style, log: None };
    top.show(shutdown).await
}

impl Top {
    /// A table of the mapper in this process, with its log below.
    pub(crate) fn of_own(client: Client, style: Style, log: Lines) -> Self {
        Self { client, filter: Filter::default(), every: Duration::from_secs(1), style, log: Some(log) }
    }

    /// Whether there is a terminal for it.
    pub(crate) fn has_terminal() -> bool {
        terminal::is_there()
    }

    /// Shows the table until `q` or `shutdown`.
    pub(crate) async fn show(self, shutdown: impl Future<Output = ()>) -> Result<(), RemoteError> {
        let (chosen, to_look_at) = watch::channel(None);
        let (looked, mut views) = mpsc::channel(1);
        let looking = look::keep_looking(self.client, self.filter, self.every, to_look_at, looked);
        let _looking = AbortOnDropHandle::new(tokio::spawn(looking));
        let mut terminal = Terminal::open()?;
        let mut screen = Screen::new(self.style);
        tokio::pin!(shutdown);
        loop {
            let size = terminal.size();
            let log = self.log.as_ref().map(Lines::last).unwrap_or_default();
            terminal.draw(&screen.lines(size, &log))?;
            match happening(&mut terminal, &mut views, &mut shutdown).await {
                Happening::Key(Key::Quit) | Happening::Ended => return Ok(()),
                Happening::Key(key) => {
                    screen.key(key);
                    chosen.send_replace(screen.chosen());
                }
                Happening::Looked(looked) => screen.looked(looked),
                Happening::Resized => {}
            }
        }
    }
}

async fn happening(
    terminal: &mut Terminal,
    views: &mut mpsc::Receiver<Result<Box<View>, RemoteError>>,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> Happening {
    tokio::select! {
        key = terminal.keys.recv() => key.map_or(Happening::Ended, Happening::Key),
        looked = views.recv() => looked.map_or(Happening::Ended, Happening::Looked),
        _ = terminal.resized.recv() => Happening::Resized,
        () = shutdown => Happening::Ended,
    }
}
