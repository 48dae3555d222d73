//! What a running mapper is asked.

use std::{
    env,
    io::{self, IsTerminal},
    process::ExitCode,
};

use super::{AppError, block_on, signals::shutdown};
use crate::{
    cli::{Ask, Cli, Reach},
    config::{Config, Sources},
    logging,
    mapper::MapperBuilder,
    remote::{self, Client, RemoteError, Style, Target},
};

pub(super) fn run(builder: &MapperBuilder, cli: &Cli, ask: &Ask) -> Result<ExitCode, AppError> {
    let client = Client::new(target(builder, cli, ask.reach())?);
    block_on(async {
        let shutdown =
            shutdown(cli.run_for).map_err(|source| AppError::System { what: "listen for signals", source })?;
        match remote::run(&client, ask, style(), io::stdout(), shutdown).await {
            // Whoever read the answer has enough of it.
            Err(RemoteError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            ended => Ok(ended?),
        }
    })
}

/// Colours, if standard output is a terminal.
pub(super) fn style() -> Style {
    Style::new(logging::wants_ansi(env::var_os("NO_COLOR").as_deref(), io::stdout().is_terminal()))
}

/// The mapper that the command line names, else the one of the config. Where nothing names one and there is none in its usual place, it is
/// a standalone run, which has its socket elsewhere.
fn target(builder: &MapperBuilder, cli: &Cli, reach: &Reach) -> Result<Target, AppError> {
    if let Some(url) = &reach.url {
        return Ok(Target::url(url, reach.token_file.clone())?);
    }
    if let Some(path) = reach.socket_path.as_deref().or(cli.socket_path()) {
        return Ok(Target::socket(path));
    }
    let sources = cli.add_to(Sources::new(builder.config.clone()).env(env::vars_os()));
    // The warnings are the mapper's, which logs them.
    let (config, _) = Config::load(sources)?;
    let socket = Target::socket(&config.grpc_server.socket_path);
    let usual = Config::load(Sources::new(builder.config.clone()));
    let is_usual = usual.is_ok_and(|(usual, _)| usual.grpc_server.socket_path == config.grpc_server.socket_path);
    let is_named = cli.config_file.is_some() || !is_usual;
    Ok(if is_named { socket } else { socket.or_port(config.common.http_port, reach.token_file.clone()) })
}
