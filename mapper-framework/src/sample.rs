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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, Driver, DriverError, Mapper, Property, Reading, Session};

    struct Silent;

    impl Driver for Silent {
        type Config = ();
        type Session = Self;

        async fn connect(&self, _: &Device, (): ()) -> Result<Self, DriverError> {
            Ok(Self)
        }
    }

    impl Session for Silent {
        type Visitor = ();

        async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
            Ok(0.into())
        }
    }

    #[test]
    fn what_a_mapper_was_given_is_printed_with_one_line_end() {
        for given in ["kind: Device", "kind: Device\n\n"] {
            let mut out = Vec::new();
            run(&Mapper::builder(Silent).sample(given), &mut out).unwrap();
            assert_eq!(out, b"kind: Device\n");
        }
    }

    #[test]
    fn a_mapper_without_a_sample_says_whose_part_it_is() {
        let error = run(&Mapper::builder(Silent), Vec::new()).unwrap_err().to_string();
        assert!(error.contains("by `MapperBuilder::sample`"), "{error}");
    }
}
