//! A run against an edgecore in the same process.

mod view;

use std::{
    env,
    io::{self, IsTerminal},
    path::Path,
    time::Duration,
};

use super::{AppError, block_on, calls::Calls, load};
use crate::{
    cli::Cli,
    config::{ReportConfig, ReportVia},
    local_edge::{LocalEdge, LocalEdgeBuilder, console},
    logging,
    mapper::MapperBuilder,
};
use view::View;

/// How long a program that ends waits for its last lines to be read.
const CONSOLE_GRACE: Duration = Duration::from_secs(1);

/// Runs the mapper on the manifests that the command line names, with sockets, a spool and a memory of writes in a folder that
/// goes with the run.
pub(super) fn start(builder: MapperBuilder, cli: &Cli) -> Result<(), AppError> {
    // Removed with what is in it when the run ends.
    let folder = tempfile::tempdir();
    let folder = folder.map_err(|source| AppError::System { what: "make a folder for the sockets", source })?;
    let mut defaults = builder.config.clone();
    defaults.spool.dir = folder.path().join("spool");
    // Also where `spool.dir` is set: what one run has written to devices is no concern of the next.
    defaults.writes.memory = folder.path().join("writes.memory");
    let (config, warnings) = load(defaults, cli)?;
    let view = View::choose(cli, &config);
    view.start_log(&config, &warnings);
    let builder = builder.config(config).environment(env::vars_os());
    let ended = block_on(run_on(builder, cli, folder.path(), &view));
    view.close();
    ended
}

/// An edge with an event bus, if the mapper is to report there.
#[cfg(feature = "eventbus")]
fn edge(report: &ReportConfig) -> LocalEdgeBuilder {
    let edge = LocalEdge::builder();
    if report.via == ReportVia::Dmi { edge } else { edge.event_bus() }
}

#[cfg(not(feature = "eventbus"))]
fn edge(_: &ReportConfig) -> LocalEdgeBuilder {
    LocalEdge::builder()
}

/// Says where the mapper can be looked at, before anything else. Where its port is taken, as by the mapper in the next terminal, it is another one.
#[cfg(feature = "http")]
async fn show_page(builder: &mut MapperBuilder) -> Result<(), AppError> {
    use std::io::Write;

    use crate::{http::Bound, mapper::MapperError};

    if builder.config.http.enabled {
        let bound = Bound::bind(&builder.config, true).await.map_err(MapperError::from)?;
        let url = bound.url(builder.config.http.tls.is_on());
        let socket = builder.config.grpc_server.socket_path.display();
        // Before a table takes the screen, which gives it back when it ends. Standard output that is closed is no reason to fail.
        let mut out = io::stdout();
        writeln!(out, "The page of this mapper: {url}").ok();
        writeln!(out, "Its socket, for the command line: --socket-path {socket}").ok();
        builder.http = Some(bound);
    }
    Ok(())
}

async fn run_on(mut builder: MapperBuilder, cli: &Cli, folder: &Path, view: &View) -> Result<(), AppError> {
    builder.config.grpc_server.socket_path = folder.join("mapper.sock");
    #[cfg(feature = "http")]
    show_page(&mut builder).await?;
    let edge = edge(&builder.config.report).start(folder).await?;
    let console = tokio::spawn(console::print_events(edge.events(), view.output(), view.has_colours()));
    for path in &cli.standalone {
        edge.watch(path).await?;
    }
    builder.config.common.edgecore_sock = edge.socket().to_owned();
    #[cfg(feature = "eventbus")]
    if let Some(address) = edge.event_bus() {
        address.clone_into(&mut builder.config.report.eventbus.address);
    }
    let socket = builder.config.grpc_server.socket_path.clone();
    let mapper = builder.build();
    let calls = Calls::start(mapper.handle(), &cli.calls);
    let ended = view.run(mapper, &socket, cli.run_for).await;
    edge.stop().await;
    drop(edge);
    // The console ends with the edge's events. Standard output that is closed, or that nobody reads, is no reason to fail.
    drop(tokio::time::timeout(CONSOLE_GRACE, console).await);
    ended?;
    match calls.open() {
        0 => Ok(()),
        open => Err(AppError::Calls(open)),
    }
}

/// Whether lines on standard output have colours.
fn wants_colours() -> bool {
    logging::wants_ansi(env::var_os("NO_COLOR").as_deref(), io::stdout().is_terminal())
}
