//! `scaffold`: from a DeviceModel to the code and the Device that go with it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::cli::ScaffoldArgs;

/// Why nothing can be made of a model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScaffoldError {
    /// Standard output.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

pub(crate) fn run(args: &ScaffoldArgs, mut out: impl Write) -> Result<ExitCode, ScaffoldError> {
    writeln!(out, "{args:?}")?;
    Ok(ExitCode::SUCCESS)
}
