//! `check`: what is wrong with manifests, before a node finds it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::{cli::CheckArgs, mapper::MapperBuilder};

pub(crate) fn run(builder: &MapperBuilder, args: &CheckArgs, mut out: impl Write) -> io::Result<ExitCode> {
    let _ = &builder.driver;
    writeln!(out, "{args:?}")?;
    Ok(ExitCode::SUCCESS)
}
