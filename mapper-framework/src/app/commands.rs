//! What a mapper's program does instead of running.

use std::{env, io::Write, process::ExitCode};

use super::{AppError, discover, stdout::Stdout, tape};
use crate::{
    check,
    cli::{self, CheckArgs, Cli, Command},
    config::{Config, Sources},
    convert,
    mapper::MapperBuilder,
    sample, scaffold,
};

pub(super) fn run(command: &Command, builder: MapperBuilder, cli: &Cli) -> Result<ExitCode, AppError> {
    match command {
        Command::Check(args) => check(builder, cli, args),
        Command::Sample => Ok(sample::run(&builder, Stdout)?),
        Command::Scaffold(args) => {
            let protocol = &builder.config.common.protocol;
            Ok(scaffold::run(args, protocol, Stdout, |warning| eprintln!("warning: {warning}"))?)
        }
        Command::Discover(args) => discover::run(builder, cli, args),
        Command::Convert(args) => {
            let protocol = &builder.config.common.protocol;
            Ok(convert::run(args, protocol, Stdout, |line| eprintln!("{line}"))?)
        }
        Command::Record(args) => tape::record(builder, cli, args),
        #[cfg(feature = "standalone")]
        Command::Replay(args) => tape::replay(builder, cli, args),
        #[cfg(feature = "http")]
        Command::Ask(ask) => super::remote::run(&builder, cli, ask),
        Command::Completions { shell } => print(&cli::completions(&builder.help(), *shell)),
        Command::Man { subcommand } => {
            let page = cli::manual(&builder.help(), subcommand.as_deref());
            match page.map_err(|source| AppError::System { what: "write the manual", source })? {
                Some(page) => print(&page),
                None => Err(AppError::NoSubcommand(subcommand.clone().unwrap_or_default())),
            }
        }
    }
}

fn print(text: &[u8]) -> Result<ExitCode, AppError> {
    Stdout.write_all(text).map_err(|source| AppError::System { what: "print", source })?;
    Ok(ExitCode::SUCCESS)
}

/// Checks manifests with the config that a run would have.
fn check(builder: MapperBuilder, cli: &Cli, args: &CheckArgs) -> Result<ExitCode, AppError> {
    let sources = Sources::new(builder.config.clone()).env(env::vars_os());
    let (config, warnings) = Config::load(cli.add_to(sources))?;
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    let mut builder = builder.config(config);
    builder.make_sinks()?;
    Ok(check::run(&builder, args, Stdout)?)
}
