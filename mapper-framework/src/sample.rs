//! `sample`: the manifests that a mapper brings along.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::mapper::MapperBuilder;

/// Why there is nothing to print.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SampleError {
    /// The mapper brings none.
    #[error("this mapper brings no manifests along: its author can add them by `MapperBuilder::sample`")]
    None,
    /// Standard output.
    #[error("cannot print the manifests: {0}")]
    Print(#[from] io::Error),
}

/// Prints what [`MapperBuilder::sample`] was given.
pub(crate) fn run(builder: &MapperBuilder, mut out: impl Write) -> Result<ExitCode, SampleError> {
    let sample = builder.sample.as_deref().ok_or(SampleError::None)?;
    writeln!(out, "{}", sample.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
